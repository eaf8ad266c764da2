//! A hub of one of several servers, for the oracle test: its log comes over the standard input, a
//! JSON object a line, and it listens once it has come to the present.
//!
//! `{"at":7,"topic":"a","data":…}` is an event, `{"lost":7}` raises the tail, `{"present":true}` makes
//! it listen and print its address.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, Result};
use axum::Router;
use bookhub_realtime::{Hub, HubConfig, Position, PublishError, Topic};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    net::TcpListener,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = || -> Result<u64> { Ok(args.next().context("a number")?.parse()?) };
    let (clock_ahead, token_lifetime) = (number()?, number()?);
    let clock_ahead = Duration::from_secs(clock_ahead);
    let hub = Hub::new(
        HubConfig::new()
            .epoch("oracle".parse()?)
            .secret(b"the same on every node of the test".as_slice())
            .history(2500, 8 << 20)
            .heartbeat(Duration::from_millis(500))
            .heartbeat_timeout(Duration::from_millis(1500))
            .write_timeout(Duration::from_secs(3))
            .ahead_timeout(Duration::from_millis(300))
            .token_lifetime(Duration::from_secs(token_lifetime))
            .clock(move || std::time::SystemTime::now() + clock_ahead),
    );
    let mut lines = BufReader::with_capacity(1 << 20, stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        take(&hub, &serde_json::from_str(&line)?).await?;
    }
    Ok(())
}

async fn take(hub: &Hub, line: &Value) -> Result<()> {
    if let Some(at) = line["at"].as_u64() {
        let topic: Topic = line["topic"].as_str().context("a topic")?.parse()?;
        match hub.publish_at(Position::new(at.into()), &topic, "e", &line["data"]) {
            // What was declared lost before it came is not wanted any more.
            Ok(_) | Err(PublishError::OutOfOrder { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    } else if let Some(lost) = line["lost"].as_u64() {
        hub.raise_tail(Position::new(lost.into()))?;
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let app: Router = Router::new()
            .route_service("/ws", hub.websocket())
            .route_service("/events", hub.event_stream());
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
    Ok(())
}
