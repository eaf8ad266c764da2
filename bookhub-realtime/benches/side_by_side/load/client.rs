//! One client: its bytes, and which event it expects next.

use std::net::TcpStream;

use anyhow::bail;
use hdrhistogram::Histogram;

use super::Report;
use crate::{
    event::{Event, FIRST, Follows},
    process::now,
    servers::Dialect,
    wire::{CLOSE, PING, PONG, TEXT, frame, send},
};

/// What all clients together have seen.
pub(super) struct Stats {
    pub(super) received: u64,
    pub(super) closed: u64,
    lost: u64,
    repeated: u64,
    latency: Histogram<u64>,
    /// Where in a text the last event was found.
    hint: usize,
}

impl Stats {
    /// Nothing yet; so many clients are cut off already.
    pub(super) fn new(closed: u64) -> anyhow::Result<Self> {
        let latency = Histogram::new_with_max(120_000_000_000, 3)?;
        Ok(Self { received: 0, closed, lost: 0, repeated: 0, latency, hint: 0 })
    }

    pub(super) fn report(&self, missed: u64) -> Report {
        Report {
            received: self.received,
            lost: self.lost + missed,
            repeated: self.repeated,
            closed: self.closed,
            p50: self.latency.value_at_quantile(0.5),
            p99: self.latency.value_at_quantile(0.99),
            max: self.latency.max(),
        }
    }
}

pub(super) struct Client {
    stream: TcpStream,
    dialect: Dialect,
    follows: Follows,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
    /// The lowest number that the next event can have.
    next: u64,
}

impl Client {
    pub(super) const fn new(
        stream: TcpStream,
        dialect: Dialect,
        follows: Follows,
        rest: Vec<u8>,
    ) -> Self {
        Self { stream, dialect, follows, rest, next: FIRST }
    }

    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Expects events from this number on.
    pub(super) const fn begin(&mut self, number: u64) {
        self.next = number;
    }

    /// How many events before this number are still to come.
    pub(super) fn lacks(&self, number: u64) -> u64 {
        self.follows.between(self.next, number)
    }

    /// Puts what has come of a frame where its rest will be read behind it.
    pub(super) fn put_rest(&mut self, space: &mut [u8]) -> usize {
        let len = self.rest.len();
        space[..len].copy_from_slice(&self.rest);
        self.rest.clear();
        len
    }

    /// Takes what was read.
    pub(super) fn take(&mut self, mut bytes: &[u8], stats: &mut Stats) -> anyhow::Result<()> {
        let now = now();
        while let Some((opcode, payload)) = frame(bytes) {
            let text = &bytes[payload.clone()];
            bytes = &bytes[payload.end..];
            match opcode {
                TEXT => self.take_text(text, now, stats)?,
                PING => send(&mut &self.stream, PONG, text)?,
                PONG | CLOSE => {}
                _ => bail!("a frame that no server should send: {opcode}"),
            }
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn take_text(&mut self, text: &[u8], now: u64, stats: &mut Stats) -> anyhow::Result<()> {
        match self.dialect {
            Dialect::SocketIo if text == b"2" => Ok(send(&mut &self.stream, TEXT, b"3")?),
            Dialect::Centrifugo => {
                for line in text.split(|byte| *byte == b'\n') {
                    if line == b"{}" {
                        send(&mut &self.stream, TEXT, b"{}")?;
                    } else {
                        self.take_event(line, now, stats);
                    }
                }
                Ok(())
            }
            _ => {
                self.take_event(text, now, stats);
                Ok(())
            }
        }
    }

    fn take_event(&mut self, text: &[u8], now: u64, stats: &mut Stats) {
        let Some(Event { number, at }) = Event::find(text, &mut stats.hint) else {
            return;
        };
        if number < self.next {
            stats.repeated += 1;
            return;
        }
        stats.lost += self.follows.between(self.next, number);
        stats.received += 1;
        stats.latency.saturating_record(now.saturating_sub(at));
        self.next = number + 1;
    }
}
