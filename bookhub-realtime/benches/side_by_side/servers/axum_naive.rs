//! axum and tokio's broadcast channel, as a first version is written, with all defaults.

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::any,
};
use tokio::{
    select,
    sync::broadcast::{self, Receiver, Sender, error::RecvError},
};

use super::Ports;
use crate::{
    control::{Publish, obey},
    event::Event,
};

/// How many events a receiver may lag behind: that of axum's own chat example.
const CAPACITY: usize = 100;

pub(super) async fn serve(ports: Ports) -> anyhow::Result<()> {
    let (sender, _) = broadcast::channel(CAPACITY);
    let app = Router::new().route("/ws", any(upgrade)).with_state(sender.clone());
    tokio::spawn(async move { axum::serve(ports.clients, app).await });
    obey(ports.commands, Broadcaster(sender)).await
}

struct Broadcaster(Sender<String>);

impl Publish for Broadcaster {
    async fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        // It fails where nobody listens.
        let _ = self.0.send(event.to_json(0));
        Ok(())
    }
}

async fn upgrade(State(sender): State<Sender<String>>, upgrade: WebSocketUpgrade) -> Response {
    let events = sender.subscribe();
    upgrade.on_upgrade(|socket| speak(socket, events))
}

async fn speak(mut socket: WebSocket, mut events: Receiver<String>) {
    loop {
        select! {
            event = events.recv() => match event {
                Ok(text) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            message = socket.recv() => if !matches!(message, Some(Ok(_))) {
                return;
            },
        }
    }
}
