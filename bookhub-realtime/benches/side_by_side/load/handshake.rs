//! From nothing to a client that gets the next event, whatever its server wants to hear before.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    time::Duration,
};

use anyhow::ensure;
use rustix::net::{AddressFamily, SocketType, bind, connect as connect_to, socket};

use super::client::Client;
use crate::{
    event::Follows,
    servers::{Dialect, centrifugo::CHANNEL},
    wire::{TEXT, frame, send},
};

/// How many clients have the same address: there are some 28,000 ports for each.
const PER_ADDRESS: u64 = 20_000;

pub(super) fn connect(dialect: Dialect, port: u16, number: u64) -> anyhow::Result<Client> {
    let host = u8::try_from(1 + number / PER_ADDRESS)?;
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if host > 1 {
        bind(&stream, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0))?;
    }
    connect_to(&stream, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let mut line = Line { stream, bytes: Vec::new() };
    line.upgrade(dialect, number)?;

    let mut follows = Follows::Everything;
    match dialect {
        Dialect::Plain => {}
        Dialect::PlainTopics => follows = Follows::some(number),
        Dialect::Welcomed => line.expect(r#"{"event":"connection:success""#)?,
        Dialect::Hello => {
            follows = Follows::some(number);
            line.say(&hello(follows))?;
            line.expect(r#"{"event":"connection:success""#)?;
            line.expect(r#"{"event":"subscribed""#)?;
        }
        Dialect::SocketIo => {
            line.expect("0{")?;
            line.say("40")?;
            line.expect("40{")?;
        }
        Dialect::Centrifugo => {
            line.say(r#"{"id":1,"connect":{}}"#)?;
            line.expect(r#"{"id":1,"connect":{"#)?;
            line.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{CHANNEL}"}}}}"#))?;
            line.expect(r#"{"id":2,"subscribe":{"#)?;
        }
    }
    line.stream.set_nonblocking(true)?;
    Ok(Client::new(line.stream, dialect, follows, line.bytes))
}

fn hello(follows: Follows) -> String {
    let topics: Vec<_> =
        follows.topics().into_iter().map(|topic| format!("ticks.{topic}")).collect();
    serde_json::json!({ "type": "hello", "topics": topics }).to_string()
}

/// A connection that is waited for.
struct Line {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Line {
    fn upgrade(&mut self, dialect: Dialect, number: u64) -> anyhow::Result<()> {
        let path = match dialect {
            Dialect::SocketIo => "/socket.io/?EIO=4&transport=websocket",
            Dialect::Centrifugo => "/connection/websocket",
            Dialect::Plain | Dialect::PlainTopics | Dialect::Welcomed | Dialect::Hello => "/ws",
        };
        let protocol = match dialect {
            Dialect::Hello => "Sec-WebSocket-Protocol: bookhub.v1\r\n",
            _ => "",
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\
             Authorization: Bearer client-{number}\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        let end = loop {
            match self.bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                Some(start) => break start + 4,
                None => self.read()?,
            }
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        ensure!(head.starts_with("HTTP/1.1 101 "), "the server answered {head}");
        self.bytes.drain(..end);
        Ok(())
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(send(&mut self.stream, TEXT, text.as_bytes())?)
    }

    /// Waits for a text that begins so.
    fn expect(&mut self, beginning: &str) -> anyhow::Result<()> {
        loop {
            let Some((opcode, payload)) = frame(&self.bytes) else {
                self.read()?;
                continue;
            };
            let text = String::from_utf8_lossy(&self.bytes[payload.clone()]).into_owned();
            self.bytes.drain(..payload.end);
            // Socket.IO asks at once whether somebody is there.
            if text == "2" {
                self.say("3")?;
                continue;
            }
            ensure!(
                opcode == TEXT && text.starts_with(beginning),
                "{beginning} was expected, not {text}"
            );
            return Ok(());
        }
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let mut space = [0; 2048];
        let len = self.stream.read(&mut space)?;
        ensure!(len > 0, "the server has hung up");
        self.bytes.extend_from_slice(&space[..len]);
        Ok(())
    }
}
