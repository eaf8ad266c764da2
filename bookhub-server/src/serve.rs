//! Connections: accept, speak HTTP/1.1, and end without losing a request or a client.

use std::{io, sync::Arc, time::Duration};

use axum::{Extension, Router};
use bookhub_realtime::Hub;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use metrics::counter;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer as _;

use crate::{admission::Admission, peer::Peer};

/// Over how long a time the clients of a server that goes away come back.
const DRAIN_WINDOW: Duration = Duration::from_secs(5);

/// How long requests that have begun may take once the server is to end.
const GRACE: Duration = Duration::from_secs(8);

/// How long a client may take for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a request may be, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// What is said to a connection for which there is no place.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\nretry-after: 2\r\nconnection: close\r\ncontent-length: 76\r\n\r\n\
    {\"error\":\"There are too many connections: try again soon\",\"code\":\"too_busy\"}";

/// How many connections are refused with a word at the same time, and how long that may take.
const REFUSING: usize = 32;
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves until `shutdown` comes, then tells the hub's clients when to come back, finishes the
/// requests that have begun, and returns.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    hub: Hub,
    admission: Arc<Admission>,
    shutdown: impl Future<Output = ()>,
) {
    let connections = TaskTracker::new();
    let refusing = Arc::new(Semaphore::new(REFUSING));
    let ending = CancellationToken::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let peer = Peer::new(address.ip());
                    if let Some(place) = admission.enter(peer) {
                        let served = connection(stream, peer, router.clone(), ending.clone());
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    } else {
                        counter!("http_connections_refused_total").increment(1);
                        // Of a flood of them some are cut without a word.
                        if let Ok(turn) = Arc::clone(&refusing).try_acquire_owned() {
                            connections.spawn(async move {
                                refuse(stream).await;
                                drop(turn);
                            });
                        }
                    }
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

/// Bounds how long a peer may leave what was sent unacknowledged: who is gone without a word is found
/// out by the next heartbeat, also where the client has nothing to say. Elsewhere than on Linux the
/// system's own patience holds.
fn bound_silence(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(Duration::from_secs(30)));
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, ending: CancellationToken) {
    // Events are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    bound_silence(&stream);
    let router = Extension(peer).layer(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
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

/// Says that there is no place once something is asked for, and waits until that has been read: a
/// connection that is closed with something unread is reset, and the client would not see why.
async fn refuse(mut stream: TcpStream) {
    let farewell = async {
        let mut request = [0; 4096];
        stream.peek(&mut request).await?;
        stream.write_all(NO_PLACE).await?;
        stream.shutdown().await?;
        while stream.read(&mut request).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(FAREWELL, farewell).await;
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
