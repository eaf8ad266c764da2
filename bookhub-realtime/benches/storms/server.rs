//! The server: the hub in axum, as a storm needs it, told by lines what to publish.

use std::{
    io::stdin,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use axum::serve::ListenerExt as _;
use bookhub_realtime::{Hub, HubConfig, Position, Topic};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
};

use crate::{
    child::{Process, answer},
    numbered::Event,
    options::Storm,
};

/// The size of the events that are there for their size.
pub(crate) const BULK: u64 = 1024;

/// What such an event is without its data.
const ENVELOPE: usize = 66;

/// How long slow clients are borne with.
const PATIENCE: Duration = Duration::from_hours(1);

/// The time between two events while clients come and go.
const CHATTER: Duration = Duration::from_millis(50);

/// The server, from the outside.
pub(crate) struct Server {
    process: Process,
    pub(crate) port: u16,
}

/// A look at the server's inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) connections: usize,
    /// How many topics somebody follows.
    pub(crate) topics: usize,
    pub(crate) tasks: usize,
    pub(crate) history_bytes: usize,
}

impl Server {
    /// Starts it; it does not listen yet.
    pub(crate) fn start(storm: Storm) -> anyhow::Result<Self> {
        Ok(Self { process: Process::start(&["serve", &storm.to_string()])?, port: 0 })
    }

    /// Opens it to clients; port 0 is any that is free.
    pub(crate) fn listen(&mut self, port: u16) -> anyhow::Result<()> {
        self.port = self.process.ask(&format!("listen {port}"))?.parse()?;
        Ok(())
    }

    /// Publishes an event at the position that is its number.
    pub(crate) fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        self.process.ask(&format!("publish {} {}", event.number, event.padded("")))?;
        Ok(())
    }

    /// Publishes so many numbered events as news, evenly over a time, and meanwhile so many bytes
    /// in bulk.
    pub(crate) fn pour(
        &mut self,
        news: (u64, u64),
        bulk: u64,
        time: Duration,
    ) -> anyhow::Result<()> {
        let (first, count) = news;
        self.process.ask(&format!("pour {first} {count} {bulk} {}", time.as_millis()))?;
        Ok(())
    }

    pub(crate) fn look(&mut self) -> anyhow::Result<Look> {
        Ok(serde_json::from_str(&self.process.ask("look")?)?)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Is the server until it is killed or standard input ends.
pub(crate) fn serve(storm: Storm) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let hub = Hub::new(config(storm)?);
    let news: Topic = "news".parse()?;
    let bulk: Topic = "bulk".parse()?;
    if storm == Storm::Churn {
        chatter(hub.clone(), news.clone());
    }
    let mut poured = 0;
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["listen", port] => {
                let port = listen(runtime.handle(), &hub, port.parse()?)?;
                answer(&port.to_string())?;
            }
            ["publish", position, data] => {
                let data = RawValue::from_string(data.to_owned())?;
                hub.publish_at(Position::new(position.parse()?), &news, "tick", &data)?;
                answer("ok")?;
            }
            ["pour", first, count, bytes, millis] => {
                let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
                let millis = u32::try_from(millis.parse::<u64>()?)?;
                let pads = bytes.parse::<u64>()? / BULK;
                let pause = Duration::from_millis(1);
                let mut due = Instant::now();
                for tick in 0..u64::from(millis) {
                    let share = |of: u64| {
                        of * tick / u64::from(millis)..of * (tick + 1) / u64::from(millis)
                    };
                    for _ in share(pads) {
                        publish_bulk(&hub, &bulk, poured)?;
                        poured += 1;
                    }
                    for number in share(count) {
                        let data = Event::new(first + number).padded("");
                        hub.publish(&news, "tick", &RawValue::from_string(data)?)?;
                    }
                    due += pause;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                answer("ok")?;
            }
            ["look"] => answer(&serde_json::to_string(&look(runtime.handle(), &hub))?)?,
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

fn config(storm: Storm) -> anyhow::Result<HubConfig> {
    let config = HubConfig::new()
        .epoch("storms".parse()?)
        .secret(b"only the servers of these proofs know".as_slice())
        .default_topics(["news".parse()?]);
    Ok(match storm {
        Storm::Crash => config,
        Storm::Slow => config.heartbeat(PATIENCE).write_timeout(PATIENCE),
        // Enough for whoever goes on as the one before, and soon full: then it takes the same.
        Storm::Churn => config.history(5000, 2 << 20),
    })
}

fn listen(runtime: &Handle, hub: &Hub, port: u16) -> anyhow::Result<u16> {
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
    let port = listener.local_addr()?.port();
    let app: axum::Router = axum::Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll());
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok(port)
}

fn publish_bulk(hub: &Hub, topic: &Topic, number: u64) -> anyhow::Result<()> {
    const PAD: &str = match str::from_utf8(&[b'x'; BULK as usize]) {
        Ok(pad) => pad,
        Err(_) => "",
    };
    let event = Event::new(number);
    let pad = &PAD[..PAD.len().saturating_sub(ENVELOPE + event.padded("").len())];
    hub.publish(topic, "bulk", &RawValue::from_string(event.padded(pad))?)?;
    Ok(())
}

fn look(runtime: &Handle, hub: &Hub) -> Look {
    let view = hub.inspect();
    Look {
        connections: view.connections,
        topics: view.topics.len(),
        tasks: runtime.metrics().num_alive_tasks(),
        history_bytes: view.history_bytes,
    }
}

/// Something to write to whoever is there, for as long as the process lives.
fn chatter(hub: Hub, topic: Topic) {
    thread::spawn(move || {
        for number in 0_u64.. {
            thread::sleep(CHATTER);
            if hub.publish(&topic, "tick", &number).is_err() {
                return;
            }
        }
    });
}
