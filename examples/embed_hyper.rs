//! How do I put live events into a program on plain hyper?
//!
//! `cargo run -p bookhub-examples --bin embed-hyper`, then `websocat ws://localhost:3000/`.

use std::time::Duration;

use bookhub_realtime::{Hub, HubConfig, Topic};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, time};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock: Topic = "clock".parse()?;
    let hub = Hub::new(HubConfig::new().default_topics([clock.clone().into()]));
    let service = TowerToHyperService::new(hub.websocket());
    tokio::spawn(async move {
        let mut every_second = time::interval(Duration::from_secs(1));
        for second in 0_u64.. {
            every_second.tick().await;
            let _ = hub.publish(&clock, "tick", &second);
        }
    });
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        // The connection outlives its request: it becomes a WebSocket.
        tokio::spawn(connection.with_upgrades());
    }
}
