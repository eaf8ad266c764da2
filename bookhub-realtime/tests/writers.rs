//! What may befall a writer: a stream that panics under its hands, the end of the runtime on which it
//! began, and a program that blocks the threads of its tasks.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    time::Duration,
};

use bookhub_realtime::{Hub, HubConfig, Topic};
use http::Request;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf, duplex},
    runtime::{Builder, Runtime},
    task::yield_now,
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// The threads of a runtime that has several.
const WORKERS: usize = 2;

/// A stream that panics when it is written to.
struct Panicking {
    stream: DuplexStream,
    now: Arc<AtomicBool>,
}

impl AsyncRead for Panicking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.now.load(Ordering::SeqCst), "the stream is meant to panic");
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[test]
fn a_stream_that_panics_ends_alone() {
    for runtime in [0, 1].map(runtime) {
        let hub = hub();
        runtime.block_on(async {
            let now = Arc::<AtomicBool>::default();
            let (mut broken, stream) = duplex(4096);
            let stream = Panicking { stream, now: Arc::clone(&now) };
            tokio::spawn(hub.serve_stream(stream, Request::new(())));
            hears(&mut broken, "connection:success").await;
            let mut other = connect(&hub).await;

            now.store(true, Ordering::SeqCst);
            publish(&hub, "first");
            hears(&mut other, "first").await;
            publish(&hub, "second");
            hears(&mut other, "second").await;
            let alone = async {
                while hub.connections() > 1 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(PATIENCE, alone).await.expect("the broken connection ends at once");
        });
    }
}

#[test]
fn a_hub_outlives_the_runtime_of_its_first_client() {
    for kinds in 0..4 {
        let [first, second] = [kinds / 2, kinds % 2].map(runtime);
        let hub = hub();
        first.block_on(async {
            let mut client = connect(&hub).await;
            publish(&hub, "before");
            hears(&mut client, "before").await;
        });
        // Two more of the same writer: one that it has taken up, and one that only asks for it.
        let mut taken_up = second.block_on(connect(&hub));
        publish(&hub, "meanwhile");
        first.block_on(yield_now());
        let mut asking = second.block_on(connect(&hub));
        drop(first);
        second.block_on(async {
            hears(&mut taken_up, "meanwhile").await;
            publish(&hub, "after");
            hears(&mut taken_up, "after").await;
            hears(&mut asking, "after").await;
            let mut new = connect(&hub).await;
            publish(&hub, "later");
            for client in [&mut taken_up, &mut asking, &mut new] {
                hears(client, "later").await;
            }
        });
    }
}

#[test]
fn events_pass_by_tasks_that_block() {
    let tasks = runtime(1);
    let hub = hub();
    let mut client = tasks.block_on(connect(&hub));
    // The connection is in its writer's hands.
    publish(&hub, "before");
    tasks.block_on(hears(&mut client, "before"));

    let blocked = Arc::new(Barrier::new(WORKERS + 1));
    let mut unblock = Vec::new();
    for _ in 0..WORKERS {
        let blocked = Arc::clone(&blocked);
        let (end, unblocked) = mpsc::channel::<()>();
        unblock.push(end);
        tasks.spawn(async move {
            blocked.wait();
            unblocked.recv()
        });
    }
    blocked.wait();
    publish(&hub, "meanwhile");
    runtime(0).block_on(hears(&mut client, "meanwhile"));
}

/// One with a thread, or with several.
fn runtime(kind: usize) -> Runtime {
    let mut builder = match kind {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(WORKERS).enable_all().build().expect("a runtime")
}

fn hub() -> Hub {
    Hub::new(HubConfig::new().writers(1).default_topics([topic().into()]))
}

fn topic() -> Topic {
    "news".parse().expect("a topic")
}

fn publish(hub: &Hub, headline: &str) {
    hub.publish(&topic(), "headline", headline).expect("it comes next");
}

async fn connect(hub: &Hub) -> DuplexStream {
    let (mut client, stream) = duplex(4096);
    tokio::spawn(hub.serve_stream(stream, Request::new(())));
    hears(&mut client, "connection:success").await;
    client
}

/// Reads until the text has come.
async fn hears(client: &mut DuplexStream, text: &str) {
    let hearing = async {
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(text) {
            assert!(
                client.read_buf(&mut heard).await.is_ok_and(|len| len > 0),
                "the hub has hung up"
            );
        }
    };
    timeout(PATIENCE, hearing).await.expect("what was published is heard");
}
