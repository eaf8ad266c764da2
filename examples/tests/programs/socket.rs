//! A raw WebSocket: what any client library would see, and nothing more.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::{PATIENCE, program::Server};

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes from a socket.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Value),
    Closed(u16),
}

impl Socket {
    /// As `websocat` does it: no subprotocol, and so no `hello`.
    pub(crate) async fn plain(server: &Server) -> Self {
        Self::open(server, &[]).await
    }

    /// As a page does it.
    pub(crate) async fn hello(server: &Server, hello: &Value) -> Self {
        Self::hello_with(server, hello, &[]).await
    }

    pub(crate) async fn hello_with(
        server: &Server,
        hello: &Value,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let subprotocol = ("sec-websocket-protocol", bookhub_realtime::SUBPROTOCOL);
        let mut socket = Self::open(server, &[&[subprotocol], headers].concat()).await;
        socket.say(hello).await;
        socket
    }

    async fn open(server: &Server, headers: &[(&'static str, &str)]) -> Self {
        let mut request =
            format!("ws://{}/ws", server.address).into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let connecting = timeout(PATIENCE, connect_async(request));
        Self(connecting.await.expect("it answers").expect("it accepts").0)
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the socket is open");
    }

    /// What comes next, heartbeats left out.
    pub(crate) async fn hear(&mut self) -> Heard {
        // All of it at once, since heartbeats come also where nothing else ever does.
        timeout(PATIENCE, self.hear_at_last()).await.expect("something comes")
    }

    async fn hear_at_last(&mut self) -> Heard {
        loop {
            let heard = self.0.next().await.expect("a close frame comes before the end");
            match heard.expect("frames are right") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["event"] != "ping" {
                        return Heard::Message(message);
                    }
                }
                Message::Close(frame) => {
                    return Heard::Closed(frame.expect("a close frame has a code").code.into());
                }
                _ => {}
            }
        }
    }

    /// The next message of this name; others are passed over.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            match self.hear().await {
                Heard::Message(message) if message["event"] == name => return message,
                Heard::Message(_) => {}
                Heard::Closed(code) => panic!("closed with {code} before {name}"),
            }
        }
    }

    /// The next event, which has to come before anything else.
    pub(crate) async fn event(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) if message["id"].is_string() => message,
            other => panic!("no event: {other:?}"),
        }
    }

    /// The code with which the server closes; what comes before is passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.hear().await {
                return code;
            }
        }
    }
}
