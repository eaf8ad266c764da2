//! The servers, one file each. A server prints the ports of its clients and its commands, then
//! serves until it is killed.

mod axum_naive;
mod axum_tuned;
pub(crate) mod centrifugo;
mod floor;
mod hub;
mod socketioxide;

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::net::TcpListener;

use self::floor::Manner;
use crate::child::answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One bare `write` for each socket and event.
    Floor,
    /// One bare `write` for each socket and all that waits.
    FloorCoalescing,
    /// One bare `write` for each socket that follows the event's topic, and event.
    FloorTopics,
    /// axum and a broadcast channel, with their defaults.
    AxumNaive,
    /// The same with small buffers and without Nagle's algorithm.
    AxumTuned,
    /// That, with up to 64 events in one flush.
    AxumDraining,
    /// Socket.IO.
    Socketioxide,
    /// The hub of this crate.
    Hub,
    /// The hub with a hundred topics, of which each client follows three.
    HubTopics,
    /// Centrifugo, where its binary is given.
    Centrifugo,
}

/// How a server's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Events, from the handshake on.
    Plain,
    /// Events of some topics, from the handshake on.
    PlainTopics,
    /// Events after a welcome.
    Welcomed,
    /// Events of the topics that a hello names.
    Hello,
    SocketIo,
    Centrifugo,
}

impl Kind {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Floor => "floor: one bare `write` each",
            Self::FloorCoalescing => "floor, coalescing",
            Self::FloorTopics => "floor, 3 topics of 100",
            Self::AxumNaive => "axum + broadcast, defaults",
            Self::AxumTuned => "axum + broadcast, tuned",
            Self::AxumDraining => "axum + broadcast, tuned and draining",
            Self::Socketioxide => "socketioxide 0.18",
            Self::Hub => "bookhub-realtime",
            Self::HubTopics => "bookhub-realtime, 3 topics of 100",
            Self::Centrifugo => "Centrifugo",
        }
    }

    /// The server before the same clients with one topic, if this one has many.
    pub(crate) const fn with_one_topic(self) -> Option<Self> {
        match self {
            Self::FloorTopics => Some(Self::Floor),
            Self::HubTopics => Some(Self::Hub),
            _ => None,
        }
    }

    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Hub => Dialect::Welcomed,
            Self::HubTopics => Dialect::Hello,
            Self::FloorTopics => Dialect::PlainTopics,
            Self::Socketioxide => Dialect::SocketIo,
            Self::Centrifugo => Dialect::Centrifugo,
            _ => Dialect::Plain,
        }
    }
}

/// Is a server until it is killed.
pub(crate) fn serve(kind: Kind, centrifugo: Option<&Path>) -> anyhow::Result<()> {
    match kind {
        Kind::Floor => floor::serve(Manner::Each),
        Kind::FloorCoalescing => floor::serve(Manner::Coalescing),
        Kind::FloorTopics => floor::serve(Manner::Topics),
        Kind::AxumNaive => on_tasks(axum_naive::serve),
        Kind::AxumTuned => on_tasks(|ports| axum_tuned::serve(ports, 1)),
        Kind::AxumDraining => on_tasks(|ports| axum_tuned::serve(ports, 64)),
        Kind::Socketioxide => on_tasks(socketioxide::serve),
        Kind::Hub => on_tasks(|ports| hub::serve(ports, false)),
        Kind::HubTopics => on_tasks(|ports| hub::serve(ports, true)),
        Kind::Centrifugo => centrifugo::serve(centrifugo.context("--centrifugo is not given")?),
    }
}

/// Where a server with tasks listens.
struct Ports {
    clients: TcpListener,
    commands: TcpListener,
}

/// Runs a server on the runtime that `#[tokio::main]` makes; a pinned process gets one worker.
fn on_tasks<F>(serve: impl FnOnce(Ports) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ports = runtime.block_on(async {
        anyhow::Ok(Ports {
            clients: TcpListener::bind("127.0.0.1:0").await?,
            commands: TcpListener::bind("127.0.0.1:0").await?,
        })
    })?;
    say_ready(ports.clients.local_addr()?.port(), ports.commands.local_addr()?.port())?;
    let serving = serve(ports);
    runtime.block_on(runtime.spawn(serving))?
}

fn say_ready(clients: u16, commands: u16) -> anyhow::Result<()> {
    Ok(answer(&format!("{clients} {commands}"))?)
}
