//! Those who read what comes at once, and how long it took to them.

use std::{
    io::{self, Error, stdin},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use crate::{child::answer, line::Line, numbered::Event, process::now};

/// After so long without an event, none is waited for any more.
const QUIET: Duration = Duration::from_secs(10);

/// What one turn brought.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(super) received: u64,
    /// Nanoseconds from the order of an event to its arrival.
    pub(super) p50: u64,
    pub(super) p99: u64,
    /// Events that did not come.
    pub(super) lost: u64,
    /// Events that came again or out of order.
    pub(super) repeated: u64,
    pub(super) resyncs: u64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stats = Arc::new(Mutex::new(Stats::new()?));
    let mut readers = 0;
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["connect", port, count] => {
                readers = count.parse()?;
                for _ in 0..readers {
                    let line = runtime.block_on(welcomed(port.parse()?))?;
                    runtime.spawn(read(line, Arc::clone(&stats)));
                }
                answer("ok")?;
            }
            ["begin"] => {
                lock(&stats).begin();
                answer("ok")?;
            }
            // Until all have everything before this number.
            ["await", number] => {
                let due = (number.parse::<u64>()? - 1) * readers;
                wait(&stats, due);
                let figures = lock(&stats).figures(due);
                answer(&serde_json::to_string(&figures)?)?;
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

/// Waits until so many events have come or are known to be lost, or nothing comes any more.
fn wait(stats: &Mutex<Stats>, due: u64) {
    let (mut seen, mut seen_at) = (0, Instant::now());
    while seen < due && seen_at.elapsed() < QUIET {
        thread::sleep(Duration::from_millis(5));
        let now = lock(stats).passed;
        if now != seen {
            (seen, seen_at) = (now, Instant::now());
        }
    }
}

/// What all readers together have seen since the turn began.
struct Stats {
    latency: Histogram<u64>,
    lost: u64,
    repeated: u64,
    resyncs: u64,
    /// Events that have come or are lost, since the beginning.
    passed: u64,
}

impl Stats {
    fn new() -> anyhow::Result<Self> {
        let latency = Histogram::new_with_max(120_000_000_000, 3)?;
        Ok(Self { latency, lost: 0, repeated: 0, resyncs: 0, passed: 0 })
    }

    fn begin(&mut self) {
        self.latency.reset();
        (self.lost, self.repeated, self.resyncs) = (0, 0, 0);
    }

    fn figures(&self, due: u64) -> Figures {
        Figures {
            received: self.latency.len(),
            p50: self.latency.value_at_quantile(0.5),
            p99: self.latency.value_at_quantile(0.99),
            lost: self.lost + due.saturating_sub(self.passed),
            repeated: self.repeated,
            resyncs: self.resyncs,
        }
    }
}

fn lock(stats: &Mutex<Stats>) -> MutexGuard<'_, Stats> {
    stats.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn welcomed(port: u16) -> io::Result<Line> {
    let mut line = Line::connect(Ipv4Addr::LOCALHOST, port).await?;
    // The default topic is the news.
    line.upgrade(false).await?;
    line.text().await?;
    Ok(line)
}

async fn read(mut line: Line, stats: Arc<Mutex<Stats>>) -> io::Result<()> {
    let (mut next, mut hint) = (1, 0);
    loop {
        let text = line.text().await?;
        if text.starts_with(br#"{"event":"resync""#) {
            lock(&stats).resyncs += 1;
        }
        if !text.starts_with(br#"{"id":""#) {
            continue;
        }
        let event = Event::find(text, &mut hint).ok_or_else(|| Error::other("no number"))?;
        let mut stats = lock(&stats);
        let Some(gap) = event.number.checked_sub(next) else {
            stats.repeated += 1;
            continue;
        };
        stats.latency.saturating_record(now().saturating_sub(event.at));
        stats.lost += gap;
        stats.passed += gap + 1;
        next = event.number + 1;
    }
}
