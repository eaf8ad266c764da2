//! A WebSocket peer that knows bytes only: it can send what no library would, and takes nothing for
//! granted in what it reads.

use std::{io, net::SocketAddr};

use bookhub_realtime::Hub;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};

/// Longer than anything takes but a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// A message that the hub answers with a `pong` event: it shows what was understood.
pub(crate) const QUESTION: &[u8] = br#"{"type":"ping"}"#;

/// The lines of a handshake, with the key of the RFC's example.
pub(crate) const HANDSHAKE: [&str; 6] = [
    "GET /ws HTTP/1.1",
    "Host: hub.example",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// What [`HANDSHAKE`] must be answered with.
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0xa5, 0x17, 0x00, 0xfe];

/// Serves the hub by hyper alone, to the end of the test.
pub(crate) async fn serve(hub: Hub) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let service = hub.websocket();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(served.with_upgrades());
        }
        drop(hub);
    });
    address
}

/// A frame of a client, masked, with its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64, true);
    bytes.extend(masked(payload));
    bytes
}

/// The header of a frame, with its length in the shortest form.
pub(crate) fn header(first: u8, len: u64, is_masked: bool) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(len as u8),
        126..=0xffff => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if is_masked {
        bytes[1] |= 0x80;
        bytes.extend(MASK);
    }
    bytes
}

pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

/// A message in fragments.
pub(crate) fn fragments(opcode: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let last = pieces.len() - 1;
    let one = |(index, piece): (usize, &&[u8])| {
        let opcode = if index == 0 { opcode } else { CONTINUATION };
        frame(if index == last { FIN | opcode } else { opcode }, piece)
    };
    pieces.iter().enumerate().flat_map(one).collect()
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// One end of a connection.
pub(crate) struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Peer {
    /// A TCP connection.
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, unread: Vec::new() }
    }

    /// A connection that has been welcomed.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut peer = Self::dial(address).await;
        let (status, _) = peer.request(&HANDSHAKE).await;
        assert_eq!(status, 101);
        assert_eq!(peer.event().await["event"], "connection:success");
        peer
    }

    /// Sends a request and reads the head of the answer: its status and its lines in small letters,
    /// but for their values.
    pub(crate) async fn request(&mut self, lines: &[&str]) -> (u16, Vec<(String, String)>) {
        self.send((lines.join("\r\n") + "\r\n\r\n").as_bytes()).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> (u16, Vec<(String, String)>) {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await, "the connection ended before an answer");
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("a head of ASCII");
        let mut lines = head.trim_end().lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_lowercase(), value.to_owned())
        });
        (status.parse().expect("a number"), headers.collect())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .expect("the server reads")
            .expect("the connection stands");
    }

    /// Sends each byte by itself.
    pub(crate) async fn send_chopped(&mut self, bytes: &[u8]) {
        for byte in bytes.chunks(1) {
            self.send(byte).await;
            tokio::task::yield_now().await;
        }
    }

    /// Sends to a server that may have gone, or may never read.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next frame: its first byte and its payload; none at the end of the connection. What a
    /// server may not send fails here (RFC 6455, 5.1 and 5.2).
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((first, payload, end)) = whole_frame(&self.unread) {
                self.unread.drain(..end);
                return Some((first, payload));
            }
            if !self.more().await {
                assert!(self.unread.is_empty(), "half a frame: {:?}", self.unread);
                return None;
            }
        }
    }

    /// Reads on; says whether there was something.
    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread));
        read.await.expect("something comes").expect("an orderly end") > 0
    }

    /// The next frame, which is a text with an event.
    pub(crate) async fn event(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("the connection stands");
        assert_eq!(first, FIN | TEXT);
        serde_json::from_slice(&payload).expect("an event is JSON")
    }

    /// The hub has understood [`QUESTION`].
    pub(crate) async fn expect_answer(&mut self) {
        assert_eq!(self.event().await["event"], "pong");
    }

    /// The hub has read a text that is no message of its protocol.
    pub(crate) async fn expect_complaint(&mut self) {
        let event = self.event().await;
        assert_eq!(
            (&event["event"], &event["data"]["code"]),
            (&"error".into(), &"invalid_message".into())
        );
    }

    pub(crate) async fn expect_pong(&mut self, payload: &[u8]) {
        assert_eq!(self.frame().await, Some((FIN | PONG, payload.to_vec())));
    }

    /// The next frame is a close with this payload, and nothing comes after it.
    pub(crate) async fn expect_close(&mut self, payload: &[u8]) {
        assert_eq!(self.frame().await, Some((FIN | CLOSE, payload.to_vec())));
        assert_eq!(self.frame().await, None, "nothing comes after a close");
    }

    /// The next frame is a close with one of the codes, and nothing comes after it.
    pub(crate) async fn expect_failure(&mut self, codes: &[u16]) {
        let (first, payload) = self.frame().await.expect("a close frame before the end");
        assert_eq!(first, FIN | CLOSE);
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        assert!(codes.contains(&code), "{code} is none of {codes:?}");
        assert!(std::str::from_utf8(&payload[2..]).is_ok(), "a reason is UTF-8");
        assert_eq!(self.frame().await, None, "nothing comes after a close");
    }
}

/// The first byte and the payload of the frame at the start, and where it ends.
fn whole_frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    assert_eq!(first & 0x70, 0, "reserved bits are for extensions");
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let len = match second {
        127 => u64::from_be_bytes(*rest.first_chunk()?),
        126 => u64::from(u16::from_be_bytes(*rest.first_chunk()?)),
        len => u64::from(*len),
    };
    let start = header(*first, len, false).len();
    assert!(bytes.starts_with(&header(*first, len, false)), "the length in its shortest form");
    let end = start + usize::try_from(len).expect("a frame of this test");
    bytes.get(start..end).map(|payload| (*first, payload.to_vec(), end))
}
