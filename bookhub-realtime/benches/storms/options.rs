//! What the proofs are asked to do.

use std::fmt;

use clap::{Parser, Subcommand, ValueEnum};

/// Shows that the hub keeps its promises in a crash, among slow readers, and under constant coming
/// and going.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Which storms [default: all].
    #[arg(value_name = "STORM")]
    storms: Vec<Storm>,
    /// A twentieth or so of everything: shows that it works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// Given to a benchmark that is only to show that it starts.
    #[arg(long, hide = true)]
    pub(crate) test: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Storm {
    /// The server is killed, and all its clients come back.
    Crash,
    /// Most clients read slowly or not at all.
    Slow,
    /// Clients come and go in all ways, many at once.
    Churn,
}

/// What a child process is.
#[derive(Clone, Copy, Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    /// The server, as a storm needs it.
    #[command(hide = true)]
    Serve { storm: Storm },
    /// Clients that come back after a crash.
    #[command(hide = true)]
    Returning,
    /// Clients that read what comes at once.
    #[command(hide = true)]
    Readers,
    /// Many clients that hardly read, or have nothing to read.
    #[command(hide = true)]
    Crowd,
    /// Clients that come and go.
    #[command(hide = true)]
    Visitors,
}

impl Options {
    pub(crate) fn storms(&self) -> &[Storm] {
        if self.storms.is_empty() { Storm::value_variants() } else { &self.storms }
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Slow => "slow",
            Self::Churn => "churn",
        })
    }
}
