//! What can be chosen.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Requests a second, beside bare axum and Express.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many times each server is asked
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// For how many seconds each time
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    /// Over how many connections
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// What the shop logs, as its LOG has it [default: what it logs by itself]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Leave Express out, which needs Node.js and npm
    #[arg(long)]
    pub(crate) no_express: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What this process is for another one of it.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The bare server, with the answers that are in a folder
    #[command(hide = true)]
    Bare {
        /// Where the answers are
        folder: PathBuf,
    },
}
