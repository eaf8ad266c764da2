//! How many answers a second, and how long each takes. Rounds of all operations, so that what disturbs
//! the machine for a while disturbs them all.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::time::sleep;

use crate::{
    backend::Shop,
    load::{self, Answers},
    meter::Meter,
    options::Options,
    progress,
    question::{Operation, Question},
};

/// How long a server has for what a request leaves behind, such as its event.
pub(crate) const SETTLE: Duration = Duration::from_millis(100);

/// What was measured of an operation.
#[derive(Debug)]
pub(crate) struct Speed {
    pub(crate) operation: Operation,
    /// Over one connection.
    pub(crate) alone: Asked,
    /// Over several.
    pub(crate) together: Asked,
}

/// Answers of all rounds.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Answers a second, in each round.
    pub(crate) rates: Vec<f64>,
    /// In microseconds.
    pub(crate) times: Histogram<u64>,
    pub(crate) refused: u64,
    /// Microseconds of the processor that the server took for each, in each round.
    pub(crate) server: Vec<f64>,
}

impl Asked {
    pub(crate) fn new() -> Result<Self> {
        let (times, rates, server) = (Histogram::new(3)?, Vec::new(), Vec::new());
        Ok(Self { rates, times, refused: 0, server })
    }

    /// Asks once more, unless the backend was overwhelmed before.
    pub(crate) async fn ask(
        &mut self,
        shop: &Shop,
        requests: &Arc<Vec<Vec<u8>>>,
        clients: usize,
        time: Duration,
    ) -> Result<()> {
        if self.refused > 0 {
            return Ok(());
        }
        let meter = Meter::start(shop.server.id().context("the server runs")?)?;
        let Answers { times, refused, refusal, elapsed } =
            load::ask(shop.address, requests, clients, time).await?;
        sleep(SETTLE).await;
        self.server.push(micros(meter.taken()?, times.len()));
        self.rates.push(times.len() as f64 / elapsed.as_secs_f64());
        self.times.add(&times)?;
        self.refused += refused;
        if let Some(refusal) = refusal {
            progress(&format!("    {refused} of {} refused with {refusal}", times.len()));
            // The database goes on with what nobody waits for any more.
            shop.is_calm().await?;
        }
        Ok(())
    }
}

impl Speed {
    fn new(operation: Operation) -> Result<Self> {
        Ok(Self { operation, alone: Asked::new()?, together: Asked::new()? })
    }

    async fn ask(
        &mut self,
        shop: &Shop,
        requests: &Arc<Vec<Vec<u8>>>,
        options: &Options,
    ) -> Result<()> {
        self.alone.ask(shop, requests, 1, options.time()).await?;
        if self.alone.refused > 0 {
            return Ok(());
        }
        self.together.ask(shop, requests, options.connections, options.time()).await
    }
}

pub(crate) async fn measure(shop: &Shop, options: &Options) -> Result<Vec<Speed>> {
    let mut all = Vec::new();
    for operation in options.operations() {
        let requests = Question::requests(operation, &shop.sample, &shop.token)?;
        progress(&format!("  to warm up: {}", operation.label()));
        let (mut first, mut speed) = (Speed::new(operation)?, Speed::new(operation)?);
        first.ask(shop, &requests, options).await?;
        for (first, kept) in
            [(first.alone, &mut speed.alone), (first.together, &mut speed.together)]
        {
            if first.refused > 0 {
                *kept = first;
            }
        }
        all.push((speed, requests));
    }
    for round in 1..=options.rounds() {
        for (speed, requests) in &mut all {
            progress(&format!("  round {round}: {}", speed.operation.label()));
            speed.ask(shop, requests, options).await?;
        }
    }
    Ok(all.into_iter().map(|(speed, _)| speed).collect())
}

pub(crate) fn micros(taken: Duration, times: u64) -> f64 {
    taken.as_secs_f64() * 1e6 / times.max(1) as f64
}
