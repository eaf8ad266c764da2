//! How do I make a chat, in which a message that is sent twice is said once?
//!
//! `cargo run -p bookhub-examples --bin chat`. Rooms are topics, and need not be made. To listen in
//! the room `tea`, and to say something there:
//!
//! ```sh
//! curl -N 'localhost:3000/events?topics=room.tea' &
//! curl localhost:3000/rooms/tea -d key=1 -d name=ada -d text='Milk first'
//! curl localhost:3000/rooms/tea -d key=1 -d name=ada -d text='Milk first'    # the network was bad
//! ```
//!
//! `websocat ws://localhost:3000/ws` listens in the lobby. The key is the client's own, a new one for
//! each message. It tries again with the same key until it has an answer, which is the id of the
//! message, also if an earlier try had gone through already.

use std::{env, io::Write as _};

use axum::{
    Form, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
    serve::ListenerExt as _,
};
use bookhub_realtime::{Hub, HubConfig, Topic};
use serde::Deserialize;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let hub = Hub::new(HubConfig::new().default_topics(["room.lobby".parse()?]));
    let app = Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll())
        .route("/rooms/{room}", post(say))
        .with_state(hub);

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Message {
    key: String,
    name: String,
    text: String,
}

/// Says something in a room, once for each key.
async fn say(
    State(hub): State<Hub>,
    Path(room): Path<String>,
    Form(message): Form<Message>,
) -> Result<String, (StatusCode, String)> {
    let refuse = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    let Message { key, name, text } = message;
    let topic: Topic = format!("room.{room}").parse().map_err(|error| refuse(&error))?;
    // The key of one person says nothing about the messages of another. As JSON, since it tells
    // the parts apart whatever stands in them.
    let key = serde_json::json!([room, name, key]).to_string();
    let said = serde_json::json!({ "name": name, "text": text });
    let position = hub.publish_once(&key, &topic, "said", &said).map_err(|error| refuse(&error))?;
    Ok(format!("{}\n", hub.id(position)))
}
