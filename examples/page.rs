//! How does a page in a browser follow the hub, through a bad network and restarts of the server?
//!
//! `cargo run -p bookhub-examples --bin page`, and open <http://localhost:3000> in two windows: who
//! presses the button in one waves in both. To see it work, put the computer to sleep or stop the
//! server (Ctrl-Z) for a while, wave from elsewhere with `curl -X POST localhost:3000/waves`, and go
//! on: the page shows what it has missed. All that it takes is in `page.html` beside this file.

use std::{
    env,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router, extract::State, http::StatusCode, response::Html, routing::get,
    serve::ListenerExt as _,
};
use bookhub_realtime::{Hub, HubConfig, Topic};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    hub: Hub,
    topic: Topic,
    waves: Arc<Mutex<u64>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let topic: Topic = "waves".parse()?;
    let hub = Hub::new(HubConfig::new().default_topics([topic.clone().into()]));
    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/waves", get(state).post(wave))
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .with_state(App { hub, topic, waves: Arc::default() });

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await?;
    Ok(())
}

impl App {
    /// Whoever changes the count also publishes that before letting go of it, so that the count and
    /// the log's head belong together.
    fn waves(&self) -> MutexGuard<'_, u64> {
        self.waves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state, with the position that it includes.
async fn state(State(app): State<App>) -> Json<Value> {
    let waves = app.waves();
    Json(json!({ "count": *waves, "position": app.hub.id(app.hub.head()) }))
}

/// Waves, and answers how many waves there were.
async fn wave(State(app): State<App>) -> Result<Json<u64>, StatusCode> {
    let mut waves = app.waves();
    let count = *waves + 1;
    // What could not be published has not happened.
    app.hub.publish(&app.topic, "wave", &count).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    *waves = count;
    Ok(Json(count))
}
