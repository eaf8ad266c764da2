//! How dear an event is, beside bare `write` calls and beside others: one server after the other,
//! each in a process and on a core of its own, before the same clients.
//!
//! `cargo bench -p bookhub-realtime --bench side_by_side` prints Markdown tables of what a delivery
//! costs the server, and how that compares with the floor: one `write` of a ready-made frame for
//! each socket and event. `-- --quick` shows in a minute that it works; `-- --help` lists the rest.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

#[path = "../support/child.rs"]
mod child;
mod control;
mod cores;
mod event;
mod load;
#[path = "../support/numbered.rs"]
mod numbered;
mod options;
#[path = "../support/process.rs"]
mod process;
mod rig;
mod run;
mod scaling;
mod servers;
mod table;
#[path = "../support/wire.rs"]
mod wire;

use std::io::{Write as _, stdout};

use clap::Parser as _;
use cores::{Core, two_cores};
use options::{Case, Options, Role};
use run::Sample;
use scaling::Scaling;
use servers::Kind;
use table::Table;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.role {
        Some(Role::Serve { server, core }) => {
            cores::pin(core);
            servers::serve(server, options.centrifugo.as_deref())
        }
        Some(Role::Load { core }) => {
            cores::pin(core);
            load::run()
        }
        // `cargo test --benches` starts it too, and wants no figures.
        None if options.test || !options.bench => Ok(()),
        None => compare(&options),
    }
}

fn compare(options: &Options) -> anyhow::Result<()> {
    if two_cores() {
        cores::pin(Some(Core::LOAD));
    } else {
        eprintln!("one core only: the servers share it with the clients, so latencies mean little");
    }
    // Not one server after the other: what disturbs the machine for a while disturbs them all.
    let mut samples: Vec<Sample> = Vec::new();
    for number in 1..=options.runs() {
        for plan in options.plans() {
            if let Some(reason) = process::too_many(plan.clients) {
                eprintln!("skipped: {} clients: {reason}", plan.clients);
                continue;
            }
            eprintln!("run {number} of {}: {plan}", options.runs());
            samples.push(run::run(&plan, options)?);
        }
    }
    let mut out = stdout().lock();
    for table in Table::all(&samples) {
        writeln!(out, "{table}")?;
    }
    if options.cases().contains(&Case::Cores) {
        cores::unpin()?;
        println!("{}", Scaling::measure(options.runs())?);
    }
    if options.centrifugo.is_none() && options.servers().contains(&Kind::Hub) {
        println!("Without Centrifugo: its binary is named by `--centrifugo PATH`.");
    }
    Ok(())
}
