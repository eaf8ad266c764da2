//! Those who come and go.

use std::{
    cell::{Cell, RefCell},
    io::{self, stdin},
    net::Ipv4Addr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Builder,
    task::{LocalSet, spawn_local},
    time::timeout,
};

use crate::{child::answer, visit::Visit};

/// How long a visit may last.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many addresses the visitors come from: there are some 28,000 ports for each, and what is
/// closed in order keeps its port for a minute.
const ADDRESSES: u64 = 100;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(super) visits: u64,
    /// Visits that did not go as they should have.
    pub(super) failures: u64,
    pub(super) failure: Option<String>,
    pub(super) seconds: f64,
}

impl Report {
    pub(super) fn add(&mut self, other: Self) {
        self.visits += other.visits;
        self.failures += other.failures;
        self.failure = self.failure.take().or(other.failure);
        self.seconds += other.seconds;
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["visit", port, count, at_once] => {
                let visits = visit(port.parse()?, count.parse()?, at_once.parse()?);
                let report = LocalSet::new().block_on(&runtime, visits)?;
                answer(&serde_json::to_string(&report)?)?;
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

async fn visit(port: u16, count: u64, at_once: u64) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let left = Rc::new(Cell::new(count));
    let report = Rc::<RefCell<Report>>::default();
    let mut visitors = Vec::new();
    for number in 0..at_once {
        let from = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + number % ADDRESSES)?);
        let (left, report) = (Rc::clone(&left), Rc::clone(&report));
        visitors.push(spawn_local(async move {
            let mut past = None;
            let ways = usize::try_from(number).unwrap_or(0);
            for way in Visit::ALL.iter().cycle().skip(ways % Visit::ALL.len()) {
                let Some(rest) = left.get().checked_sub(1) else {
                    return;
                };
                left.set(rest);
                let paid = timeout(PATIENCE, way.pay(from, port, &mut past)).await;
                let mut report = report.borrow_mut();
                report.visits += 1;
                if let Err(error) = paid.map_err(io::Error::from).flatten() {
                    report.failures += 1;
                    report.failure = Some(format!("{way:?}: {error}"));
                    past = None;
                }
            }
        }));
    }
    for visitor in visitors {
        visitor.await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Report { seconds, ..report.take() })
}
