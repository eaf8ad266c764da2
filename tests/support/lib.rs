//! What the black-box tests share: a running server on a port of its own, an admin's HTTP client,
//! a raw WebSocket, the command line, databases. It knows the programs only from outside.

mod database;
mod program;
mod relay;
mod server;
mod socket;

pub use database::{Database, ferret, java_server};
pub use program::{Finished, program, run_cli, run_cli_on_database};
pub use relay::Relay;
pub use server::{Person, Server};
pub use socket::Socket;

/// A deadline that only something that hangs can miss.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
