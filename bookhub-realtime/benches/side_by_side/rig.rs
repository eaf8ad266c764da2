//! One server and its clients, each in a process of its own, and the orders to both.

use anyhow::Context as _;
use clap::ValueEnum as _;

use crate::{
    child::Process,
    control::{self, Commander},
    cores::{Core, Times},
    event::{Event, FIRST, SPREAD},
    load::Report,
    options::Options,
    process,
    servers::{Kind, centrifugo::Api},
};

pub(crate) struct Rig {
    server: Process,
    load: Process,
    kind: Kind,
    port: u16,
    orders: Orders,
    clients: usize,
    /// The number of the next event.
    next: u64,
    /// How many events the clients have when all are there that were published since `begin`.
    due: u64,
}

/// How a server is told to publish.
enum Orders {
    Lines(Commander),
    Http(Api),
}

impl Rig {
    /// Starts both, pinned to a core each.
    pub(crate) fn start(kind: Kind, options: &Options) -> anyhow::Result<Self> {
        let name = kind.to_possible_value().context("every server has a name")?;
        let mut arguments = vec!["serve", name.get_name()];
        let centrifugo = options.centrifugo.as_ref().and_then(|path| path.to_str());
        if let Some(path) = centrifugo {
            arguments.splice(0..0, ["--centrifugo", path]);
        }
        let (server_core, load_core) = (Core::SERVER.to_string(), Core::LOAD.to_string());
        arguments.extend(["--core", &server_core]);
        let load = ["load", "--core", &load_core];
        let mut server = Process::start(&arguments)?;
        let load = Process::start(&load)?;
        let ports = server.line()?;
        let (port, commands) = ports.split_once(' ').context("the server tells two ports")?;
        let (port, commands) = (port.parse()?, commands.parse()?);
        let orders = match kind {
            Kind::Centrifugo => Orders::Http(Api::connect(commands)?),
            _ => Orders::Lines(Commander::connect(commands)?),
        };
        Ok(Self { server, load, kind, port, orders, clients: 0, next: FIRST, due: 0 })
    }

    /// Adds so many clients; they are welcomed when this returns.
    pub(crate) fn connect(&mut self, clients: usize) -> anyhow::Result<()> {
        let server = self.kind.to_possible_value().context("every server has a name")?;
        let command = format!("connect {} {} {clients}", server.get_name(), self.port);
        self.load.ask(&command)?;
        self.clients += clients;
        Ok(())
    }

    /// Counts from here on.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        self.load.ask(&format!("begin {}", self.next))?;
        self.due = 0;
        Ok(())
    }

    pub(crate) fn publish(&mut self) -> anyhow::Result<()> {
        let event = Event::new(self.take(1));
        match &mut self.orders {
            Orders::Lines(commander) => commander.order(control::Command::Publish(event)),
            Orders::Http(api) => api.publish(event),
        }
    }

    pub(crate) fn batch(&mut self, count: u64) -> anyhow::Result<()> {
        let first = self.take(count);
        match &mut self.orders {
            Orders::Lines(commander) => commander.order(control::Command::Batch { first, count }),
            Orders::Http(api) => api.batch(first, count),
        }
    }

    /// Publishes so many events at a rate a second.
    pub(crate) fn steady(&mut self, count: u64, rate: f64) -> anyhow::Result<()> {
        let first = self.take(count);
        let interval = (1e9 / rate) as u64;
        match &mut self.orders {
            Orders::Lines(commander) => {
                commander.order(control::Command::Steady { first, count, interval })
            }
            Orders::Http(api) => {
                control::at_rate(first, count, interval, |event| api.publish(event))
            }
        }
    }

    fn take(&mut self, count: u64) -> u64 {
        let first = self.next;
        self.next += count;
        let deliveries = (count * self.clients as u64) as f64;
        let share = if self.kind.with_one_topic().is_some() { SPREAD } else { 1.0 };
        self.due += (deliveries / share).round() as u64;
        first
    }

    /// Waits until everything has come, or nothing comes any more, and no longer expects what has
    /// not come.
    pub(crate) fn arrived(&mut self) -> anyhow::Result<()> {
        self.due = self.load.ask(&format!("await {}", self.due))?.parse()?;
        Ok(())
    }

    pub(crate) fn report(&mut self) -> anyhow::Result<Report> {
        Ok(serde_json::from_str(&self.load.ask(&format!("report {}", self.next))?)?)
    }

    /// The server's share of the processors so far.
    pub(crate) fn times(&self) -> anyhow::Result<Times> {
        Ok(Times::of(self.server.id())?)
    }

    /// The memory that the server holds, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        Ok(process::resident(self.server.id())?)
    }
}
