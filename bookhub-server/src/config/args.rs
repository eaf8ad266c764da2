//! The flags of the server.

use std::{net::IpAddr, path::PathBuf};

use clap::Parser;

/// The BookHub bookstore: a catalogue that changes live.
///
/// With nothing set it runs for development: on 127.0.0.1:5000, with a sample catalogue in memory
/// and an administrator whose password it prints.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "bookhub-server",
    version,
    after_help = "\
Each setting can also stand in the environment or in the file, under the name of the flag: PORT for
--port in the environment, port in the file. Flags win over the environment, and that over the file.
Secrets have no flag: JWT_SECRET and ADMIN_PASSWORD (or JWT_SECRET_FILE and ADMIN_PASSWORD_FILE).

Exit codes: 0 stopped as asked, 1 failed, 2 wrong flags, 3 wrong settings, 4 cannot listen.

Examples:
  bookhub-server
  bookhub-server --port 8080 --sample-catalogue false
  BOOKHUB_ENV=production JWT_SECRET_FILE=/run/secrets/jwt bookhub-server --allow-memory"
)]
pub struct Args {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1, in production 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
    /// The port to listen on; 0 for any free one [default: 5000]
    #[arg(long)]
    pub port: Option<u16>,
    /// Run in production although the data is kept in memory only
    #[arg(long)]
    pub allow_memory: bool,
    /// Begin with the sample catalogue [default: true]
    #[arg(long, value_name = "BOOL")]
    pub sample_catalogue: Option<bool>,
    /// What to log, such as "info" or "bookhub_server=debug,warn" [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}
