//! How do I put live events into my axum program?
//!
//! `cargo run -p bookhub-examples --bin embed-axum`, and to see it work, in other terminals:
//!
//! ```sh
//! websocat ws://localhost:3000/ws        # or: curl -N localhost:3000/events
//! curl localhost:3000/news -d 'It works'
//! ```

use std::{env, io::Write as _, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::post, serve::ListenerExt as _};
use bookhub_realtime::{Hub, HubConfig, Topic};
use tokio::{net::TcpListener, signal};

#[derive(Clone)]
struct App {
    hub: Hub,
    news: Topic,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let news: Topic = "news".parse()?;
    let hub = Hub::new(HubConfig::new().default_topics([news.clone().into()]));
    let app = Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll())
        .route("/news", post(publish))
        .with_state(App { hub: hub.clone(), news });

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    // Events are small and shall not wait for each other.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = signal::ctrl_c().await;
            // Tells the clients when to come back; without it, they would hold the server open.
            hub.drain(Duration::from_secs(5)).await;
        })
        .await?;
    Ok(())
}

/// Reaches everybody who follows the news, and answers the event's id.
async fn publish(State(app): State<App>, headline: String) -> Result<String, (StatusCode, String)> {
    let position = app
        .hub
        .publish(&app.news, "headline", &headline)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")))?;
    Ok(format!("{}\n", app.hub.id(position)))
}
