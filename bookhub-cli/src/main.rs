//! The binary `bookhub`: parses, runs, and turns what happened into an exit code.

mod api;
mod args;
mod commands;
mod credentials;
mod environment;
mod error;
mod input;
mod interrupt;
mod printer;
mod server;
mod shelves;
mod target;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    args::{Args, Format},
    error::{Error, Exit},
    printer::Printer,
};

fn main() -> ExitCode {
    let exit = match Args::try_parse() {
        Ok(args) => run(args),
        Err(error) => explain(&error),
    };
    ExitCode::from(exit.code())
}

fn run(args: Args) -> Exit {
    let printer = Printer::new(args.global.output, args.global.quiet);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::run(args, printer));
            // A prompt may still wait for a line; nobody waits for the prompt.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Error::local("start", error)),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => {
            printer.error(&error);
            error.exit()
        }
    }
}

/// Help and versions go to standard output, wrong flags to standard error, in the format asked for.
fn explain(error: &clap::Error) -> Exit {
    let asked = std::env::args_os().skip(1);
    if error.use_stderr() && Format::asked_for(asked).is_for_programs() {
        Printer::new(Format::Json, false).error(&Error::flags(error));
    } else {
        Printer::explain(error);
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
