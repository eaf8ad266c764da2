//! Clients that come back by the rules of the library's own: its backoff, and a resume by token and
//! id. They are not that client itself, which would drop what comes twice before it is counted.

use std::{
    convert::Infallible,
    io::{self, Error, stdin},
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Handle},
    time::{sleep, timeout},
};

use crate::{backoff::Backoff, child::answer, line::Line, numbered::Event, process};

/// How long a server may take to the upgrade, and to the welcome.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);

/// How many clients come at once at first.
const AT_ONCE: u64 = 200;

/// What the clients have seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When each was complete up to an event after the crash.
    pub(super) back: Vec<u64>,
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) resyncs: u64,
    /// How often they tried to connect, all together.
    pub(super) tries: u64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tally = Arc::new(Tally { crash: AtomicU64::new(u64::MAX), ..Tally::default() });
    let mut clients = Vec::new();
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["connect", port, count] => {
                clients = connect(runtime.handle(), &tally, port.parse()?, count.parse()?)?;
                answer("ok")?;
            }
            // From now on an event after this number says that a client is back.
            ["crash", number] => {
                tally.crash.store(number.parse()?, Relaxed);
                answer("ok")?;
            }
            ["back"] => answer(&tally.back().len().to_string())?,
            ["lacks", newest] => answer(&lacks(&clients, newest.parse()?).to_string())?,
            ["report", newest] => {
                let report = Report {
                    back: tally.back().clone(),
                    received: tally.received.load(Relaxed),
                    lost: tally.lost.load(Relaxed) + lacks(&clients, newest.parse()?),
                    repeated: tally.repeated.load(Relaxed),
                    resyncs: tally.resyncs.load(Relaxed),
                    tries: tally.tries.load(Relaxed),
                };
                answer(&serde_json::to_string(&report)?)?;
            }
            _ => bail!("no command: {line}"),
        }
    }
    Ok(())
}

/// Connects the clients, and answers the number of the event that each expects next.
fn connect(
    runtime: &Handle,
    tally: &Arc<Tally>,
    port: u16,
    count: u64,
) -> anyhow::Result<Vec<Arc<AtomicU64>>> {
    if let Some(reason) = process::too_many(usize::try_from(count)?) {
        bail!(reason);
    }
    let mut clients = Vec::new();
    for number in 0..count {
        let next = Arc::new(AtomicU64::new(1));
        clients.push(Arc::clone(&next));
        let client = Client {
            from: Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % 4)?),
            port,
            next,
            tally: Arc::clone(tally),
            is_back: false,
            token: None,
            position: None,
            hint: 0,
        };
        runtime.spawn(client.live());
        while tally.welcomed.load(Relaxed) + AT_ONCE < number {
            thread::sleep(Duration::from_millis(1));
        }
    }
    while tally.welcomed.load(Relaxed) < count {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(clients)
}

/// How many events up to the newest one the clients still expect.
fn lacks(clients: &[Arc<AtomicU64>], newest: u64) -> u64 {
    clients.iter().map(|next| (newest + 1).saturating_sub(next.load(Relaxed))).sum()
}

/// What all clients together have seen.
#[derive(Default)]
struct Tally {
    crash: AtomicU64,
    back: Mutex<Vec<u64>>,
    welcomed: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
    resyncs: AtomicU64,
    tries: AtomicU64,
}

impl Tally {
    fn back(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client {
    from: Ipv4Addr,
    port: u16,
    /// The number of the next event.
    next: Arc<AtomicU64>,
    tally: Arc<Tally>,
    is_back: bool,
    token: Option<String>,
    /// The id up to which everything was seen.
    position: Option<String>,
    hint: usize,
}

impl Client {
    async fn live(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let begun = Instant::now();
            let Err(_) = self.follow().await;
            backoff.stood(begun.elapsed());
            sleep(backoff.next()).await;
        }
    }

    async fn follow(&mut self) -> io::Result<Infallible> {
        self.tally.tries.fetch_add(1, Relaxed);
        let mut line = timeout(CONNECT_TIMEOUT, async {
            let mut line = Line::connect(self.from, self.port).await?;
            line.upgrade(true).await?;
            line.say(&self.hello()).await?;
            io::Result::Ok(line)
        })
        .await??;
        let welcome = timeout(WELCOME_TIMEOUT, line.text()).await??;
        self.take_control(welcome)?;
        self.tally.welcomed.fetch_add(1, Relaxed);
        loop {
            let text = line.text().await?;
            match text.strip_prefix(br#"{"id":""#) {
                Some(rest) => self.take_event(text, rest)?,
                None => self.take_control(text)?,
            }
        }
    }

    fn hello(&self) -> String {
        let mut hello = json!({ "type": "hello", "topics": ["news"] });
        if let (Some(token), Some(position)) = (&self.token, &self.position) {
            hello["resume"] = json!({ "token": token, "last_id": position });
        }
        hello.to_string()
    }

    fn take_event(&mut self, text: &[u8], rest: &[u8]) -> io::Result<()> {
        let id = rest.split(|byte| *byte == b'"').next().unwrap_or_default();
        let position = self.position.get_or_insert_default();
        position.clear();
        position.push_str(str::from_utf8(id).map_err(Error::other)?);
        let event = Event::find(text, &mut self.hint);
        let Event { number, .. } = event.ok_or_else(|| Error::other("no number"))?;
        let (tally, next) = (&self.tally, self.next.load(Relaxed));
        if number < next {
            tally.repeated.fetch_add(1, Relaxed);
            return Ok(());
        }
        tally.lost.fetch_add(number - next, Relaxed);
        tally.received.fetch_add(1, Relaxed);
        self.next.store(number + 1, Relaxed);
        if number > tally.crash.load(Relaxed) && !self.is_back {
            self.is_back = true;
            tally.back().push(process::now());
        }
        Ok(())
    }

    fn take_control(&mut self, text: &[u8]) -> io::Result<()> {
        let control: Value = serde_json::from_slice(text)?;
        let data = &control["data"];
        if let Some(token) = data["token"].as_str() {
            self.token = Some(token.to_owned());
        }
        let position = data["position"].as_str();
        let seen = self.position.as_deref();
        match control["event"].as_str() {
            Some("connection:success") if seen.is_some() => {}
            Some("connection:success" | "ping") if position > seen => {
                self.position = position.map(str::to_owned);
            }
            Some("resync") => {
                self.tally.resyncs.fetch_add(1, Relaxed);
                self.position = position.map(str::to_owned);
            }
            Some("error") => return Err(Error::other(control.to_string())),
            _ => {}
        }
        Ok(())
    }
}
