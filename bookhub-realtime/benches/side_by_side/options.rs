//! What the benchmark is asked to do.

use std::{fmt, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{cores::Core, servers::Kind};

/// Compares the hub with bare system calls and with other servers.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many clients; with more than one number, the steady case is repeated with each.
    #[arg(long, value_delimiter = ',', default_value = "1000", value_name = "N,...")]
    clients: Vec<usize>,
    /// How often each server is measured; the tables show medians.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long the steady case lasts.
    #[arg(long, default_value_t = 8, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The servers to compare [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    servers: Vec<Kind>,
    /// The cases to measure [default: all but cores].
    #[arg(long, value_delimiter = ',', value_name = "CASE,...")]
    cases: Vec<Case>,
    /// Also measures how much more the hub delivers on two cores.
    #[arg(long)]
    cores: bool,
    /// The binary of a Centrifugo 6, to be compared too.
    #[arg(long, value_name = "PATH")]
    pub(crate) centrifugo: Option<PathBuf>,
    /// 200 clients, one run, two seconds: shows that it works.
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// Given to a benchmark that is only to show that it starts.
    #[arg(long, hide = true)]
    pub(crate) test: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What a child process is.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    /// One of the servers.
    #[command(hide = true)]
    Serve {
        server: Kind,
        #[arg(long)]
        core: Option<Core>,
    },
    /// The clients.
    #[command(hide = true)]
    Load {
        #[arg(long)]
        core: Option<Core>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A moderate rate.
    Steady,
    /// Many events at a time.
    Burst,
    /// Each event on the answer to the last one.
    Stream,
    /// The memory of a connection that waits.
    Idle,
    /// A hundred topics, of which each client follows three.
    Topics,
    /// The hub on one core and on two.
    Cores,
}

/// One server and what is measured of it in one run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) server: Kind,
    pub(crate) clients: usize,
    /// Events a second in the steady case.
    pub(crate) rate: f64,
    pub(crate) seconds: u64,
    pub(crate) cases: Vec<Case>,
}

impl Options {
    pub(crate) fn servers(&self) -> Vec<Kind> {
        let mut servers = self.servers.clone();
        if servers.is_empty() {
            servers = Kind::value_variants().to_vec();
        }
        servers.retain(|server| match server {
            Kind::Centrifugo => self.centrifugo.is_some(),
            _ if server.with_one_topic().is_some() => self.cases().contains(&Case::Topics),
            _ => true,
        });
        servers
    }

    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = self.cases.clone();
        if cases.is_empty() {
            cases = vec![Case::Steady, Case::Burst, Case::Stream, Case::Idle, Case::Topics];
        }
        if self.cores && !cases.contains(&Case::Cores) {
            cases.push(Case::Cores);
        }
        cases
    }

    pub(crate) const fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }

    pub(crate) fn clients(&self) -> &[usize] {
        if self.quick { &[200] } else { &self.clients }
    }

    /// The servers of one run, in their order.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for (index, &clients) in self.clients().iter().enumerate() {
            let cases = self.cases();
            for server in self.servers() {
                let cases = match server {
                    _ if server.with_one_topic().is_some() => match index {
                        0 => vec![Case::Topics],
                        _ => continue,
                    },
                    _ if index > 0 => vec![Case::Steady],
                    Kind::FloorCoalescing => vec![Case::Burst],
                    _ => cases.clone(),
                };
                plans.push(self.plan(server, clients, cases));
            }
        }
        plans
    }

    /// As many deliveries a second whatever the number of clients: some 50,000, a third of what
    /// the floor can do.
    pub(crate) fn plan(&self, server: Kind, clients: usize, cases: Vec<Case>) -> Plan {
        let rate = 50_000.0 / clients as f64;
        let rate =
            if server.with_one_topic().is_some() { rate * crate::event::SPREAD } else { rate };
        let seconds = if self.quick { 2 } else { self.seconds };
        // A quick run does not load the machine.
        let rate = if self.quick { rate / 5.0 } else { rate };
        Plan { server, clients, rate, seconds, cases }
    }

    pub(crate) fn scaled(&self, events: u64) -> u64 {
        if self.quick { events / 4 } else { events }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} clients", self.server.label(), self.clients)
    }
}
