//! The hub on one core and on two. Clients over TCP need a core themselves; these need none, each
//! being a `write` to `/dev/null`, so that the cores are the hub's.

use std::{
    fs::File,
    io,
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    time::Instant,
};

use bookhub_realtime::{Hub, HubConfig, Topic};
use http::Request;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Builder,
};

use crate::event::{Event, FIRST};

/// How many connections there are, and how many events each gets.
const CLIENTS: usize = 4000;
const EVENTS: u64 = 500;

/// How many deliveries a second this many writers make, each on a core.
pub(crate) fn pace(writers: usize) -> anyhow::Result<f64> {
    let runtime = Builder::new_multi_thread().worker_threads(writers).enable_all().build()?;
    let topic: Topic = "ticks".parse()?;
    let hub = Hub::new(HubConfig::new().writers(writers).default_topics([topic.clone().into()]));
    let null = Arc::new(File::create("/dev/null")?);
    let (done, arrived) = mpsc::channel();
    for number in 0..CLIENTS {
        // The writers take the connections in turn: these are the last ones of each.
        let is_last = number + writers >= CLIENTS;
        let client = Null { null: Arc::clone(&null), done: is_last.then(|| done.clone()) };
        runtime.spawn(hub.serve_stream(client, Request::new(())));
        if is_last {
            arrived.recv()?;
        }
    }
    while hub.connections() < CLIENTS {
        std::thread::yield_now();
    }
    let publish = |number| -> anyhow::Result<()> {
        let data = Event::new(number).to_json(50);
        hub.publish(&topic, "tick", &RawValue::from_string(data)?)?;
        for _ in 0..writers {
            arrived.recv()?;
        }
        Ok(())
    };
    for number in 0..EVENTS / 10 {
        publish(FIRST + number)?;
    }
    let start = Instant::now();
    for number in 0..EVENTS {
        publish(FIRST + EVENTS + number)?;
    }
    Ok((CLIENTS as u64 * EVENTS) as f64 / start.elapsed().as_secs_f64())
}

/// A client that says nothing and takes everything.
struct Null {
    null: Arc<File>,
    /// Is told of each write.
    done: Option<mpsc::Sender<()>>,
}

impl AsyncRead for Null {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Null {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = rustix::io::write(&self.null, bytes)?;
        if let Some(done) = &self.done {
            // Whoever counted is gone when all is over.
            let _ = done.send(());
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
