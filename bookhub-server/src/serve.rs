//! Connections: accept, speak HTTP/1.1, and end without losing a request or a client.

use std::{io, time::Duration};

use axum::Router;
use bookhub_realtime::Hub;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Over how long a time the clients of a server that goes away come back.
const DRAIN_WINDOW: Duration = Duration::from_secs(5);

/// How long requests that have begun may take once the server is to end.
const GRACE: Duration = Duration::from_secs(8);

/// How long a client may take for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown` comes, then tells the hub's clients when to come back, finishes the
/// requests that have begun, and returns.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    hub: Hub,
    shutdown: impl Future<Output = ()>,
) {
    let connections = TaskTracker::new();
    let ending = CancellationToken::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), ending.clone()));
                }
                Err(error) => rest_after(&error).await,
            },
            () = &mut shutdown => break,
        }
    }
    tracing::info!("shutting down: clients are told when to come back, requests are finished");
    drop(listener);
    ending.cancel();
    connections.close();
    let (_, finished) = tokio::join!(hub.drain(DRAIN_WINDOW), timeout(GRACE, connections.wait()));
    if finished.is_err() {
        tracing::warn!(left = connections.len(), "some requests were cut off");
    }
}

async fn connection(stream: TcpStream, router: Router, ending: CancellationToken) {
    // Events are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// A client that went away before it was accepted is nothing to us; running out of descriptors is,
/// and trying again at once would only burn the processor.
async fn rest_after(error: &io::Error) {
    use io::ErrorKind as K;
    if matches!(error.kind(), K::ConnectionReset | K::ConnectionAborted | K::ConnectionRefused) {
        return;
    }
    tracing::error!(%error, "a connection could not be accepted");
    sleep(Duration::from_millis(100)).await;
}
