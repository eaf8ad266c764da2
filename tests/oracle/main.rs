//! Clients under generated faults against an oracle that knows every event: each one is delivered
//! exactly once and in order, or a `resync` was signalled.
//!
//! Two nodes mirror one log. Connections are cut at any byte, by a proxy that also chooses the node
//! and at times lets no WebSocket through; nodes are stopped for a while (SIGSTOP), killed and
//! started again, fall behind, declare history lost, hand out tokens that expire at once, and have
//! clocks that are minutes apart; clients stop reading for a while.
//!
//! `BOOKHUB_TEST_SEED` repeats a run's choices, `BOOKHUB_ORACLE_EVENTS` sets how many events there
//! are; with 45,000 there are about a million deliveries.

mod client;
mod journal;
mod node;
mod proxy;

use std::{env, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use crate::{client::Report, journal::Journal, node::Nodes, proxy::Proxy};

const CLIENTS: usize = 100;

/// How long the clients may take to become complete once the faults are over.
const PATIENCE: Duration = Duration::from_secs(120);

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_delivered_once_and_in_order_or_a_resync_says_otherwise() -> Result<()> {
    let seed = setting("BOOKHUB_TEST_SEED").unwrap_or_else(rand::random);
    let events = setting("BOOKHUB_ORACLE_EVENTS").unwrap_or(2_000);
    println!("BOOKHUB_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let journal = Arc::new(Journal::default());
    let nodes = Nodes::start(&journal).await?;
    let proxy = Proxy::start(Arc::clone(&nodes), random.random()).await?;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = client::run(proxy.address(), Arc::clone(&journal), number, random.random());
        clients.spawn(client);
    }

    let faults = tokio::spawn(disturb(Arc::clone(&nodes), Arc::clone(&proxy), random.random()));
    let mut published = 0;
    while published < events {
        ensure!(!faults.is_finished(), "the faults ended: {:?}", faults.await);
        for _ in 0..random.random_range(1..40) {
            journal.append(&mut random);
            published += 1;
        }
        nodes.feed(&journal).await?;
        sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
    faults.abort();
    let _ = faults.await;
    nodes.calm(&journal).await?;
    proxy.calm();
    journal.finish();

    let mut total = Report::default();
    let waiting = async {
        while let Some(report) = clients.join_next().await {
            total += report.context("a client panicked")??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("a client hangs")??;
    println!("{total:?}, {:?}", proxy.report());
    // Otherwise nothing was tested.
    ensure!(total.deliveries > events * 20, "too few deliveries");
    ensure!(total.resumed > CLIENTS as u64, "too few resumes");
    ensure!(events < 10_000 || total.resyncs > 0, "no resync, although history was lost");
    ensure!(events < 10_000 || total.resyncs < total.resumed, "resync is the exception");
    Ok(())
}

/// One fault after the other, for ever.
async fn disturb(nodes: Arc<Nodes>, proxy: Arc<Proxy>, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let node = random.random_range(0..2);
        match random.random_range(0..10) {
            0 => nodes.stop_for(node, Duration::from_millis(random.random_range(50..2500))).await?,
            1 => nodes.kill(node, random.next_u64()).await?,
            2 | 3 => nodes.lag(node, Duration::from_millis(random.random_range(50..600))).await,
            4 if random.random_bool(0.25) => nodes.lose_history(node).await?,
            5 => proxy.obstruct(random.random_bool(0.5)),
            6 | 7 => proxy.cut_all(),
            _ => {}
        }
        sleep(Duration::from_millis(random.random_range(20..400))).await;
    }
}
