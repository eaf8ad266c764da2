//! Two hundred clients, half of them cut again and again while the catalogue changes: each has
//! every event exactly once and in order, or was told that it has not.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bookhub_tests::{PATIENCE, Person, Server, Socket};
use futures_util::future::try_join_all;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 200;
const CUTS: usize = 20;
const WRITES: usize = 2000;

/// How the writes of the test end: a title that no other book has.
const LAST: &str = "The last one";

/// What one client has seen.
#[derive(Debug, Default)]
struct Seen {
    events: Vec<Value>,
    resyncs: usize,
}

/// Where a client is cut off.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Before it has read its welcome.
    InTheHandshake,
    /// After so many messages of the connection.
    After(usize),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_clients_see_every_event_once_and_in_order_or_are_told() -> Result<()> {
    let seed = match std::env::var("BOOKHUB_TEST_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => rand::random(),
    };
    println!("BOOKHUB_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::empty().await?;
    let admin = server.admin().await?;

    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let cuts = if number % 2 == 0 { Vec::new() } else { cut_points(&mut random) };
        let client = Client::connect(&server.url, StdRng::seed_from_u64(random.next_u64())).await?;
        clients.push(tokio::spawn(client.follow(cuts)));
    }
    write(&admin, StdRng::seed_from_u64(random.next_u64())).await?;

    let mut histories = Vec::new();
    for client in clients {
        histories.push(timeout(PATIENCE * 3, client).await.context("a client hangs")???);
    }
    let whole = &histories[0].events;
    assert!(whole.len() >= WRITES, "{} events", whole.len());
    for (number, seen) in histories.iter().enumerate() {
        // The history is longer than the test, so nobody may be told to fetch anew.
        assert_eq!(seen.resyncs, 0, "client {number}");
        assert_eq!(seen.events.len(), whole.len(), "client {number}");
        for (own, expected) in seen.events.iter().zip(whole) {
            assert_eq!(own, expected, "client {number}");
        }
    }
    Ok(())
}

fn cut_points(random: &mut StdRng) -> Vec<Cut> {
    (0..CUTS)
        .map(|_| match random.random_range(0..10) {
            0 => Cut::InTheHandshake,
            1..=3 => Cut::After(random.random_range(1..4)),
            _ => Cut::After(random.random_range(1..180)),
        })
        .collect()
}

/// Creates, changes and deletes books, eight writers at once.
async fn write(admin: &Person, mut random: StdRng) -> Result<()> {
    let writers = (0..8).map(|writer| {
        let (admin, mut random) = (admin.clone(), StdRng::seed_from_u64(random.next_u64()));
        async move {
            let mut ids: Vec<String> = Vec::new();
            for number in 0..WRITES / 8 {
                match random.random_range(0..10) {
                    0 if ids.len() > 3 => {
                        let id = ids.swap_remove(random.random_range(0..ids.len()));
                        admin.delete(&id).await?;
                    }
                    1..=6 if !ids.is_empty() => {
                        let id = &ids[random.random_range(0..ids.len())];
                        admin.patch(id, &json!({ "price": number })).await?;
                        admin.patch(id, &json!({ "title": format!("{writer}.{number}") })).await?;
                    }
                    _ => {
                        let book = admin.create(&format!("{writer}:{number}")).await?;
                        ids.push(book["id"].as_str().context("an id")?.to_owned());
                    }
                }
            }
            anyhow::Ok(())
        }
    });
    try_join_all(writers).await?;
    admin.create(LAST).await?;
    Ok(())
}

struct Client {
    url: String,
    socket: Socket,
    token: Value,
    last_id: Value,
    seen: Seen,
    random: StdRng,
}

impl Client {
    async fn connect(url: &str, random: StdRng) -> Result<Self> {
        let mut socket = Socket::open(url, true).await?;
        socket.say(&json!({ "type": "hello", "topics": ["books"] })).await?;
        let welcome = socket.next().await?;
        let (token, last_id) = (&welcome["data"]["token"], &welcome["data"]["position"]);
        let (token, last_id) = (token.clone(), last_id.clone());
        Ok(Self { url: url.to_owned(), socket, token, last_id, seen: Seen::default(), random })
    }

    async fn follow(mut self, cuts: Vec<Cut>) -> Result<Seen> {
        let mut cuts = cuts.into_iter();
        loop {
            let cut = cuts.next();
            let most = match cut {
                Some(Cut::After(messages)) => messages,
                Some(Cut::InTheHandshake) => 0,
                None => usize::MAX,
            };
            if self.read(most).await? {
                return Ok(self.seen);
            }
            // Dropping a socket with unread bytes resets the connection, wherever it was.
            sleep(Duration::from_millis(self.random.random_range(0..30))).await;
            self.socket = Socket::open(&self.url, true).await?;
            let resume = json!({ "token": self.token, "last_id": self.last_id });
            self.socket.say(&json!({ "type": "hello", "resume": resume })).await?;
        }
    }

    /// Reads so many messages; says whether the last event has come.
    async fn read(&mut self, most: usize) -> Result<bool> {
        for _ in 0..most {
            let message = self.socket.next().await?;
            if message["id"].is_string() {
                self.last_id = message["id"].clone();
                let last = message["data"]["title"] == LAST;
                self.seen.events.push(message);
                if last {
                    return Ok(true);
                }
                continue;
            }
            match message["event"].as_str() {
                Some("connection:success" | "subscribed") => {
                    self.token = message["data"]["token"].clone();
                }
                Some("resync") => {
                    self.last_id = message["data"]["position"].clone();
                    self.seen.resyncs += 1;
                }
                other => bail!("unexpected: {other:?}"),
            }
        }
        Ok(false)
    }
}
