//! Proofs under load: what the hub promises, in a crash of its server, among ten thousand slow
//! readers, and while a million clients come and go.
//!
//! `cargo bench -p bookhub-realtime --bench storms` needs a quarter of an hour and ends with 1 if a
//! promise is broken; `-- crash`, `-- slow` or `-- churn` raises one storm, `-- --quick` a small one.
//! Server and clients are processes of their own, and share the machine as they like.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[expect(unused_imports, reason = "the library's own file, whose tests run elsewhere")]
#[path = "../../src/client/backoff.rs"]
mod backoff;
#[path = "../support/child.rs"]
mod child;
mod churn;
mod claims;
mod crash;
mod line;
#[path = "../support/numbered.rs"]
mod numbered;
mod options;
#[path = "../support/process.rs"]
mod process;
mod server;
mod slow;
mod visit;
#[path = "../support/wire.rs"]
mod wire;

use std::process::ExitCode;

use claims::Claims;
use clap::Parser as _;
use options::{Options, Role, Storm};

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    match options.role {
        Some(Role::Serve { storm }) => server::serve(storm)?,
        Some(Role::Returning) => crash::returning::run()?,
        Some(Role::Readers) => slow::readers::run()?,
        Some(Role::Crowd) => slow::crowd::run()?,
        Some(Role::Visitors) => churn::visitors::run()?,
        // `cargo test --benches` starts it too, and wants no figures.
        None if options.test || !options.bench => {}
        None => return raise(&options),
    }
    Ok(ExitCode::SUCCESS)
}

fn raise(options: &Options) -> anyhow::Result<ExitCode> {
    let mut kept = true;
    for &storm in options.storms() {
        println!("## {storm}\n");
        let mut claims = Claims::default();
        match storm {
            Storm::Crash => crash::raise(options.quick, &mut claims)?,
            Storm::Slow => slow::raise(options.quick, &mut claims)?,
            Storm::Churn => churn::raise(options.quick, &mut claims)?,
        }
        println!("{claims}");
        kept &= claims.all_kept();
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
