//! A client's connection, byte by byte: it reads no further than it is told to.

use std::{
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, SocketAddrV4},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::wire::{CLOSE, PING, PONG, TEXT, frame, send};

/// How much is read at a time, at least.
const SPACE: usize = 1024;

/// One connection to a server on this machine.
pub(crate) struct Line {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// How many of the bytes were taken.
    taken: usize,
}

impl Line {
    /// From one of the machine's own addresses: there are some 28,000 ports for each.
    pub(crate) async fn connect(from: Ipv4Addr, port: u16) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        Self::over(socket, port).await
    }

    pub(crate) async fn over(socket: TcpSocket, port: u16) -> Result<Self> {
        let stream = socket.connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: Vec::new(), taken: 0 })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Opens a WebSocket, for a `hello` or for the default topics.
    pub(crate) async fn upgrade(&mut self, hello: bool) -> Result<()> {
        self.write(upgrade(hello).as_bytes()).await?;
        self.until(b"HTTP/1.1 101 ").await?;
        self.until(b"\r\n\r\n").await
    }

    /// Passes over everything up to the end of a text.
    pub(crate) async fn until(&mut self, text: &[u8]) -> Result<()> {
        loop {
            let rest = &self.bytes[self.taken..];
            if let Some(start) = rest.windows(text.len()).position(|part| part == text) {
                self.taken += start + text.len();
                return Ok(());
            }
            self.read().await?;
        }
    }

    pub(crate) async fn say(&mut self, text: &str) -> Result<()> {
        self.put(TEXT, text.as_bytes()).await
    }

    /// The next text; the server's end is an error.
    pub(crate) async fn text(&mut self) -> Result<&[u8]> {
        loop {
            let Some((opcode, payload)) = frame(&self.bytes[self.taken..]) else {
                self.read().await?;
                continue;
            };
            let payload = self.taken + payload.start..self.taken + payload.end;
            self.taken = payload.end;
            match opcode {
                TEXT => return Ok(&self.bytes[payload]),
                PING => {
                    let question = self.bytes[payload].to_vec();
                    self.put(PONG, &question).await?;
                }
                CLOSE => {
                    let code = self.bytes[payload].first_chunk().copied().unwrap_or_default();
                    let reason = format!("closed with {}", u16::from_be_bytes(code));
                    return Err(Error::new(ErrorKind::ConnectionAborted, reason));
                }
                _ => {}
            }
        }
    }

    /// Says goodbye, and waits for the server to do so.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.put(CLOSE, &1000_u16.to_be_bytes()).await?;
        loop {
            match self.text().await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gone without a word, not even one of TCP.
    pub(crate) fn reset(self) -> Result<()> {
        self.stream.set_zero_linger()
    }

    async fn put(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mut frame = Vec::new();
        send(&mut frame, opcode, payload)?;
        self.write(&frame).await
    }

    async fn read(&mut self) -> Result<()> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.reserve(SPACE);
        match self.stream.read_buf(&mut self.bytes).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The request that opens a WebSocket.
pub(crate) fn upgrade(hello: bool) -> String {
    let protocol = if hello { "Sec-WebSocket-Protocol: bookhub.v1\r\n" } else { "" };
    format!(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {protocol}\r\n"
    )
}
