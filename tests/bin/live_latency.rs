//! From the API's answer to the socket: how long until a raw client on `/ws` has what an admin has
//! changed. Starts a server of its own in the same profile, on loopback, and prints a table.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bookhub_tests::{Person, Server, Socket};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::time::sleep;

const WRITES: usize = 1000;
const WARM_UP: usize = 100;

/// Between two writes: some fifty events a second, which a thousand clients on the same two cores
/// can take.
const PACE: Duration = Duration::from_millis(18);

#[tokio::main]
async fn main() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "| clients | events | p50 | p99 | max |\n|---|---|---|---|---|")?;
    for clients in [1, 100, 1000] {
        let server = Server::start().await?;
        let admin = server.admin().await?;
        let measured = try_join_all((1..clients).map(|_| server.socket())).await?;
        // The one that is measured is as good as any; the others make the work.
        let idle = tokio::spawn(try_join_all(measured.into_iter().map(drain)));
        let latency = measure(&admin, server.socket().await?).await?;
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
        writeln!(
            out,
            "| {clients} | {WRITES} | {:.2} ms | {:.2} ms | {:.2} ms |",
            ms(0.5),
            ms(0.99),
            ms(1.0)
        )?;
        idle.abort();
    }
    Ok(())
}

async fn drain(mut socket: Socket) -> Result<()> {
    loop {
        socket.next().await?;
    }
}

/// Microseconds from the end of each answer to the event; 0 where the event was there first.
async fn measure(admin: &Person, mut socket: Socket) -> Result<Histogram<u64>> {
    let book = admin.create("Measured").await?;
    let id = book["id"].as_str().context("an id")?.to_owned();
    socket.next().await?;
    let events = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < WARM_UP + WRITES {
            socket.next().await?;
            seen.push(Instant::now());
        }
        anyhow::Ok(seen)
    });
    let mut answered = Vec::new();
    for number in 1..=WARM_UP + WRITES {
        admin.patch(&id, &json!({ "price": number })).await?;
        answered.push(Instant::now());
        sleep(PACE).await;
    }
    let mut latency = Histogram::new(3)?;
    for (seen, answered) in events.await??.iter().zip(&answered).skip(WARM_UP) {
        let late = seen.saturating_duration_since(*answered).as_micros();
        latency.record(u64::try_from(late)?)?;
    }
    Ok(latency)
}
