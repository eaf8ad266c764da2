//! The hub on one core and on two, beside bare `write` calls from one thread and from two. Clients
//! that read need a core themselves; these let what comes lie in the kernel's buffers until the clock
//! has stopped, so that the cores are the server's.

use std::{
    fmt,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use bookhub_realtime::{Hub, HubConfig, Topic};
use http::Request;
use serde_json::value::RawValue;
use tokio::runtime::Builder;

use crate::{
    cores::Times,
    event::{Event, FIRST},
    process,
    table::median,
};

const CLIENTS: usize = 2000;

/// How many events are timed at a time: they fit into a client's buffer.
const EVENTS: u64 = 100;
const ROUNDS: u64 = 5;

/// Medians of what one writer makes, and two.
pub(crate) struct Scaling {
    floor: [Pace; 2],
    hub: [Pace; 2],
}

#[derive(Clone, Copy)]
struct Pace {
    /// Million deliveries a second.
    deliveries: f64,
    /// Microseconds that a delivery takes of a processor.
    cpu: f64,
}

impl Scaling {
    pub(crate) fn measure(runs: u32) -> anyhow::Result<Self> {
        if let Some(reason) = process::too_many(2 * CLIENTS) {
            bail!(reason);
        }
        let mut paces: [Vec<Pace>; 4] = Default::default();
        for run in 1..=runs {
            eprintln!("run {run} of {runs}: one core and two");
            paces[0].push(floor(1)?);
            paces[1].push(floor(2)?);
            paces[2].push(hub(1)?);
            paces[3].push(hub(2)?);
        }
        let [floor_one, floor_two, hub_one, hub_two] = paces.map(|paces| Pace {
            deliveries: median(paces.iter().map(|pace| pace.deliveries)),
            cpu: median(paces.iter().map(|pace| pace.cpu)),
        });
        Ok(Self { floor: [floor_one, floor_two], hub: [hub_one, hub_two] })
    }
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Cores: {CLIENTS} clients that let everything lie in the kernel's buffers\n")?;
        writeln!(
            f,
            "| | million deliveries a second, one core | two | ÷ one | CPU µs a delivery | two |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
        for (name, [one, two]) in
            [("floor: one bare `write` each", self.floor), ("bookhub-realtime", self.hub)]
        {
            writeln!(
                f,
                "| {name} | {:.3} | {:.3} | {:.2} | {:.2} | {:.2} |",
                one.deliveries,
                two.deliveries,
                two.deliveries / one.deliveries,
                one.cpu,
                two.cpu
            )?;
        }
        Ok(())
    }
}

/// Threads that write to their part of the sockets.
fn floor(writers: usize) -> anyhow::Result<Pace> {
    let mut crowd = Crowd::default();
    let mut parts: Vec<Vec<TcpStream>> = Vec::new();
    parts.resize_with(writers, Vec::new);
    crowd.connect(|number, stream, _| {
        parts[number % writers].push(stream);
        Ok(())
    })?;
    let threads: Vec<mpsc::Sender<Arc<Vec<u8>>>> = parts
        .into_iter()
        .map(|mut sockets| {
            let (order, orders) = mpsc::channel::<Arc<Vec<u8>>>();
            thread::spawn(move || {
                for frame in orders {
                    for socket in &mut sockets {
                        // A client that is gone is missed by the clock.
                        let _ = socket.write_all(&frame);
                    }
                }
            });
            order
        })
        .collect();
    crowd.pace(writers, |number| {
        let frame = Arc::new(Event::new(number).to_json(0).into_bytes());
        for thread in &threads {
            thread.send(Arc::clone(&frame))?;
        }
        Ok(())
    })
}

fn hub(writers: usize) -> anyhow::Result<Pace> {
    let runtime = Builder::new_multi_thread().worker_threads(writers).enable_all().build()?;
    let topic: Topic = "ticks".parse()?;
    let hub = Hub::new(HubConfig::new().writers(writers).default_topics([topic.clone().into()]));
    let mut crowd = Crowd::default();
    crowd.connect(|_, stream, client| {
        stream.set_nonblocking(true)?;
        let _entered = runtime.enter();
        let stream = tokio::net::TcpStream::from_std(stream)?;
        runtime.spawn(hub.serve_stream(stream, Request::new(())));
        // One after the other, so that the last ones are the last that their writers come to.
        ensure!(client.read(&mut [0; 4096])? > 0, "no welcome");
        Ok(())
    })?;
    let pace = crowd.pace(writers, |number| {
        let data = Event::new(number).to_json(50);
        hub.publish(&topic, "tick", &RawValue::from_string(data)?)?;
        Ok(())
    })?;
    let view = hub.inspect();
    ensure!(view.behind == 0 && view.connections == CLIENTS, "not all keep up: {view:?}");
    Ok(pace)
}

#[derive(Default)]
struct Crowd {
    clients: Vec<TcpStream>,
}

impl Crowd {
    /// Connects all, one after the other, to a server that takes the sockets.
    fn connect(
        &mut self,
        mut take: impl FnMut(usize, TcpStream, &mut TcpStream) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        for number in 0..CLIENTS {
            let mut client = TcpStream::connect(listener.local_addr()?)?;
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            take(number, stream, &mut client)?;
            self.clients.push(client);
        }
        Ok(())
    }

    /// How fast and how dear deliveries are, if each event is published when all have the last one:
    /// those have it who are the last that their writers come to.
    fn pace(
        &mut self,
        writers: usize,
        mut publish: impl FnMut(u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<Pace> {
        let (mut elapsed, mut running) = (Duration::ZERO, 0);
        let mut number = FIRST;
        for round in 0..=ROUNDS {
            thread::sleep(Duration::from_millis(100));
            self.clients.iter_mut().try_for_each(drain)?;
            let (start, before) = (Instant::now(), Times::of_others()?);
            for _ in 0..EVENTS {
                publish(number)?;
                for last in self.clients.iter_mut().rev().take(writers) {
                    ensure!(last.read(&mut [0; 4096])? > 0, "the server has hung up");
                }
                number += 1;
            }
            // The first round is for the machine to get warm.
            if round > 0 {
                elapsed += start.elapsed();
                running += Times::of_others()?.since(before).running;
            }
        }
        let deliveries = (CLIENTS as u64 * EVENTS * ROUNDS) as f64;
        Ok(Pace {
            deliveries: deliveries / elapsed.as_secs_f64() / 1e6,
            cpu: running as f64 / 1e3 / deliveries,
        })
    }
}

/// Takes what has come.
fn drain(client: &mut TcpStream) -> anyhow::Result<()> {
    let mut space = [0; 65536];
    client.set_nonblocking(true)?;
    loop {
        match client.read(&mut space) {
            Ok(0) => bail!("the server has hung up"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(client.set_nonblocking(false)?)
}
