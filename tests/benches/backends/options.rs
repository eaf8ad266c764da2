//! What the benchmark is asked to do.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum as _};

use crate::{backend::Backend, question::Operation};

/// Measures the shop on each backend, and its server beside bare calls of the driver.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many books; with none, only the processor time is measured.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    books: usize,
    /// How many books where the processor time of the server stands beside that of the bare driver:
    /// so few that a database which looks at all of them answers at once.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    share_books: usize,
    /// How often each operation is measured; the tables show medians.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each operation is asked for in a round.
    #[arg(long, default_value_t = 2_000, value_name = "MILLISECONDS")]
    time: u64,
    /// How many ask at the same time; before that, one does.
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub(crate) connections: usize,
    /// The backends to measure [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    backends: Vec<Backend>,
    /// The operations to measure [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    operations: Vec<Operation>,
    /// What the server logs [default: what it logs by itself].
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// 2,000 books, one short round: shows that it works.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What a child process is.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    /// Calls the driver, and does nothing else.
    #[command(hide = true)]
    Bare { uri: String, sample: PathBuf },
}

impl Options {
    pub(crate) const fn books(&self) -> usize {
        if self.quick { 2_000 } else { self.books }
    }

    /// There is no driver to stand beside where all is in memory.
    pub(crate) fn share_books(&self, backend: Backend) -> usize {
        match backend {
            Backend::Memory => 0,
            _ if self.quick => 200,
            _ => self.share_books,
        }
    }

    pub(crate) const fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    pub(crate) const fn time(&self) -> Duration {
        Duration::from_millis(if self.quick { 150 } else { self.time })
    }

    pub(crate) fn backends(&self) -> Vec<Backend> {
        match &*self.backends {
            [] => Backend::value_variants().to_vec(),
            some => some.to_vec(),
        }
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        match &*self.operations {
            [] => Operation::value_variants().to_vec(),
            some => some.to_vec(),
        }
    }
}
