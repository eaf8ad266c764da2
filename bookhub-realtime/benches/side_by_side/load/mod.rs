//! The clients: all of them on one thread, as cheap as can be. Told over standard input, by a line
//! that a line answers.

mod client;
mod handshake;

use std::{
    io::{BufRead as _, Read as _, stdin},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use client::{Client, Stats};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    fd::OwnedFd,
};
use serde::{Deserialize, Serialize};

use crate::{child::answer, process, servers::Kind};

/// After so long without an event, none is waited for any more.
const QUIET: Duration = Duration::from_secs(2);

/// After how many new clients the others are looked at.
const ATTENTION: usize = 100;

/// What stands for standard input among the clients' numbers.
const STDIN: u64 = u64::MAX;

/// What the clients received since they were last asked to count anew.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// Events that came again or out of order.
    pub(crate) repeated: u64,
    /// Clients whose connections have ended.
    pub(crate) closed: u64,
    /// Nanoseconds from the order of an event to its arrival.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

/// Is the clients until standard input ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut load = Load {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        clients: Vec::new(),
        stats: Stats::new(0)?,
        ready: Vec::with_capacity(1024),
        space: vec![0; 256 * 1024],
        awaited: None,
    };
    epoll::add(&load.epoll, stdin(), EventData::new_u64(STDIN), EventFlags::IN)?;
    loop {
        let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let timeout = load.awaited.is_some().then_some(tick);
        if load.receive_all(timeout)? && !load.obey()? {
            return Ok(());
        }
        load.look_at_awaited()?;
    }
}

struct Load {
    epoll: OwnedFd,
    clients: Vec<Client>,
    stats: Stats,
    ready: Vec<epoll::Event>,
    space: Vec<u8>,
    awaited: Option<Awaited>,
}

/// The number of events after which the orchestrator wants to go on.
struct Awaited {
    total: u64,
    seen: u64,
    seen_at: Instant,
}

impl Load {
    /// Carries out a command; says whether there was one.
    fn obey(&mut self) -> anyhow::Result<bool> {
        let mut line = String::new();
        stdin().lock().read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            [] => return Ok(false),
            ["connect", server, port, count] => {
                let server = Kind::from_str(server, false).map_err(anyhow::Error::msg)?;
                self.connect(server, port.parse()?, count.parse()?)?;
                answer("ok")?;
            }
            ["begin", number] => {
                let number = number.parse()?;
                self.clients.iter_mut().for_each(|client| client.begin(number));
                self.stats = Stats::new(self.stats.closed)?;
                answer("ok")?;
            }
            ["await", total] => {
                let seen = self.stats.received;
                let total = total.parse()?;
                self.awaited = Some(Awaited { total, seen, seen_at: Instant::now() });
            }
            ["report", number] => {
                let number = number.parse()?;
                let missed: u64 = self.clients.iter().map(|client| client.lacks(number)).sum();
                answer(&serde_json::to_string(&self.stats.report(missed))?)?;
            }
            _ => bail!("no command: {line}"),
        }
        Ok(true)
    }

    fn connect(&mut self, server: Kind, port: u16, count: usize) -> anyhow::Result<()> {
        let all = self.clients.len() + count;
        if let Some(reason) = process::too_many(all) {
            bail!(reason);
        }
        for number in self.clients.len()..all {
            let client = handshake::connect(server.dialect(), port, number as u64)
                .with_context(|| format!("client {number}"))?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&self.epoll, client.stream(), data, EventFlags::IN)?;
            self.clients.push(client);
            if number % ATTENTION == 0 {
                // Those who are there already are asked for signs of life.
                self.receive_all(Some(Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            }
        }
        Ok(())
    }

    /// Waits until there is something, and reads it; says whether there is a command too.
    fn receive_all(&mut self, timeout: Option<Timespec>) -> anyhow::Result<bool> {
        let mut ready = std::mem::take(&mut self.ready);
        epoll::wait(&self.epoll, spare_capacity(&mut ready), timeout.as_ref())?;
        let mut told = false;
        for event in ready.drain(..) {
            match event.data.u64() {
                STDIN => told = true,
                number => self.receive(usize::try_from(number)?)?,
            }
        }
        self.ready = ready;
        Ok(told)
    }

    /// One read: epoll tells again if there is more.
    fn receive(&mut self, number: usize) -> anyhow::Result<()> {
        let client = &mut self.clients[number];
        let kept = client.put_rest(&mut self.space);
        match client.stream().read(&mut self.space[kept..]) {
            Ok(len) if len > 0 => client.take(&self.space[..kept + len], &mut self.stats),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                client.take(&self.space[..kept], &mut self.stats)
            }
            _ => {
                epoll::delete(&self.epoll, client.stream())?;
                self.stats.closed += 1;
                Ok(())
            }
        }
    }

    fn look_at_awaited(&mut self) -> anyhow::Result<()> {
        let Some(awaited) = &mut self.awaited else {
            return Ok(());
        };
        if awaited.seen != self.stats.received {
            awaited.seen = self.stats.received;
            awaited.seen_at = Instant::now();
        }
        if awaited.seen >= awaited.total || awaited.seen_at.elapsed() > QUIET {
            let seen = awaited.seen;
            self.awaited = None;
            answer(&seen.to_string())?;
        }
        Ok(())
    }
}
