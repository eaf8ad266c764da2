//! socketioxide, emitting to everybody, with its defaults but for Nagle's algorithm.

use axum::serve::ListenerExt as _;
use serde::Serialize;
use socketioxide::SocketIo;

use super::Ports;
use crate::{
    control::{Publish, obey},
    event::Event,
};

pub(super) async fn serve(ports: Ports) -> anyhow::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    let app = axum::Router::new().layer(layer);
    let listener = ports.clients.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    obey(ports.commands, Emitter(io)).await
}

struct Emitter(SocketIo);

#[derive(Serialize)]
struct Tick {
    seq: u64,
    at: u64,
    pad: &'static str,
}

impl Publish for Emitter {
    async fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        let Event { number, at } = event;
        let bare = event.to_json(crate::event::SIZE).len();
        let pad = event.pad(bare + r#"42["tick",]"#.len());
        // It fails for the clients whose buffers are full: they lose the event.
        let _ = self.0.emit("tick", &Tick { seq: number, at, pad }).await;
        Ok(())
    }
}
