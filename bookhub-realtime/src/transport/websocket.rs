//! WebSocket (RFC 6455), the reading side: bytes in, messages out, and the replies that the RFC
//! asks for. The writing side is ready-made frames, see `frame.rs`.
//!
//! tungstenite reads from memory here, not from the socket, so an idle connection holds no large
//! buffer and the hub's own writes need not pass through it.

use std::io::{self, Read, Write};

use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use crate::protocol::CloseCode;

/// The read buffer that a connection keeps; it grows for a longer message.
const READ_BUFFER: usize = 128;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    /// A binary message: not part of the protocol.
    Binary,
    /// The client closes; the answer stands in the replies.
    Close,
}

/// The reading side of one connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    context: WebSocketContext,
    memory: Memory,
}

impl Inbound {
    pub(crate) fn new(max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            memory: Memory::default(),
        }
    }

    /// Takes bytes that the socket gave.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>) {
        if self.memory.is_read() {
            self.memory.incoming = bytes;
            self.memory.read = 0;
        } else {
            self.memory.incoming.extend_from_slice(&bytes);
        }
    }

    /// The next message of what was fed, if one is whole.
    ///
    /// # Errors
    /// The code to close with, when the client broke the RFC or the limit.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, CloseCode> {
        loop {
            match self.context.read(&mut self.memory) {
                Ok(Message::Text(text)) => return Ok(Some(Incoming::Text(text))),
                Ok(Message::Binary(_)) => return Ok(Some(Incoming::Binary)),
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    return Ok(Some(Incoming::Close));
                }
                // The replies to pings are tungstenite's; a pong is a sign of life like any bytes.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.memory.is_read() {
                        self.memory.incoming = Vec::new();
                        self.memory.read = 0;
                    }
                    return Ok(None);
                }
                Err(Error::Utf8(_)) => return Err(CloseCode::NotUtf8),
                Err(Error::Capacity(_)) => return Err(CloseCode::TooBig),
                Err(_) => return Err(CloseCode::Protocol),
            }
        }
    }

    /// The frames that answer pings and the close.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        // Nothing but memory is written to, so this fails only once all is said.
        let _ = self.context.flush(&mut self.memory);
        std::mem::take(&mut self.memory.outgoing)
    }
}

/// What tungstenite takes for the socket.
#[derive(Debug, Default)]
struct Memory {
    incoming: Vec<u8>,
    read: usize,
    outgoing: Vec<u8>,
}

impl Memory {
    const fn is_read(&self) -> bool {
        self.read == self.incoming.len()
    }
}

impl Read for Memory {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.is_read() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = Read::read(&mut &self.incoming[self.read..], space)?;
        self.read += taken;
        Ok(taken)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame: masked with zeros, so that the payload stays readable.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<Option<Incoming>, CloseCode> {
        let mut inbound = Inbound::new(100);
        inbound.feed(bytes);
        inbound.next()
    }

    #[test]
    fn a_message_fed_byte_by_byte_comes_out_whole() {
        let mut inbound = Inbound::new(100);
        let mut bytes = frame(0x01, b"hel");
        bytes.extend(frame(0x89, b"?"));
        bytes.extend(frame(0x80, b"lo"));
        let last = bytes.pop().unwrap();
        for byte in bytes {
            inbound.feed(vec![byte]);
            assert_eq!(inbound.next(), Ok(None));
        }
        inbound.feed(vec![last]);
        assert_eq!(inbound.next(), Ok(Some(Incoming::Text("hello".into()))));
        assert_eq!(inbound.take_replies(), [0x8a, 1, b'?'], "the ping between is answered");
    }

    #[test]
    fn what_the_rfc_forbids_gets_its_close_code() {
        assert_eq!(read(frame(0x81, &[0xff])), Err(CloseCode::NotUtf8));
        assert_eq!(read(frame(0x81, &[b'x'; 101])), Err(CloseCode::TooBig));
        assert_eq!(read(frame(0xf1, b"x")), Err(CloseCode::Protocol), "reserved bits");
        assert_eq!(read(frame(0x83, b"x")), Err(CloseCode::Protocol), "reserved opcode");
        assert_eq!(read(vec![0x81, 1, b'x']), Err(CloseCode::Protocol), "unmasked");
    }

    #[test]
    fn a_close_is_answered() {
        let mut inbound = Inbound::new(100);
        inbound.feed(frame(0x88, &1000_u16.to_be_bytes()));
        assert_eq!(inbound.next(), Ok(Some(Incoming::Close)));
        assert_eq!(inbound.take_replies(), [0x88, 2, 3, 232]);
    }
}
