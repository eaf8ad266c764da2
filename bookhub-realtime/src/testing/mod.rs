//! The library's insides for the tests that live outside of it: the Autobahn suite and the
//! fuzzing. No part of the library for anybody else.

pub mod fuzzing;
pub(crate) mod log;

use crate::{
    frame,
    transport::websocket::{Inbound, Incoming},
};

/// What a client sent.
#[derive(Debug)]
pub enum Message {
    /// A text.
    Text(String),
    /// A binary message.
    Binary,
    /// A close; the answer stands in the replies.
    Close,
}

/// The reading side of a connection.
#[derive(Debug)]
pub struct Reader(Inbound);

impl Reader {
    /// Takes messages of at most `max_message` bytes.
    #[must_use]
    pub const fn new(max_message: usize) -> Self {
        Self(Inbound::new(max_message))
    }

    /// Takes bytes that the socket gave.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        self.0.feed(bytes);
    }

    /// The next message of what was fed, if one is whole.
    ///
    /// # Errors
    /// A close frame, when the client broke the RFC or the limit.
    pub fn next_message(&mut self) -> Result<Option<Message>, Vec<u8>> {
        loop {
            return match self.0.next() {
                Ok(None) => Ok(None),
                Ok(Some(Incoming::Ping)) => continue,
                Ok(Some(Incoming::Text(text))) => Ok(Some(Message::Text(text))),
                Ok(Some(Incoming::Binary)) => Ok(Some(Message::Binary)),
                Ok(Some(Incoming::Close)) => Ok(Some(Message::Close)),
                Err(code) => {
                    let mut close = Vec::new();
                    frame::put_close(&mut close, code.into(), "against RFC 6455");
                    Err(close)
                }
            };
        }
    }

    /// The frames that answer pings and the close.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.0.take_replies()
    }
}

/// Appends a text frame.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    frame::put_text(out, text.as_bytes());
}
