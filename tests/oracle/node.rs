//! The nodes: processes that are fed from the journal, stopped, killed and started again.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex as Plain, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::journal::{Entry, Journal};

/// How much of the journal a node that starts is given.
const REFILL: usize = 2000;

/// How far the clock of the second node is ahead, in seconds.
const CLOCK_AHEAD: u64 = 600;

/// How long reconnect tokens live, in seconds: most for a day, and some hardly at all.
const LIFETIMES: [u64; 3] = [86_400, 86_400, 1];

pub(crate) struct Nodes {
    nodes: [Mutex<Node>; 2],
    addresses: Plain<[Option<SocketAddr>; 2]>,
    journal: Arc<Journal>,
}

struct Node {
    process: Child,
    /// How much of the journal it was given.
    fed: usize,
    lags_until: Instant,
}

impl Nodes {
    pub(crate) async fn start(journal: &Arc<Journal>) -> Result<Arc<Self>> {
        let (first, here) = Node::start(0, journal, LIFETIMES[0]).await?;
        let (second, there) = Node::start(1, journal, LIFETIMES[0]).await?;
        Ok(Arc::new(Self {
            nodes: [Mutex::new(first), Mutex::new(second)],
            addresses: Plain::new([Some(here), Some(there)]),
            journal: Arc::clone(journal),
        }))
    }

    /// Where the node listens, if it does.
    pub(crate) fn address(&self, node: usize) -> Option<SocketAddr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[node]
    }

    fn set_address(&self, node: usize, address: Option<SocketAddr>) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[node] = address;
    }

    /// Passes on what is new in the journal, except to a node that lags.
    pub(crate) async fn feed(&self, journal: &Journal) -> Result<()> {
        for node in &self.nodes {
            // One that is being disturbed gets it afterwards.
            if let Ok(mut node) = node.try_lock()
                && node.lags_until <= Instant::now()
            {
                node.feed(journal).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn lag(&self, node: usize, time: Duration) {
        self.nodes[node].lock().await.lags_until = Instant::now() + time;
    }

    pub(crate) async fn stop_for(&self, node: usize, time: Duration) -> Result<()> {
        let node = self.nodes[node].lock().await;
        node.signal(Signal::STOP)?;
        sleep(time).await;
        node.signal(Signal::CONT)
    }

    /// Kills the node and starts it again after a moment.
    pub(crate) async fn kill(&self, number: usize, choice: u64) -> Result<()> {
        let mut node = self.nodes[number].lock().await;
        self.set_address(number, None);
        node.process.kill().await?;
        sleep(Duration::from_millis(choice % 500)).await;
        let lifetime = LIFETIMES[usize::try_from(choice % 3)?];
        let (started, address) = Node::start(number, &self.journal, lifetime).await?;
        *node = started;
        self.set_address(number, Some(address));
        Ok(())
    }

    /// The node gives up everything that it was not given yet, and what it has.
    pub(crate) async fn lose_history(&self, node: usize) -> Result<()> {
        let mut node = self.nodes[node].lock().await;
        let missed = self.journal.from(node.fed);
        let Some(last) = missed.last() else {
            return Ok(());
        };
        node.fed += missed.len();
        node.say(&json!({ "lost": last.at })).await
    }

    /// Lets the nodes come to the end of the journal.
    pub(crate) async fn calm(&self, journal: &Journal) -> Result<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            let mut node = node.lock().await;
            // It may have been cut short in the middle of a fault.
            if node.process.try_wait()?.is_some() || self.address(number).is_none() {
                let (started, address) = Node::start(number, journal, LIFETIMES[0]).await?;
                *node = started;
                self.set_address(number, Some(address));
            }
            node.signal(Signal::CONT)?;
            node.feed(journal).await?;
        }
        Ok(())
    }
}

impl Node {
    async fn start(number: usize, journal: &Journal, lifetime: u64) -> Result<(Self, SocketAddr)> {
        let ahead = CLOCK_AHEAD * u64::try_from(number)?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_hub-node"))
            .args([ahead.to_string(), lifetime.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("a pipe")?;
        let fed = journal.len().saturating_sub(REFILL);
        let mut node = Self { process, fed, lags_until: Instant::now() };
        if let Some(last_lost) = fed.checked_sub(1) {
            let lost = journal.from(last_lost).swap_remove(0);
            node.say(&json!({ "lost": lost.at })).await?;
        }
        node.feed(journal).await?;
        node.say(&json!({ "present": true })).await?;
        let mut address = String::new();
        let mut stdout = BufReader::new(stdout);
        timeout(Duration::from_secs(60), stdout.read_line(&mut address)).await??;
        Ok((node, address.trim().parse().context("the node's address")?))
    }

    async fn feed(&mut self, journal: &Journal) -> Result<()> {
        let new = journal.from(self.fed);
        self.fed += new.len();
        let mut lines = String::new();
        for Entry { at, topic, data } in new {
            lines += &json!({ "at": at, "topic": topic, "data": data }).to_string();
            lines.push('\n');
        }
        self.write(&lines).await
    }

    async fn say(&mut self, line: &serde_json::Value) -> Result<()> {
        self.write(&format!("{line}\n")).await
    }

    async fn write(&mut self, lines: &str) -> Result<()> {
        let stdin = self.process.stdin.as_mut().context("a pipe")?;
        stdin.write_all(lines.as_bytes()).await?;
        Ok(stdin.flush().await?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.process.id().context("the node runs")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }
}
