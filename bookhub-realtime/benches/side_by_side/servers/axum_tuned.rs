//! axum and tokio's broadcast channel, as somebody writes it who has measured: one text for all
//! clients, small buffers, no Nagle, and more than one event in a flush where more wait.

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    response::Response,
    routing::any,
    serve::ListenerExt as _,
};
use futures_util::SinkExt as _;
use tokio::{
    select,
    sync::broadcast::{
        self, Receiver, Sender,
        error::{RecvError, TryRecvError},
    },
};

use super::Ports;
use crate::{
    control::{Publish, obey},
    event::Event,
};

/// How many events a receiver may lag behind.
const CAPACITY: usize = 4096;

#[derive(Clone)]
struct Events {
    sender: Sender<Utf8Bytes>,
    /// How many events go into one flush at most.
    drained: usize,
}

pub(super) async fn serve(ports: Ports, drained: usize) -> anyhow::Result<()> {
    let events = Events { sender: broadcast::channel(CAPACITY).0, drained };
    let app = Router::new().route("/ws", any(upgrade)).with_state(events.clone());
    let listener = ports.clients.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    obey(ports.commands, events).await
}

impl Publish for Events {
    async fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        // It fails where nobody listens.
        let _ = self.sender.send(event.to_json(0).into());
        Ok(())
    }
}

async fn upgrade(State(events): State<Events>, upgrade: WebSocketUpgrade) -> Response {
    let receiver = events.sender.subscribe();
    upgrade.read_buffer_size(2048).on_upgrade(move |socket| speak(socket, receiver, events.drained))
}

async fn speak(mut socket: WebSocket, mut events: Receiver<Utf8Bytes>, drained: usize) {
    loop {
        let result = select! {
            event = events.recv() => match event {
                Ok(text) => send(&mut socket, text, &mut events, drained).await,
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => return,
            },
            message = socket.recv() => match message {
                Some(result) => result.map(drop),
                None => return,
            },
        };
        if result.is_err() {
            return;
        }
    }
}

async fn send(
    socket: &mut WebSocket,
    first: Utf8Bytes,
    events: &mut Receiver<Utf8Bytes>,
    drained: usize,
) -> Result<(), axum::Error> {
    socket.feed(Message::Text(first)).await?;
    for _ in 1..drained {
        match events.try_recv() {
            Ok(text) => socket.feed(Message::Text(text)).await?,
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    socket.flush().await
}
