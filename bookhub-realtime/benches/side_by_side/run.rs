//! One server in one run, case by case.

use std::time::{Duration, Instant};

use crate::{
    cores::settle,
    load::Report,
    options::{Case, Options, Plan},
    rig::Rig,
    servers::Kind,
};

/// How many clients connect before the memory is first looked at: what they need once and for all
/// is not counted.
const EARLY: usize = 50;

/// How many events are published at a time in a burst.
const BATCH: u64 = 100;

/// What was measured of one server in one run.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) server: Kind,
    pub(crate) clients: usize,
    pub(crate) rate: f64,
    pub(crate) steady: Option<Figures>,
    pub(crate) burst: Option<Figures>,
    pub(crate) stream: Option<Figures>,
    pub(crate) topics: Option<Figures>,
    /// Bytes of memory for each connection.
    pub(crate) idle: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Microseconds of the server's processor time for each event that arrived.
    pub(crate) cpu: f64,
    /// Which part of the time that the server needed a processor something else had it: a server
    /// that is late writes more at a time, and seems cheaper than it is.
    pub(crate) waited: f64,
    /// Arrivals a second.
    pub(crate) pace: f64,
    pub(crate) report: Report,
}

pub(crate) fn run(plan: &Plan, options: &Options) -> anyhow::Result<Sample> {
    let mut rig = Rig::start(plan.server, options)?;
    let idle = connect(&mut rig, plan.clients)?;
    let has = |case| plan.cases.contains(&case);

    rig.begin()?;
    rig.steady(plan.events(1), plan.rate)?;
    rig.arrived()?;

    let mut figures = |case, publish: fn(&mut Rig, &Plan, &Options) -> anyhow::Result<()>| {
        has(case).then(|| measure(&mut rig, |rig| publish(rig, plan, options))).transpose()
    };
    Ok(Sample {
        server: plan.server,
        clients: plan.clients,
        rate: plan.rate,
        steady: figures(Case::Steady, steady)?,
        topics: match plan.server.with_one_topic() {
            Some(_) => figures(Case::Topics, steady)?,
            None => None,
        },
        burst: figures(Case::Burst, |rig, _, options| burst(rig, options.scaled(2_000)))?,
        stream: figures(Case::Stream, stream)?,
        idle: has(Case::Idle).then_some(idle),
    })
}

/// Connects the clients, and answers how many bytes each takes.
fn connect(rig: &mut Rig, clients: usize) -> anyhow::Result<f64> {
    let early = EARLY.min(clients / 2);
    rig.connect(early)?;
    settle();
    let before = rig.resident()?;
    rig.connect(clients - early)?;
    settle();
    let after = rig.resident()?;
    Ok(after.saturating_sub(before) as f64 / (clients - early) as f64)
}

fn measure(
    rig: &mut Rig,
    publish: impl FnOnce(&mut Rig) -> anyhow::Result<()>,
) -> anyhow::Result<Figures> {
    settle();
    rig.begin()?;
    let (times, start) = (rig.times()?, Instant::now());
    publish(rig)?;
    rig.arrived()?;
    let (times, elapsed) = (rig.times()?.since(times), start.elapsed());
    let report = rig.report()?;
    let received = report.received.max(1) as f64;
    Ok(Figures {
        cpu: times.running as f64 / 1e3 / received,
        waited: times.waiting as f64 / (times.running + times.waiting).max(1) as f64,
        pace: received / elapsed.as_secs_f64(),
        report,
    })
}

fn steady(rig: &mut Rig, plan: &Plan, _: &Options) -> anyhow::Result<()> {
    rig.steady(plan.events(plan.seconds), plan.rate)
}

/// The next batch comes when the last one has arrived.
fn burst(rig: &mut Rig, events: u64) -> anyhow::Result<()> {
    for _ in 0..events / BATCH {
        rig.batch(BATCH)?;
        rig.arrived()?;
    }
    Ok(())
}

fn stream(rig: &mut Rig, _: &Plan, options: &Options) -> anyhow::Result<()> {
    for _ in 0..options.scaled(500) {
        rig.publish()?;
    }
    Ok(())
}

impl Plan {
    /// The number of events in so many seconds: one each for all topics, at least.
    fn events(&self, seconds: u64) -> u64 {
        let events = self.rate * Duration::from_secs(seconds).as_secs_f64();
        let step = if self.server.with_one_topic().is_some() { crate::event::TOPICS } else { 1 };
        ((events as u64).div_ceil(step) * step).max(step)
    }
}
