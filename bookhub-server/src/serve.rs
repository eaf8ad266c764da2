//! Connections: accept, speak HTTP/1.1, and end without losing a request or a client.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{Extension, Router};
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
use tower::Layer as _;

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
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, router.clone(), ending.clone()));
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

/// From where a request comes, in its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// The address, if it is one client's. A private one is a proxy's or a developer's, and stands
    /// for many.
    pub(crate) fn client(self) -> Option<IpAddr> {
        let shared = match self.0.to_canonical() {
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                let carrier = first == 100 && second & 0xc0 == 64;
                carrier || address.is_loopback() || address.is_private() || address.is_link_local()
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        };
        (!shared).then_some(self.0)
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

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    ending: CancellationToken,
) {
    // Events are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    bound_silence(&stream);
    let router = Extension(Peer(peer.ip())).layer(router);
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
