//! The least server that could stand between clients and the driver: a route that calls it, and sends
//! on what it has answered as it came.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
    serve::ListenerExt as _,
};
use clap::ValueEnum as _;
use tokio::net::TcpListener;

use crate::{
    bare::Prepared,
    question::{Operation, QUESTIONS},
};

/// Begins to serve, in a task of its own.
pub(crate) async fn serve(prepared: Arc<Prepared>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/{operation}/{number}", get(answer)).with_state(prepared);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(
    State(prepared): State<Arc<Prepared>>,
    Path((operation, number)): Path<(String, usize)>,
) -> Result<Vec<u8>, StatusCode> {
    let operation = Operation::from_str(&operation, false).map_err(|_| StatusCode::NOT_FOUND)?;
    let answered = async {
        let calls = prepared.calls(operation).await?;
        prepared.driver.call(calls[number % calls.len()].clone()).await
    };
    let documents = answered.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(documents.iter().flat_map(|document| document.as_bytes()).copied().collect())
}

/// All the requests of an operation.
pub(crate) fn requests(operation: Operation) -> Arc<Vec<Vec<u8>>> {
    let request = |number| {
        let name = operation.name();
        format!("GET /{name}/{number} HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\r\n").into_bytes()
    };
    Arc::new((0..QUESTIONS).map(request).collect())
}
