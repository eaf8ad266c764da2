//! Those who hardly read: not at all, a hundred bytes a second, or a gulp now and then. Or those who
//! would read, and follow a topic on which nothing comes.

use std::{
    io::{self, Error, stdin},
    net::{Ipv4Addr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{net::TcpSocket, runtime::Builder, sync::watch, time::sleep};

use crate::{child::answer, line::Line, numbered::Event, process};

/// What the kernel keeps for one who hardly reads; it doubles this.
const BUFFER: u32 = 4096;

/// A thousand come from each address, from this one on: where most ports of an address are taken,
/// a free one is long looked for.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PER_ADDRESS: u32 = 1000;

/// How many come at once.
const AT_ONCE: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Reads, but nothing comes.
    Idle,
    /// Reads nothing.
    Mute,
    /// Reads an event (of 1 KiB) each ten seconds.
    Sips,
    /// Reads sixteen events each two seconds.
    Gulps,
}

impl Manner {
    const fn of(number: u32, idle: bool) -> Self {
        match number % 10 {
            _ if idle => Self::Idle,
            0..=4 => Self::Mute,
            5..=8 => Self::Sips,
            _ => Self::Gulps,
        }
    }
}

/// What the crowd has seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Events of the bulk.
    pub(super) taken: u64,
    pub(super) resyncs: u64,
    /// Events that came out of order, or after a gap that no resync announced.
    pub(super) broken: u64,
    /// Connections that are over.
    pub(super) ended: u64,
}

#[derive(Default)]
struct Tally {
    taken: AtomicU64,
    resyncs: AtomicU64,
    broken: AtomicU64,
    ended: AtomicU64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tally = Arc::<Tally>::default();
    let (turn, is_turn) = watch::channel(false);
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["connect", port, count, manner] => {
                let (port, count) = (port.parse()?, count.parse::<u32>()?);
                if let Some(reason) = process::too_many(usize::try_from(count)?) {
                    bail!(reason);
                }
                for first in (0..count).step_by(AT_ONCE as usize) {
                    let numbers = first..count.min(first + AT_ONCE);
                    let lines: Vec<_> = numbers
                        .map(|number| {
                            let manner = Manner::of(number, manner == "idle");
                            let from = FIRST_ADDRESS.to_bits() + number / PER_ADDRESS;
                            (manner, runtime.spawn(connect(manner, from.into(), port)))
                        })
                        .collect();
                    for (manner, line) in lines {
                        let line = runtime.block_on(line)??;
                        let (tally, is_turn) = (Arc::clone(&tally), is_turn.clone());
                        runtime.spawn(async move {
                            let mut guest = Guest { line, is_turn, next: None, told: false };
                            let Err(_) = guest.stay(manner, &tally).await;
                            tally.ended.fetch_add(1, Relaxed);
                        });
                    }
                }
                answer("ok")?;
            }
            ["go"] | ["rest"] => {
                turn.send_replace(words[0] == "go");
                answer("ok")?;
            }
            ["report"] => {
                let report = Report {
                    taken: tally.taken.load(Relaxed),
                    resyncs: tally.resyncs.load(Relaxed),
                    broken: tally.broken.load(Relaxed),
                    ended: tally.ended.load(Relaxed),
                };
                answer(&serde_json::to_string(&report)?)?;
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

async fn connect(manner: Manner, from: Ipv4Addr, port: u16) -> io::Result<Line> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    if manner != Manner::Idle {
        socket.set_recv_buffer_size(BUFFER)?;
    }
    let mut line = Line::over(socket, port).await?;
    line.upgrade(true).await?;
    // The slow ones share the topic of those who keep up.
    let topics: &[&str] = if manner == Manner::Idle { &["quiet"] } else { &["bulk", "news"] };
    line.say(&json!({ "type": "hello", "topics": topics }).to_string()).await?;
    // The welcome and the topics.
    line.text().await?;
    line.text().await?;
    Ok(line)
}

struct Guest {
    line: Line,
    is_turn: watch::Receiver<bool>,
    /// The number of the next event of the bulk.
    next: Option<u64>,
    /// Whether a resync has explained a gap.
    told: bool,
}

impl Guest {
    /// Stays until the connection is over.
    async fn stay(
        &mut self,
        manner: Manner,
        tally: &Tally,
    ) -> io::Result<std::convert::Infallible> {
        let (events, pause) = match manner {
            Manner::Mute => (0, Duration::from_hours(1)),
            Manner::Sips => (1, Duration::from_secs(10)),
            Manner::Gulps => (16, Duration::from_secs(2)),
            Manner::Idle => loop {
                self.line.text().await?;
            },
        };
        sleep(pause.mul_f64(rand::random_range(0.0..=1.0))).await;
        loop {
            self.is_turn.wait_for(|is_turn| *is_turn).await.map_err(Error::other)?;
            for _ in 0..events {
                self.take(tally).await?;
            }
            sleep(pause).await;
        }
    }

    async fn take(&mut self, tally: &Tally) -> io::Result<()> {
        let text = self.line.text().await?;
        if text.starts_with(br#"{"event":"resync""#) {
            tally.resyncs.fetch_add(1, Relaxed);
            self.told = true;
            return Ok(());
        }
        if !text.windows(14).any(|part| part == br#""topic":"bulk""#) {
            return Ok(());
        }
        let event = Event::find(text, &mut 0).ok_or_else(|| Error::other("no number"))?;
        let told = std::mem::take(&mut self.told);
        let follows =
            self.next.is_none_or(|next| event.number == next || (told && event.number > next));
        tally.broken.fetch_add(u64::from(!follows), Relaxed);
        tally.taken.fetch_add(1, Relaxed);
        self.next = Some(event.number + 1);
        Ok(())
    }
}
