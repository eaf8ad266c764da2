//! What the server takes of the processor beside the bare driver, each as often as it can in turn.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use crate::{
    backend::Shop,
    least, load,
    meter::Meter,
    options::Options,
    progress,
    question::{Operation, Question},
    same,
    speed::{Asked, SETTLE, micros},
};

/// What was measured of an operation: microseconds of the processor, in each round.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) operation: Operation,
    /// The commands of one request.
    pub(crate) commands: String,
    /// Of the server, for a request.
    pub(crate) server: Vec<f64>,
    /// Of the least server that sends the same commands.
    pub(crate) least: Vec<f64>,
    /// Of the bare driver, for the same commands.
    pub(crate) bare: Vec<f64>,
    /// Whether the database was overwhelmed.
    pub(crate) is_refused: bool,
}

impl Share {
    fn new(operation: Operation, commands: String) -> Self {
        let (server, least, bare) = (Vec::new(), Vec::new(), Vec::new());
        Self { operation, commands, server, least, bare, is_refused: false }
    }

    async fn ask(
        &mut self,
        shop: &mut Shop,
        requests: &Arc<Vec<Vec<u8>>>,
        options: &Options,
    ) -> Result<()> {
        if self.is_refused {
            return Ok(());
        }
        let (time, callers) = (options.time(), options.connections);
        let mut asked = Asked::new()?;
        asked.ask(shop, requests, callers, time).await?;
        if asked.refused > 0 {
            self.is_refused = true;
            return Ok(());
        }
        self.server.append(&mut asked.server);
        let kept = shop.store.as_mut().context("there is a database")?;
        let meter = Meter::start(kept.bare.id()?)?;
        let requests = least::requests(self.operation);
        let answers = load::ask(kept.bare.address, &requests, callers, time).await?;
        anyhow::ensure!(
            answers.refused == 0,
            "the least server refuses {}",
            self.operation.label()
        );
        sleep(SETTLE).await;
        self.least.push(micros(meter.taken()?, answers.times.len()));

        let meter = Meter::start(kept.bare.id()?)?;
        let done = kept.bare.run(self.operation, callers, time).await?;
        sleep(SETTLE).await;
        self.bare.push(micros(meter.taken()?, done));
        Ok(())
    }
}

pub(crate) async fn measure(shop: &mut Shop, options: &Options) -> Result<Vec<Share>> {
    let kept = shop.store.as_ref().context("there is a database")?;
    let commands = same::commands(shop, kept, &options.operations()).await?;
    let mut all = Vec::new();
    for (operation, commands) in options.operations().into_iter().zip(commands) {
        let requests = Question::requests(operation, &shop.sample, &shop.token)?;
        progress(&format!("  beside the bare driver, to warm up: {}", operation.label()));
        let mut first = Share::new(operation, String::new());
        first.ask(shop, &requests, options).await?;
        let mut share = Share::new(operation, commands);
        share.is_refused = first.is_refused;
        all.push((share, requests));
    }
    for round in 1..=options.rounds() {
        for (share, requests) in &mut all {
            let operation = share.operation.label();
            progress(&format!("  beside the bare driver, round {round}: {operation}"));
            share.ask(shop, requests, options).await?;
        }
    }
    Ok(all.into_iter().map(|(share, _)| share).collect())
}
