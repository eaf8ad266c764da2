//! How do I put live events into my axum program?
//!
//! `cargo run -p bookhub-examples --bin embed-axum`, then `websocat ws://localhost:3000/ws`, or the
//! `follow` example beside this one.

use std::time::Duration;

use axum::{Router, extract::State, routing::post};
use bookhub_realtime::{Hub, HubConfig, Topic};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chat: Topic = "chat".parse()?;
    let hub = Hub::new(HubConfig::new().default_topics([chat.into()]));
    let app = Router::new()
        .route_service("/ws", hub.websocket())
        .route("/say", post(say))
        .with_state(hub.clone());
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            hub.drain(Duration::from_secs(5)).await;
        })
        .await?;
    Ok(())
}

/// `curl localhost:3000/say -d 'hello'` reaches everybody.
async fn say(State(hub): State<Hub>, words: String) -> String {
    let published = "chat".parse().map(|chat: Topic| hub.publish(&chat, "said", &words));
    match published {
        Ok(Ok(position)) => hub.id(position).to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}
