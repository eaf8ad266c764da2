//! Ten thousand slow readers, beside ten thousand that have nothing to read, and nobody: what they
//! cost in memory, and in the time of those who read what comes at once.
//!
//! Each side has a server, clients and events of its own, and publishes the same. They take turns,
//! so that what disturbs the machine for a while disturbs all.

pub(crate) mod crowd;
pub(crate) mod readers;

use std::{fs, thread, time::Duration};

use anyhow::Context as _;

use crate::{
    child::Process,
    claims::{Claims, mebibytes},
    options::Storm,
    process::resident,
    server::Server,
};

/// How many read what comes at once.
const READERS: u64 = 200;

/// What may be taken for each connection.
const PER_CONNECTION: u64 = 8 * 1024;

/// What the history may take.
const HISTORY: u64 = 64 << 20;

/// How much slower news may be, beside slow readers.
const SLOWER: f64 = 1.10;

/// How long a turn lasts, how many news it brings, and how much in bulk.
const TURN: Duration = Duration::from_secs(2);
const NEWS: u64 = 200;
const BULK: u64 = 48 << 20;

pub(crate) fn raise(quick: bool, claims: &mut Claims) -> anyhow::Result<()> {
    let (crowd, turns) = if quick { (500, 3) } else { (10_000, 21) };
    let mut alone = Side::start("idle", 0)?;
    let mut idle = Side::start("idle", crowd)?;
    let mut slow = Side::start("slow", crowd)?;
    // One turn for buffers to fill, which does not count.
    for turn in 0..=turns {
        for side in [&mut alone, &mut idle, &mut slow] {
            let figures = side.turn()?;
            if turn > 0 {
                side.turns.push(figures);
            }
        }
    }
    let latency = |side: &Side| (side.median(|turn| turn.p50), side.median(|turn| turn.p99));
    let ((p50, p99), (idle_p50, idle_p99)) = (latency(&slow), latency(&idle));
    let figures = format!(
        "p99 {:.2} ms, {:.2} times {:.2} ms; p50 {:.2} ms, {:.2} times {:.2} ms",
        p99 / 1e6,
        p99 / idle_p99,
        idle_p99 / 1e6,
        p50 / 1e6,
        p50 / idle_p50,
        idle_p50 / 1e6,
    );
    let kept = p99 < SLOWER * idle_p99 && p50 < SLOWER * idle_p50;
    claims.note(
        "slow readers make others wait less than 10 % longer than idle ones do",
        kept,
        figures,
    );
    let (p50, p99) = latency(&alone);
    println!(
        "With nobody else there the {READERS} readers wait {:.2} ms (p99 {:.2} ms). All get {} \
         pieces of news a second, and {} a second pass by them.\n",
        p50 / 1e6,
        p99 / 1e6,
        NEWS / TURN.as_secs(),
        mebibytes(BULK / TURN.as_secs()),
    );

    let sum = |figure: fn(&readers::Figures) -> u64| -> u64 {
        [&alone, &idle, &slow].iter().flat_map(|side| &side.turns).map(figure).sum()
    };
    let received = sum(|turn| turn.received);
    let (lost, repeated) = (sum(|turn| turn.lost), sum(|turn| turn.repeated));
    let resyncs = sum(|turn| turn.resyncs);
    let expected = 3 * READERS * NEWS * turns as u64;
    let kept = received == expected && lost + repeated + resyncs == 0;
    let figures = format!(
        "{received} of {expected} deliveries; {lost} lost, {repeated} repeated or out of order, \
         {resyncs} resyncs",
    );
    claims.note("those who keep up get each event once and in order", kept, figures);

    let peak = peak(slow.server.id())?;
    let most = slow.base + HISTORY + PER_CONNECTION * crowd;
    let figures = format!(
        "{} at most, of {} = {} before + {} of history + 8 KiB for each of {crowd}; with idle ones {}",
        mebibytes(peak),
        mebibytes(most),
        mebibytes(slow.base),
        mebibytes(HISTORY),
        mebibytes(resident(idle.server.id())?),
    );
    claims.note("a slow reader takes no more than 8 KiB beside the history", peak <= most, figures);

    let history = slow.server.look()?.history_bytes;
    let report: crowd::Report = serde_json::from_str(&slow.crowd.ask("report")?)?;
    let crowd::Report { taken, resyncs, broken, ended } = report;
    let figures = format!(
        "{taken} events taken, {resyncs} resyncs, {broken} gaps without one; {ended} connections \
         ended; {} published, {} kept",
        mebibytes((turns as u64 + 1) * BULK),
        mebibytes(history as u64),
    );
    let kept = broken + ended == 0 && (quick || resyncs > 0) && history as u64 <= HISTORY;
    claims.note("a slow reader is told what it missed, and not closed", kept, figures);
    Ok(())
}

/// A server with its clients.
struct Side {
    server: Server,
    readers: Process,
    crowd: Process,
    /// The memory of the server before the crowd came.
    base: u64,
    turns: Vec<readers::Figures>,
    next: u64,
}

impl Side {
    fn start(manner: &str, count: u64) -> anyhow::Result<Self> {
        let mut server = Server::start(Storm::Slow)?;
        server.listen(0)?;
        let (mut readers, mut crowd) = (Process::start(&["readers"])?, Process::start(&["crowd"])?);
        readers.ask(&format!("connect {} {READERS}", server.port))?;
        thread::sleep(Duration::from_millis(500));
        let base = resident(server.id())?;
        crowd.ask(&format!("connect {} {count} {manner}", server.port))?;
        Ok(Self { server, readers, crowd, base, turns: Vec::new(), next: 1 })
    }

    fn turn(&mut self) -> anyhow::Result<readers::Figures> {
        self.readers.ask("begin")?;
        self.crowd.ask("go")?;
        self.server.pour((self.next, NEWS), BULK, TURN)?;
        self.next += NEWS;
        let figures = self.readers.ask(&format!("await {}", self.next))?;
        self.crowd.ask("rest")?;
        Ok(serde_json::from_str(&figures)?)
    }

    /// The figure of the turn in the middle; the number of turns is odd.
    fn median(&self, figure: impl Fn(&readers::Figures) -> u64) -> f64 {
        let mut figures: Vec<u64> = self.turns.iter().map(figure).collect();
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied().unwrap_or(0) as f64
    }
}

/// The most memory that a process has ever held, in bytes.
fn peak(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
}
