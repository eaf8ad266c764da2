//! A raw WebSocket: what any client library would see, and nothing more.

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::PATIENCE;

/// An open WebSocket on the server's `/ws`.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one, with or without the subprotocol that begins with a `hello`.
    ///
    /// # Errors
    /// If the handshake fails.
    pub async fn open(url: &str, subprotocol: bool) -> Result<Self> {
        let url = format!("{}/ws", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        if subprotocol {
            let name = HeaderValue::from_static(bookhub_realtime::SUBPROTOCOL);
            request.headers_mut().insert("Sec-WebSocket-Protocol", name);
        }
        let (socket, _) = timeout(PATIENCE, connect_async(request)).await??;
        Ok(Self(socket))
    }

    /// Says something, as JSON.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn say(&mut self, message: &Value) -> Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// The next message that is no heartbeat, as JSON.
    ///
    /// # Errors
    /// If the connection ends or nothing comes.
    pub async fn next(&mut self) -> Result<Value> {
        // Heartbeats come all the time, and are no news.
        timeout(PATIENCE, self.news()).await.context("nothing but heartbeats comes")?
    }

    async fn news(&mut self) -> Result<Value> {
        loop {
            match self.0.next().await.context("the connection has ended")?? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    if message["event"] != "ping" {
                        return Ok(message);
                    }
                }
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The code with which the server closes; what comes before is passed over.
    ///
    /// # Errors
    /// If the connection ends without a close frame.
    pub async fn close_code(&mut self) -> Result<u16> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.context("nothing comes")?;
            if let Message::Close(frame) = message.context("the connection has ended")?? {
                return Ok(frame.context("a close frame has a code")?.code.into());
            }
        }
    }
}
