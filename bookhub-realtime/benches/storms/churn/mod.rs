//! A million clients come and go, in all ways: nothing of them stays.

pub(crate) mod visitors;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    child::Process,
    claims::{Claims, mebibytes},
    options::Storm,
    process::resident,
    server::{Look, Server},
};

/// How many are there at once.
const AT_ONCE: u64 = 500;

/// How much more memory there may be after the storm than after the first part of it.
const MORE: u64 = 4 << 20;

/// How long those who are gone may be remembered.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn raise(quick: bool, claims: &mut Claims) -> anyhow::Result<()> {
    let (all, warm): (u64, u64) = if quick { (20_000, 5_000) } else { (1_000_000, 50_000) };
    let mut server = Server::start(Storm::Churn)?;
    server.listen(0)?;
    let port = server.port;
    let mut visitors = Process::start(&["visitors"])?;
    let mut visit = |count: u64| -> anyhow::Result<visitors::Report> {
        let answer = visitors.ask(&format!("visit {port} {count} {AT_ONCE}"))?;
        Ok(serde_json::from_str(&answer)?)
    };

    // A few, for what is there once and for all.
    let first = visit(AT_ONCE)?;
    thread::sleep(Duration::from_secs(3));
    let before = (server.look()?, descriptors(server.id())?);
    let mut total = visit(warm - AT_ONCE)?;
    let _ = settled(&mut server, &before)?;
    let level = resident(server.id())?;
    let mut course = Vec::new();
    for _ in 0..10 {
        total.add(visit((all - warm) / 10)?);
        course.push(mebibytes(resident(server.id())?));
    }
    total.add(first);
    let after = settled(&mut server, &before)?;
    let memory = resident(server.id())?;

    let visitors::Report { visits, failures, failure, seconds } = total;
    println!(
        "{visits} visits, {:.0} a second; memory after each tenth: {}.\n",
        visits as f64 / seconds,
        course.join(", "),
    );
    let figures = format!(
        "{failures} of {visits} not{}",
        failure.map_or(String::new(), |why| { format!(" (one of them: {why})") })
    );
    claims.note("each visitor is served", failures == 0 && visits == all, figures);
    let (look, open) = &after;
    let figures = format!("{} connections, {} topics", look.connections, look.topics);
    claims.note("no connection stays", look.connections == 0 && look.topics == 0, figures);
    let figures = format!("{} after, {} before", look.tasks, before.0.tasks);
    claims.note("no task stays", look.tasks == before.0.tasks, figures);
    let figures = format!("{open} after, {} before", before.1);
    claims.note("no descriptor stays", *open == before.1, figures);
    let figures = format!("{} after, {} after {warm} visits", mebibytes(memory), mebibytes(level));
    claims.note("memory stays within 4 MiB", memory <= level + MORE, figures);
    Ok(())
}

/// Waits until the server is as it was before, or it is clear that it will not be.
fn settled(server: &mut Server, before: &(Look, usize)) -> anyhow::Result<(Look, usize)> {
    let begun = Instant::now();
    loop {
        let now = (server.look()?, descriptors(server.id())?);
        let same = now.0.connections == 0 && now.0.tasks == before.0.tasks && now.1 == before.1;
        if same || begun.elapsed() > PATIENCE {
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// How many descriptors a process has open.
fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
