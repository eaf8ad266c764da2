//! Centrifugo 6, with history and recovery, as it is when its binary is given. It is told what to
//! publish over its own HTTP API, so that each order costs it more than it costs the others.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context as _;

use crate::event::Event;

/// The channel that all clients follow.
pub(crate) const CHANNEL: &str = "ticks";

const SETTINGS: [(&str, &str); 11] = [
    ("HTTP_SERVER_ADDRESS", "127.0.0.1"),
    ("HTTP_API_INSECURE", "true"),
    ("CLIENT_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN", "true"),
    ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_CLIENT", "true"),
    ("CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_ANONYMOUS", "true"),
    ("CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE", "100000"),
    ("CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL", "1h"),
    ("CHANNEL_WITHOUT_NAMESPACE_FORCE_POSITIONING", "true"),
    ("CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY", "true"),
    ("USAGE_STATS_DISABLED", "true"),
    ("LOG_LEVEL", "error"),
];

/// Becomes Centrifugo.
pub(super) fn serve(binary: &Path) -> anyhow::Result<()> {
    // It takes no listener, so it is told a port that was free just now.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    super::say_ready(port, port)?;
    let settings = SETTINGS.map(|(name, value)| (format!("CENTRIFUGO_{name}"), value));
    let error = Command::new(binary)
        .envs(settings)
        .env("CENTRIFUGO_HTTP_SERVER_PORT", port.to_string())
        .stdout(Stdio::null())
        .exec();
    Err(error).with_context(|| format!("--centrifugo {}", binary.display()))
}

/// Orders events over the HTTP API.
#[derive(Debug)]
pub(crate) struct Api {
    port: u16,
    connection: BufReader<TcpStream>,
}

impl Api {
    /// Waits until the server is there.
    pub(crate) fn connect(port: u16) -> anyhow::Result<Self> {
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_nodelay(true)?;
                return Ok(Self { port, connection: BufReader::new(stream) });
            }
            thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("Centrifugo does not answer")
    }

    pub(crate) fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        self.post("publish", &publication(event))
    }

    pub(crate) fn batch(&mut self, first: u64, count: u64) -> anyhow::Result<()> {
        let commands: Vec<_> = (first..first + count)
            .map(|number| format!(r#"{{"publish":{}}}"#, publication(Event::new(number))))
            .collect();
        self.post("batch", &format!(r#"{{"commands":[{}]}}"#, commands.join(",")))
    }

    fn post(&mut self, method: &str, body: &str) -> anyhow::Result<()> {
        let len = body.len();
        let request = format!(
            "POST /api/{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {len}\r\n\r\n{body}"
        );
        let mut line = self.ask(&request)?;
        if line.is_empty() {
            // It closes what was idle for long, as while many clients connect.
            *self = Self::connect(self.port)?;
            line = self.ask(&request)?;
        }
        let (mut len, mut chunked) = (0, false);
        anyhow::ensure!(line.starts_with("HTTP/1.1 200"), "Centrifugo answered {line:?}");
        while line != "\r\n" {
            line.clear();
            self.connection.read_line(&mut line)?;
            let header = line.to_ascii_lowercase();
            chunked |= header.starts_with("transfer-encoding:");
            if let Some(value) = header.strip_prefix("content-length:") {
                len = value.trim().parse()?;
            }
        }
        let mut answer = String::new();
        while chunked {
            line.clear();
            self.connection.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16)?;
            (&mut self.connection).take(size).read_to_string(&mut answer)?;
            self.connection.read_line(&mut line)?;
            chunked = size > 0;
        }
        (&mut self.connection).take(len).read_to_string(&mut answer)?;
        anyhow::ensure!(!answer.contains("\"error\""), "Centrifugo answered {answer}");
        Ok(())
    }

    /// The first line of the answer; nothing if the connection was closed before.
    fn ask(&mut self, request: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        let asked = self.connection.get_mut().write_all(request.as_bytes());
        match asked.and_then(|()| self.connection.read_line(&mut line)) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
            _ => Ok(line),
        }
    }
}

fn publication(event: Event) -> String {
    let Event { number, .. } = event;
    let envelope =
        format!(r#"{{"push":{{"channel":"{CHANNEL}","pub":{{"data":,"offset":{number}}}}}}}"#);
    format!(r#"{{"channel":"{CHANNEL}","data":{}}}"#, event.to_json(envelope.len()))
}
