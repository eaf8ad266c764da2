//! How many requests a second the shop answers from memory, beside the least that could answer: axum
//! with the same bytes, and Express with the same objects.
//!
//! The server of each kind has one core, and `wrk` the other. They take turns, and the medians of the
//! rounds stand in the table, with the shop's share of each of the others.

mod load;
mod options;
mod servers;
mod table;

use std::io::{Write as _, stdout};

use anyhow::Result;
use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::{
    load::{Asked, Wrk},
    options::{Options, Role},
    servers::{Kind, Servers},
    table::Table,
};

/// The shop's: neither side is quicker by that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Role::Bare { folder }) = &options.role {
        return servers::bare::run(folder).await;
    }
    let wrk = Wrk::find()?;
    let servers = Servers::start(&options).await?;
    let mut table = Table::default();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        for asked in [Asked::Book, Asked::Page] {
            for kind in Kind::ALL {
                if let Some(url) = servers.url(kind, asked) {
                    table.add(asked, kind, wrk.rate(&url, &options)?);
                }
            }
        }
    }
    writeln!(stdout(), "{table}")?;
    Ok(())
}

/// Says to the one who waits what is being done.
#[expect(clippy::print_stderr, reason = "the table alone goes to the standard output")]
fn progress(what: &str) {
    eprintln!("{what}");
}
