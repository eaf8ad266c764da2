//! How quick the shop is on each backend, and what its server costs beside bare calls of the driver.
//!
//! Fills a catalogue of synthetic books in memory, in each database that `tests/run` has built, and in
//! the MongoDB that `BOOKHUB_TEST_MONGODB_URI` names, and asks the real server for them over HTTP. The
//! processor time of the server stands beside that of a process which sends the same commands with
//! nothing but the driver, and of the least server that could do so for a client. Prints Markdown tables; `--quick` shows in two minutes that it works.

mod backend;
mod bare;
mod call;
mod fill;
mod least;
mod load;
mod meter;
mod options;
mod question;
mod same;
mod share;
mod speed;
mod spy;
#[path = "../../../bookhub-core/benches/catalog/synthetic.rs"]
mod synthetic;
mod table;

use std::io::{Write as _, stdout};

use anyhow::Result;
use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::{
    backend::Shop,
    options::{Options, Role},
    table::{Shares, Speeds},
};

/// The server's: neither side is quicker by that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Role::Bare { uri, sample }) = &options.role {
        return bare::run(uri, sample).await;
    }
    for backend in options.backends() {
        if let Some(shop) = Shop::open(backend, options.books(), &options).await? {
            let speeds = speed::measure(&shop, &options).await?;
            shop.close().await?;
            writeln!(stdout(), "{}", Speeds { backend, options: &options, speeds })?;
        }
        if let Some(mut shop) = Shop::open(backend, options.share_books(backend), &options).await? {
            let shares = share::measure(&mut shop, &options).await?;
            shop.close().await?;
            writeln!(stdout(), "{}", Shares { backend, options: &options, shares })?;
        }
    }
    Ok(())
}

/// Says to the one who waits what is being done.
#[expect(clippy::print_stderr, reason = "the tables alone go to the standard output")]
fn progress(what: &str) {
    eprintln!("{what}");
}
