//! How does a program follow a hub, through restarts of the server and of its own?
//!
//! `cargo run -p bookhub-examples --bin follow -- ws://localhost:5000/ws books` prints what comes
//! and keeps its position in a file; started again, it goes on from there.

use std::{env, fs, io::Write as _, path::PathBuf};

use anyhow::Context as _;
use bookhub_realtime::client::{Client, Notice};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://localhost:5000/ws".to_owned());
    let topics = args.map(|topic| topic.parse()).collect::<Result<Vec<_>, _>>()?;
    let file = env::temp_dir().join("bookhub-follow.position");

    let mut client = Client::builder(url);
    if !topics.is_empty() {
        client = client.topics(topics);
    }
    if let Ok(stored) = fs::read_to_string(&file) {
        client = client.resume_from(stored.trim().parse().context("the stored position")?);
    }
    let mut client = client.connect();
    let mut out = std::io::stdout();
    while let Some(notice) = client.next().await {
        match notice {
            Notice::Event(event) => writeln!(out, "{} {} {}", event.id, event.name, event.data)?,
            Notice::Resync { reason, .. } => {
                writeln!(out, "fetch the state anew: {}", reason.as_str())?;
            }
            Notice::Connected { recovered, .. } => writeln!(out, "connected ({recovered})")?,
            Notice::Disconnected { reason, retry_in } => {
                writeln!(out, "{reason}; next try in {} ms", retry_in.as_millis())?;
            }
            Notice::Closed { reason, .. } => anyhow::bail!(reason),
            _ => {}
        }
        // The position is stored with the effect: here, after the line was printed.
        if let Some(position) = client.position() {
            store(&file, &position.to_string())?;
        }
    }
    Ok(())
}

/// Replaces the file whole, so that a crash leaves the old position or the new one.
fn store(file: &PathBuf, position: &str) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, position)?;
    Ok(fs::rename(new, file)?)
}
