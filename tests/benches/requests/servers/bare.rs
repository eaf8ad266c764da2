//! axum alone: a route that answers with bytes that are there.

use std::{
    env, fs,
    io::{Write as _, stdout},
    path::Path,
};

use anyhow::Result;
use axum::{Router, http::header, routing::get, serve::ListenerExt as _};
use bytes::Bytes;
use tokio::{net::TcpListener, process::Command};

/// Starts this program as that server.
pub(crate) fn command(folder: &Path) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("bare").arg(folder);
    Ok(command)
}

/// Is that server.
pub(crate) async fn run(folder: &Path) -> Result<()> {
    let answer = |file: &str| -> Result<_> {
        let bytes = Bytes::from(fs::read(folder.join(file))?);
        Ok(async move || ([(header::CONTENT_TYPE, "application/json")], bytes.clone()))
    };
    let router = Router::new()
        .route("/api/books", get(answer("page.json")?))
        .route("/api/books/{id}", get(answer("book.json")?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(stdout(), "http://{}", listener.local_addr()?)?;
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), router).await?;
    Ok(())
}
