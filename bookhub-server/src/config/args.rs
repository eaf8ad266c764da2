//! The flags of the server.

use std::{net::IpAddr, path::PathBuf};

use clap::Parser;

/// The BookHub bookstore: a catalogue that changes live.
///
/// With nothing set it runs for development: on 127.0.0.1:5000, with a sample catalogue in memory
/// and an administrator whose password it prints. With MONGODB_URI it keeps everything there.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "bookhub-server",
    version,
    after_help = "\
Each setting can also stand in the environment or in the file, under the name of the flag: PORT for
--port in the environment, port in the file. Flags win over the environment, and that over the file.
Secrets have no flag: JWT_SECRET, ADMIN_PASSWORD and MONGODB_URI (or a file that JWT_SECRET_FILE,
ADMIN_PASSWORD_FILE or MONGODB_URI_FILE names).

Exit codes: 0 stopped as asked, 1 failed, 2 wrong flags, 3 wrong settings, 4 cannot listen,
5 the database cannot be reached.

Examples:
  bookhub-server
  bookhub-server --port 8080 --sample-catalogue false
  MONGODB_URI=mongodb://localhost/bookhub bookhub-server
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
    /// Begin with the sample catalogue if there are no books [default: true in memory]
    #[arg(long, value_name = "BOOL")]
    pub sample_catalogue: Option<bool>,
    /// What to log, such as "info" or "bookhub_server=debug,warn" [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}
