//! How do I publish ten thousand events a second, and see whether the clients keep up?
//!
//! `cargo run --release -p bookhub-examples --bin ticker -- 127.0.0.1:3000 10000` (the events a
//! second). It prints once a second how many it has published, how many clients there are, and by
//! how many events the last of them is behind. To see it work: `websocat ws://localhost:3000/ws` gets
//! every price, and `curl -N 'localhost:3000/events?topics=stocks.INK'` one. A client that is stopped
//! (Ctrl-Z) falls behind, costs the others nothing, and catches up when it goes on (`fg`), or is told
//! by a `resync` that it was gone for longer than the history.

use std::{env, io::Write as _, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use bookhub_realtime::{Hub, HubConfig, Topic};
use serde_json::json;
use tokio::{
    net::TcpListener,
    time::{self, MissedTickBehavior},
};

const STOCKS: [&str; 8] = ["BOOK", "HUB", "INK", "LAMP", "PAGE", "PEN", "QUILL", "SHELF"];

/// How often something is published. Between two times the task sleeps: timers are no finer than a
/// millisecond, and each waking costs more than an event.
const PACE: Duration = Duration::from_millis(10);

/// How many events are kept for clients that come back.
const HISTORY: usize = 100_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let rate: f64 = args.next().map_or(Ok(10_000.0), |text| text.parse())?;

    let hub =
        Hub::new(HubConfig::new().default_topics(["stocks.*".parse()?]).history(HISTORY, 64 << 20));
    let app: Router = Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tokio::try_join!(
        async { Ok(axum::serve(listener, app).await?) },
        publish(&hub, rate),
        report(&hub),
    )?;
    Ok(())
}

/// Publishes at this rate on average: what a pause has left out comes after it, a tenth of a second's
/// events at a time.
async fn publish(hub: &Hub, rate: f64) -> anyhow::Result<()> {
    let topics = STOCKS
        .iter()
        .map(|stock| format!("stocks.{stock}").parse())
        .collect::<Result<Vec<Topic>, _>>()?;
    let mut prices = [10_000_i64; STOCKS.len()];
    let mut pace = time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let begun = time::Instant::now();
    let mut number = 0_u64;
    loop {
        pace.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        let most = number + (rate / 10.0) as u64 + 1;
        while number < due.min(most) {
            number += 1;
            let stock = rand::random_range(0..STOCKS.len());
            let price = &mut prices[stock];
            *price = (*price + rand::random_range(-5..=5)).max(1);
            hub.publish(&topics[stock], "tick", &json!({ "number": number, "cents": *price }))?;
        }
    }
}

/// Says once a second how it goes.
async fn report(hub: &Hub) -> anyhow::Result<()> {
    let mut every_second = time::interval(Duration::from_secs(1));
    every_second.tick().await;
    let mut before = hub.head();
    loop {
        every_second.tick().await;
        let view = hub.inspect();
        let head = view.head.position;
        let published = head.number() - before.number();
        before = head;
        writeln!(
            std::io::stdout(),
            "{published} events, {} clients, {} of them behind, the last by {} events",
            view.connections,
            view.behind,
            view.most_behind
        )?;
    }
}
