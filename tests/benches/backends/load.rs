//! Clients that ask over connections which stay open, each for the next thing when it has its answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What came of asking for a while.
#[derive(Debug)]
pub(crate) struct Answers {
    /// How long each took, in microseconds.
    pub(crate) times: Histogram<u64>,
    /// Those that are no success, and with what status they came.
    pub(crate) refused: u64,
    pub(crate) refusal: Option<u16>,
    pub(crate) elapsed: Duration,
}

impl Answers {
    fn new() -> Result<Self> {
        let (times, elapsed) = (Histogram::new(3)?, Duration::default());
        Ok(Self { times, refused: 0, refusal: None, elapsed })
    }
}

/// Asks for so long, and waits for every answer. Each client has requests of its own, so that nobody
/// edits what another edits.
pub(crate) async fn ask(
    server: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    clients: usize,
    time: Duration,
) -> Result<Answers> {
    let begun = Instant::now();
    let asked = (0..clients).map(|first| {
        let requests = Arc::clone(requests);
        tokio::spawn(client(server, requests, first, clients, begun + time))
    });
    let mut answers = Answers::new()?;
    for asked in try_join_all(asked.collect::<Vec<_>>()).await? {
        let Answers { times, refused, refusal, .. } = asked?;
        answers.times.add(times)?;
        answers.refused += refused;
        answers.refusal = answers.refusal.or(refusal);
    }
    answers.elapsed = begun.elapsed();
    Ok(answers)
}

async fn client(
    server: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    step: usize,
    end: Instant,
) -> Result<Answers> {
    let mut connection = Connection::open(server).await?;
    let mut answers = Answers::new()?;
    let all = requests.iter().skip(first).step_by(step).cycle();
    for request in all {
        let begun = Instant::now();
        if begun >= end {
            break;
        }
        let status = connection.ask(request).await?;
        answers.times.record(u64::try_from(begun.elapsed().as_micros())?)?;
        if !(200..300).contains(&status) {
            answers.refused += 1;
            answers.refusal = Some(status);
        }
    }
    Ok(answers)
}

/// A connection that does as little as a client can.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// The last answer, whole.
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request, takes the whole answer, and returns its status.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.stream.read_buf(&mut self.answer).await?;
            anyhow::ensure!(read > 0, "the server has closed a connection");
            whole = whole.or_else(|| whole_length(&self.answer));
        }
        let status = self.answer.get(9..12).and_then(|status| str::from_utf8(status).ok());
        status.and_then(|status| status.parse().ok()).context("an answer has a status")
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.answer[head_length(&self.answer).unwrap_or(0)..]
    }
}

fn head_length(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|end| end == b"\r\n\r\n").map(|end| end + 4)
}

/// How long an answer is with its body, once its head is here.
fn whole_length(answer: &[u8]) -> Option<usize> {
    const LENGTH: &str = "\r\ncontent-length: ";
    let head = head_length(answer)?;
    let text = str::from_utf8(&answer[..head]).ok()?;
    let length = text.find(LENGTH).map_or("", |at| &text[at + LENGTH.len()..]);
    let length = length.split('\r').next().and_then(|length| length.parse::<usize>().ok());
    Some(head + length.unwrap_or(0))
}
