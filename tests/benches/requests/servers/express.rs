//! Express, as its documentation has it, in production mode.

use std::path::Path;

use anyhow::{Result, ensure};
use tokio::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/requests/express");

/// Installs it if it is not, and starts it.
pub(crate) async fn command(answers: &Path) -> Result<Command> {
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(FOLDER);
    ensure!(
        install.status().await?.success(),
        "npm could not install Express: --no-express leaves it out"
    );
    let mut command = Command::new("node");
    command.arg("server.js").arg(answers).current_dir(FOLDER).env("NODE_ENV", "production");
    Ok(command)
}
