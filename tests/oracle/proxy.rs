//! The way between the clients and the nodes: each connection goes to a node by chance and may be
//! cut after any number of bytes.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
};

use crate::node::Nodes;

pub(crate) struct Proxy {
    address: SocketAddr,
    nodes: Arc<Nodes>,
    random: Mutex<StdRng>,
    obstructed: AtomicBool,
    calm: AtomicBool,
    cuts: watch::Sender<u64>,
    report: Report,
}

/// What went through.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sockets: AtomicU64,
    streams: AtomicU64,
    cut: AtomicU64,
}

/// What happens to a connection.
struct Fate {
    node: usize,
    /// After how many bytes from the server it is cut.
    cut_after: Option<u64>,
}

impl Proxy {
    pub(crate) async fn start(nodes: Arc<Nodes>, seed: u64) -> Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Arc::new(Self {
            address: listener.local_addr()?,
            nodes,
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            obstructed: AtomicBool::new(false),
            calm: AtomicBool::new(false),
            cuts: watch::Sender::new(0),
            report: Report::default(),
        });
        let accepting = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = Arc::clone(&accepting);
                // An error here is what the test is about.
                tokio::spawn(async move { proxy.connect(client).await });
            }
        });
        Ok(proxy)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn report(&self) -> &Report {
        &self.report
    }

    /// Lets no WebSocket through from now on, or does again.
    pub(crate) fn obstruct(&self, yes: bool) {
        self.obstructed.store(yes, Ordering::Relaxed);
    }

    pub(crate) fn cut_all(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// No more faults.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.obstruct(false);
    }

    fn fate(&self) -> Fate {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let node = random.random_range(0..2);
        let calm = self.calm.load(Ordering::Relaxed);
        // As likely within the handshake as in the midst of a long replay.
        let magnitude = random.random_range(0.0..7.0_f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to 10^7")]
        let bytes = 10_f64.powf(magnitude) as u64;
        Fate { node, cut_after: (!calm && random.random_bool(0.8)).then_some(bytes) }
    }

    async fn connect(&self, mut client: TcpStream) -> Result<()> {
        let Fate { node, cut_after } = self.fate();
        let mut start = vec![0; 1024];
        let len = client.read(&mut start).await?;
        start.truncate(len);
        let is_socket = start.starts_with(b"GET /ws");
        if is_socket && self.obstructed.load(Ordering::Relaxed) {
            client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await?;
            return Ok(());
        }
        let count = if is_socket { &self.report.sockets } else { &self.report.streams };
        count.fetch_add(1, Ordering::Relaxed);
        // Where a node is down, the other one takes its clients.
        let address = self.nodes.address(node).or_else(|| self.nodes.address(1 - node));
        let Some(address) = address else { return Ok(()) };
        let mut server = TcpStream::connect(address).await?;
        server.write_all(&start).await?;
        let (mut from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = server.split();
        let mut cuts = self.cuts.subscribe();
        let mut from_server = from_server.take(cut_after.unwrap_or(u64::MAX));
        select! {
            result = copy(&mut from_server, &mut to_client) => { result?; }
            result = copy(&mut from_client, &mut to_server) => { result?; }
            _ = cuts.changed() => {}
        }
        self.report.cut.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
