//! What a client hears a server with: a WebSocket, or an event stream where no WebSocket comes
//! through. Both say the same; knows nothing of positions and retries.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

/// The longest block of a stream that is taken: an event has at most 16 MiB.
const MAX_BLOCK: usize = 17 << 20;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection.
pub(super) enum Wire {
    Socket(Box<Socket>),
    Stream(Box<EventStream>),
}

/// What comes over it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An envelope.
    Text(String),
    /// Everything up to there was sent.
    Position(String),
    /// The server has ended it.
    Close { code: Option<u16>, reason: String },
    /// It has ended without a word, for this reason.
    Lost(String),
}

impl Wire {
    pub(super) async fn hear(&mut self) -> Heard {
        match self {
            Self::Stream(stream) => stream.hear().await,
            Self::Socket(socket) => loop {
                return match socket.next().await {
                    None => Heard::Lost("closed".to_owned()),
                    Some(Err(error)) => Heard::Lost(error.to_string()),
                    Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
                    Some(Ok(Message::Close(frame))) => Heard::Close {
                        code: frame.as_ref().map(|frame| frame.code.into()),
                        reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
                    },
                    Some(Ok(_)) => continue,
                };
            },
        }
    }

    /// Says goodbye, where that is possible.
    pub(super) async fn close(self) {
        if let Self::Socket(mut socket) = self {
            let _ = WebSocketStream::close(&mut socket, None).await;
        }
    }
}

/// The body of an answer of type `text/event-stream`.
pub(super) struct EventStream {
    response: reqwest::Response,
    blocks: Blocks,
}

impl EventStream {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { response, blocks: Blocks::default() }
    }

    async fn hear(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.blocks.heard.pop_front() {
                return heard;
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => {
                    if self.blocks.feed(&bytes).is_err() {
                        return Heard::Lost("the stream is not one of this protocol".to_owned());
                    }
                }
                Ok(None) => return Heard::Lost("closed".to_owned()),
                Err(error) => return Heard::Lost(error.to_string()),
            }
        }
    }
}

/// The blocks of an event stream (HTML standard, section 9.2.6), as far as this protocol uses them.
#[derive(Debug, Default)]
struct Blocks {
    line: Vec<u8>,
    id: Option<String>,
    data: Option<String>,
    heard: VecDeque<Heard>,
}

/// Not text, or a line without end.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

impl Blocks {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > MAX_BLOCK {
                return Err(Unreadable);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = std::str::from_utf8(&line).map_err(|_| Unreadable)?;
                self.take_line(line.trim_end_matches(['\n', '\r']));
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "" if line.is_empty() => match (self.data.take(), self.id.take()) {
                (Some(data), _) => self.heard.push_back(Heard::Text(data)),
                (None, Some(id)) => self.heard.push_back(Heard::Position(id)),
                (None, None) => {}
            },
            // The envelope names the event, and the client knows itself when to come back.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 700\n\nevent: subscribed\ndata: {}\n\n: a comment\nid: e-15\r\n\r\n\
                          id: e-16\nevent: said\ndata: [1,\ndata: 2]\n\n";

    #[test]
    fn a_stream_is_read_however_it_is_cut() {
        let expected = [
            Heard::Text("{}".to_owned()),
            Heard::Position("e-15".to_owned()),
            Heard::Text("[1,\n2]".to_owned()),
        ];
        for size in 1..STREAM.len() {
            let mut blocks = Blocks::default();
            for piece in STREAM.as_bytes().chunks(size) {
                blocks.feed(piece).unwrap();
            }
            assert_eq!(Vec::from(blocks.heard), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_stream_that_is_no_text_or_never_breaks_is_left() {
        assert_eq!(Blocks::default().feed(b"data: \xff\n"), Err(Unreadable));
        let mut blocks = Blocks::default();
        let endless = vec![b'x'; MAX_BLOCK / 4];
        assert!((0..5).any(|_| blocks.feed(&endless).is_err()));
    }
}
