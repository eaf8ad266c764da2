//! The bare driver: the commands by which the server answers a request, sent by the same calls of the
//! same driver, with the answers taken as they come. A process of its own, so that its processor time
//! is theirs alone.

use std::{
    collections::{HashMap, hash_map::Entry},
    env, fs,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bookhub_core::Book;
use clap::ValueEnum as _;
use futures_util::{
    TryStreamExt as _,
    future::{try_join, try_join_all},
};
use mongodb::{
    Client, Database,
    bson::{Document, RawDocumentBuf, Uuid, doc},
    options::{ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin, stdout},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

use crate::{
    call::{Call, Count},
    least,
    question::{Operation, Question},
};

/// The process, from outside.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Where it answers as [`least`] does.
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) async fn start(uri: &str, sample: &Path) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["bare", uri])
            .arg(sample)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("stdin is piped")?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Self { child, input, output, address };
        process.address = process.line().await?.parse()?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("it runs")
    }

    /// Has it do this for so long, and returns how often it did.
    pub(crate) async fn run(
        &mut self,
        operation: Operation,
        callers: usize,
        time: Duration,
    ) -> Result<u64> {
        let (name, time) = (operation.name(), time.as_millis());
        let order = format!("{name} {callers} {time}\n");
        self.input.write_all(order.as_bytes()).await?;
        self.line().await?.parse().context("a number")
    }

    async fn line(&mut self) -> Result<String> {
        self.output.next_line().await?.context("the bare driver has ended")
    }
}

/// The process, from inside: does what the lines of its standard input say.
pub(crate) async fn run(uri: &str, sample: &Path) -> Result<()> {
    let sample: Vec<Book> = serde_json::from_slice(&fs::read(sample)?)?;
    let (driver, calls) = (Driver::connect(uri).await?, Mutex::default());
    let prepared = Arc::new(Prepared { driver, sample, calls });
    say(&least::serve(Arc::clone(&prepared)).await?.to_string()).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let [operation, callers, time] =
            line.split(' ').collect::<Vec<_>>()[..].try_into().context("an order")?;
        let operation = Operation::from_str(operation, false).map_err(anyhow::Error::msg)?;
        let calls = prepared.calls(operation).await?;
        let (callers, time) = (callers.parse()?, Duration::from_millis(time.parse()?));
        say(&prepared.driver.repeat(calls, callers, time).await?.to_string()).await?;
    }
    Ok(())
}

async fn say(line: &str) -> Result<()> {
    let mut out = stdout();
    out.write_all(format!("{line}\n").as_bytes()).await?;
    Ok(out.flush().await?)
}

/// The driver, and what it is called with.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) driver: Driver,
    sample: Vec<Book>,
    calls: Mutex<HashMap<Operation, Arc<Vec<Call>>>>,
}

impl Prepared {
    /// The calls of an operation: made once, and so in the round that warms up.
    pub(crate) async fn calls(&self, operation: Operation) -> Result<Arc<Vec<Call>>> {
        Ok(Arc::clone(match self.calls.lock().await.entry(operation) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(self.driver.calls(operation, &self.sample).await?))
            }
        }))
    }
}

/// The driver, set up as the shop does.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    database: Database,
}

impl Driver {
    pub(crate) async fn connect(uri: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(uri).await?;
        options.app_name = Some("bookhub".to_owned());
        options.write_concern = Some(WriteConcern::majority());
        options.read_concern = Some(ReadConcern::local());
        options.selection_criteria = Some(ReadPreference::Primary.into());
        let database = Client::with_options(options)?.default_database();
        Ok(Self { database: database.context("the string names a database")? })
    }

    /// The calls for all the questions of an operation.
    pub(crate) async fn calls(&self, operation: Operation, sample: &[Book]) -> Result<Vec<Call>> {
        // Whoever logged in first.
        let id = async |collection| {
            let first = self.database.collection::<Document>(collection).find_one(doc! {}).await?;
            first.and_then(|first| first.get("_id").cloned()).context("somebody is logged in")
        };
        let (session, user) = (id("sessions").await?, id("users").await?);
        let questions = Question::all(operation, sample);
        questions.into_iter().map(|question| Call::new(question, &session, &user)).collect()
    }

    async fn repeat(&self, calls: Arc<Vec<Call>>, callers: usize, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        let callers = (0..callers).map(|first| {
            let (driver, calls) = (self.clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let (mut done, mut own) = (0, calls.iter().skip(first).step_by(callers).cycle());
                while let Some(call) = own.next().filter(|_| Instant::now() < end) {
                    driver.call(call.clone()).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            })
        });
        let done = try_join_all(callers.collect::<Vec<_>>()).await?;
        done.into_iter().sum()
    }

    /// Calls it, as often as the server does for one request; returns what answers that.
    pub(crate) async fn call(&self, call: Call) -> Result<Vec<RawDocumentBuf>> {
        let books = self.database.collection::<RawDocumentBuf>("books");
        Ok(match call {
            Call::Get(id) => vec![books.find_one(id).await?.context("the book is there")?],
            Call::List { filter, order, count, most } => {
                let page = async {
                    let found = books.find(filter).sort(order).limit(most);
                    let most = u32::try_from(most).unwrap_or(u32::MAX);
                    found.batch_size(most).await?.try_collect::<Vec<_>>().await
                };
                let count = async {
                    match count {
                        Count::Estimated => books.estimated_document_count().await,
                        Count::Exact(filter) => books.count_documents(filter).await,
                        Count::UpTo(filter, most) => {
                            books.count_documents(filter).limit(most).await
                        }
                    }
                };
                try_join(page, count).await?.0
            }
            Call::Update { session, user, mut id, change, mut entry } => {
                let raw = |name| self.database.collection::<RawDocumentBuf>(name);
                raw("sessions").find_one(session).await?.context("the session is there")?;
                raw("users").find_one(user).await?.context("the user is there")?;
                let book = books.find_one(id.clone()).await?.context("the book is there")?;
                id.insert("version", book.get_i64("version")?);
                let trail = self.database.collection::<Document>("audit");
                let noted = doc! { "_id": Uuid::new() };
                entry.extend(noted.clone());
                trail.insert_one(&entry).await?;
                let changed = books.find_one_and_update(id, change).await?;
                entry.insert("outcome", "done");
                trail.replace_one(noted, &entry).upsert(true).await?;
                vec![changed.context("the book is there")?]
            }
        })
    }
}
