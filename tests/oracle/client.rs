//! A client that checks what it is told, event by event.

use std::{net::SocketAddr, ops::AddAssign, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bookhub_realtime::{
    Topic, TopicPattern,
    client::{Client, Event, Notice},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::{select, time::sleep};

use crate::journal::Journal;

/// What a client, or all of them, went through.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) deliveries: u64,
    pub(crate) resumed: u64,
    pub(crate) resyncs: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.resumed += other.resumed;
        self.resyncs += other.resyncs;
    }
}

/// What clients follow, by turns.
const FOLLOWED: [&[&str]; 4] =
    [&["a", "b"], &["a", "c.*"], &["quiet"], &["a", "b", "c.1", "quiet"]];

/// Follows until everything that was published has come, and checks it.
pub(crate) async fn run(
    proxy: SocketAddr,
    journal: Arc<Journal>,
    number: usize,
    seed: u64,
) -> Result<Report> {
    let followed = FOLLOWED[number % FOLLOWED.len()];
    let patterns: Vec<TopicPattern> =
        followed.iter().map(|topic| topic.parse()).collect::<Result<_, _>>()?;
    let wanted = patterns.clone();
    let wants = move |topic: &str| {
        topic.parse::<Topic>().is_ok_and(|topic| wanted.iter().any(|one| one.matches(&topic)))
    };
    // From the very beginning, so that nothing depends on when it connects.
    let client = Client::builder(format!("ws://{proxy}/ws"))
        .topics(patterns)
        .resume_from("oracle-10".parse()?)
        .connect();
    let mut checked = Checked { client, journal, wants, at: 0, report: Report::default() };
    let mut random = StdRng::seed_from_u64(seed);
    let mut finished = checked.journal.finished();
    loop {
        if *finished.borrow_and_update() && checked.is_complete() {
            return Ok(checked.report);
        }
        if !*finished.borrow() && random.random_ratio(1, 3000) {
            // A reader that is slow for a while.
            sleep(Duration::from_millis(random.random_range(10..3000))).await;
        }
        select! {
            notice = checked.client.next() => {
                let notice = notice.context("the client gave up")?;
                checked.check(notice).with_context(|| format!("client {number}, {followed:?}"))?;
            }
            _ = finished.changed() => {}
        }
    }
}

struct Checked<W> {
    client: Client,
    journal: Arc<Journal>,
    wants: W,
    /// Up to where everything has come.
    at: u64,
    report: Report,
}

impl<W: Fn(&str) -> bool> Checked<W> {
    fn is_complete(&self) -> bool {
        self.journal.next(self.at, &self.wants).is_none()
    }

    fn check(&mut self, notice: Notice) -> Result<()> {
        match notice {
            Notice::Event(event) => self.check_event(&event)?,
            Notice::Resync { position, .. } => {
                self.report.resyncs += 1;
                self.at = u64::try_from(position.position.number())?;
            }
            Notice::Connected { recovered, denied } => {
                ensure!(denied.is_empty(), "denied: {denied:?}");
                self.report.resumed += u64::from(recovered);
            }
            Notice::Disconnected { .. } => {}
            other => bail!("{other:?}"),
        }
        // What it would store is never ahead of what it was told.
        let stored = self.client.position().context("a position")?.position.number();
        let missing = self.journal.next(self.at, &self.wants);
        ensure!(
            missing.is_none_or(|missing| u128::from(missing.at) > stored),
            "its position {stored} claims what has not come"
        );
        Ok(())
    }

    fn check_event(&mut self, event: &Event) -> Result<()> {
        let at = u64::try_from(event.id.position.number())?;
        let next = self.journal.next(self.at, &self.wants).context("an event out of nothing")?;
        ensure!(at == next.at, "{at} comes, and after {} comes {}", self.at, next.at);
        ensure!(event.topic == next.topic && event.parse::<Value>()? == next.data, "altered");
        self.at = at;
        self.report.deliveries += 1;
        Ok(())
    }
}
