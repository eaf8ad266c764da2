//! The load: `wrk`, on the second core.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::options::Options;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Book,
    Page,
}

/// Keeps this thread, and what it starts, on a core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)
        .with_context(|| format!("this needs two cores; not pinned to {core}"))
}

/// The program that asks.
pub(crate) struct Wrk;

impl Wrk {
    pub(crate) fn find() -> Result<Self> {
        let found = Command::new("wrk").arg("--version").output();
        found.context("wrk is missing: install it (apt-get install wrk)")?;
        Ok(Self)
    }

    /// How many requests a second a server answers.
    pub(crate) fn rate(&self, url: &str, options: &Options) -> Result<f64> {
        pin(1)?;
        let mut command = Command::new("wrk");
        command.arg("-t1").arg(format!("-c{}", options.connections));
        command.arg(format!("-d{}s", options.seconds)).arg(url);
        let output = String::from_utf8(command.output()?.stdout)?;
        ensure!(!output.contains("Non-2xx"), "{url} refuses:\n{output}");
        let rate = output.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        Ok(rate.with_context(|| format!("no rate in:\n{output}"))?.trim().parse()?)
    }
}
