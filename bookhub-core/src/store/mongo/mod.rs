//! The store on a MongoDB server, or one that speaks its protocol.
//!
//! **A write** is one conditional update of one document ([`books`], [`users`]); what is unique is so
//! by an index ([`schema`]). An order and the stock of its books are several updates, noted first and
//! done one by one ([`todo`]). Nothing needs transactions, so a standalone server will do.
//!
//! **A read** asks an index for each query ([`query`]); documents keep, beside what people typed, the
//! forms by which they are found and sorted ([`documents`]).
//!
//! **The feed** is the server's change stream ([`feed`]): what the database committed, whoever wrote
//! it. A server that has none feeds what this process writes, and says so once.
//!
//! Must not know the rules of the shop.

mod admins;
mod audit;
mod books;
mod carts;
mod connect;
mod documents;
mod error;
mod feed;
mod few;
mod lease;
mod migrate;
mod orders;
mod query;
mod schema;
mod stock;
mod todo;
mod users;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Binary, Document, RawDocumentBuf, doc, spec::BinarySubtype},
};
use tokio::time::timeout;

use self::{
    documents::{AccountDocument, OrderDocument, SessionDocument},
    feed::MongoFeed,
};
use super::Store;
use crate::{
    change::ChangeKind,
    clock::Clock,
    error::{StoreError, WriteError},
};

/// For how much longer a command is waited for, for each document that it is about.
const EACH: Duration = Duration::from_millis(20);

/// How a [`MongoStore`] behaves. What the connection string says (pool, TLS, credentials, server
/// selection) holds; this is the rest.
///
/// ```
/// use std::time::Duration;
/// use bookhub_core::MongoConfig;
///
/// let config = MongoConfig { patience: Duration::from_secs(5), ..MongoConfig::default() };
/// assert_eq!(config.database, "bookhub");
/// ```
#[derive(Clone, Debug)]
pub struct MongoConfig {
    /// The database to use where the connection string names none: `bookhub`.
    pub database: String,
    /// For how long to try to reach the database at first, its name included: 30 s.
    pub patience: Duration,
    /// After how long a read or write that is not answered has failed: 2 s, and for many documents at
    /// once a little more.
    pub deadline: Duration,
    /// How many changes the feed keeps for readers who come back: 100,000.
    pub history: usize,
    /// How much of the past a new process reads again from the change stream, before the last
    /// position that any has noted: 10 minutes.
    pub refill: Duration,
    /// The clock by which sessions end.
    pub clock: Clock,
}

impl Default for MongoConfig {
    fn default() -> Self {
        Self {
            database: "bookhub".to_owned(),
            patience: Duration::from_secs(30),
            deadline: Duration::from_secs(2),
            history: 100_000,
            refill: Duration::from_secs(600),
            clock: Clock::system(),
        }
    }
}

/// Everything in a MongoDB database. Cheap to clone.
///
/// ```no_run
/// use bookhub_core::{BookQuery, BookStore, MongoConfig, MongoStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_core::StoreError> {
/// let store = MongoStore::connect("mongodb://localhost/bookhub", MongoConfig::default()).await?;
/// let page = store.books(&BookQuery::default()).await?;
/// println!("{} books", page.total.count);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MongoStore {
    database: Database,
    hosts: Arc<str>,
    config: Arc<MongoConfig>,
    feed: Arc<MongoFeed>,
    /// Whether the server forgets expired sessions by itself.
    expires: bool,
}

impl MongoStore {
    /// Connects to the database that the connection string `uri` names, makes what is missing there
    /// (collections, indexes, the newest form of each document), and begins to follow its changes.
    /// Several processes may do so at the same time.
    ///
    /// # Errors
    /// `Misconfigured` if the string cannot be used, or the user or an index that is there already
    /// is in the way; `Unavailable` if the server is not reached in time. No error and no log shows the string's password.
    pub async fn connect(uri: &str, config: MongoConfig) -> Result<Self, StoreError> {
        let (database, hosts) = connect::connect(uri, &config).await?;
        let (expires, feed) = connect::while_it_answers(&database, config.patience, async {
            let expires = schema::prepare(&database).await?;
            let feed = MongoFeed::open(&database, &config).await?;
            migrate::migrate(&database.collection(schema::BOOKS)).await?;
            Ok((expires, feed))
        })
        .await?;
        let (hosts, config) = (hosts.into(), Arc::new(config));
        Ok(Self { database, hosts, config, feed, expires })
    }

    /// Where it is, for people: the database and its hosts, without user and password.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        format!("{} at {}", self.database.name(), self.hosts)
    }

    /// Whether its [`Feed`](crate::Feed) hears of nothing but what this very store writes, since the
    /// server has no change streams (a MongoDB server that is in no replica set; FerretDB). Then no
    /// other process hears of this one's writes either, and on FerretDB 1.x, which does not change a
    /// document in one step, no other may write at the same time.
    #[must_use]
    pub fn hears_only_itself(&self) -> bool {
        self.feed.is_local()
    }

    /// The books as they stand in the database, whatever somebody has written there.
    fn books(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(schema::BOOKS)
    }

    fn accounts(&self) -> Collection<AccountDocument> {
        self.database.collection(schema::USERS)
    }

    fn sessions(&self) -> Collection<SessionDocument> {
        self.database.collection(schema::SESSIONS)
    }

    fn orders_kept(&self) -> Collection<OrderDocument> {
        self.database.collection(schema::ORDERS)
    }

    /// The first things of a list that make sense, so many at most; the others are passed over.
    async fn first<T>(
        &self,
        list: &Collection<RawDocumentBuf>,
        (filter, order): (Document, Document),
        most: usize,
        readable: impl Fn(&RawDocumentBuf) -> Option<T> + Send + Sync,
    ) -> Result<Vec<T>, StoreError>
    where
        T: Send,
    {
        self.answer(async {
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            let size = u32::try_from(most).unwrap_or(u32::MAX);
            let found = list.find(filter.clone()).sort(order.clone()).limit(limit).batch_size(size);
            let found: Vec<_> = found.await?.try_collect().await?;
            let first: Vec<_> = found.iter().filter_map(&readable).collect();
            if first.len() == found.len() || found.len() < most {
                return Ok(first);
            }
            // Others take the places of those that make no sense.
            let mut all = list.find(filter).sort(order).await?;
            let mut first = Vec::with_capacity(most);
            while first.len() < most
                && let Some(raw) = all.try_next().await?
            {
                first.extend(readable(&raw));
            }
            Ok(first)
        })
        .await
    }

    /// Waits for the answer of the database, as long as is reasonable.
    async fn answer<T>(
        &self,
        work: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send>,
    ) -> Result<T, StoreError> {
        self.answer_about(0, work).await
    }

    /// The same, of a command about so many documents.
    async fn answer_about<T>(
        &self,
        documents: usize,
        work: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send>,
    ) -> Result<T, StoreError> {
        let answered = self.outcome_about(documents, work).await?.map_err(error::of_store);
        if let Err(StoreError::Unavailable(_)) = &answered {
            self.feed.note_trouble();
        }
        answered
    }

    /// The same, with an error of the server left as it is.
    async fn outcome<T>(
        &self,
        work: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send>,
    ) -> Result<mongodb::error::Result<T>, StoreError> {
        self.outcome_about(0, work).await
    }

    async fn outcome_about<T>(
        &self,
        documents: usize,
        work: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send>,
    ) -> Result<mongodb::error::Result<T>, StoreError> {
        let late = |_| {
            self.feed.note_trouble();
            StoreError::unavailable("it has not answered in time")
        };
        let more = EACH.saturating_mul(documents.try_into().unwrap_or(u32::MAX));
        let deadline = self.config.deadline.saturating_add(more);
        timeout(deadline, work.into_future()).await.map_err(late)
    }

    /// Writes, and feeds what `work` says was changed where the server does not tell. There, writes
    /// take turns, and go on when nobody waits for them any more; and where it is not known whether one
    /// was done, what was not told is lost.
    async fn write<T: Send + 'static, E: WriteError + Send + 'static>(
        &self,
        work: impl Future<Output = Result<(T, Vec<ChangeKind>), E>> + Send + 'static,
    ) -> Result<T, E> {
        let work = async move {
            match work.await {
                Ok((done, changes)) => (Ok(done), changes),
                Err(error) => (Err(error), Vec::new()),
            }
        };
        self.write_steps(work).await
    }

    /// The same for what clients do not hear of.
    async fn write_untold<T: Send + 'static, E: WriteError + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        self.in_turn(async move { (work.await, Vec::new()) }).await
    }

    /// The same for what takes several updates: those that were done are fed, though one has failed.
    async fn write_steps<T: Send + 'static, E: WriteError + Send + 'static>(
        &self,
        work: impl Future<Output = (Result<T, E>, Vec<ChangeKind>)> + Send + 'static,
    ) -> Result<T, E> {
        let store = self.clone();
        let work = async move {
            let (done, changes) = work.await;
            if let Err(error) = &done {
                store.note_open(error);
            }
            (done, changes)
        };
        self.in_turn(work).await
    }

    /// Has clients fetch anew after a failure that leaves open what was written, where nobody else tells.
    fn note_open(&self, error: &impl WriteError) {
        if error::leaves_open(error) {
            self.feed.lose_if_local();
        }
    }

    async fn in_turn<T: Send + 'static, E: WriteError + Send + 'static>(
        &self,
        work: impl Future<Output = (Result<T, E>, Vec<ChangeKind>)> + Send + 'static,
    ) -> Result<T, E> {
        if !self.feed.is_local() {
            return work.await.0;
        }
        let feed = Arc::clone(&self.feed);
        let written = tokio::spawn(async move {
            let turn = feed.turn().await?;
            let (done, changes) = work.await;
            turn.record(changes);
            done
        });
        written.await.unwrap_or_else(|error| Err(StoreError::unavailable(error).into()))
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database.name();
        f.debug_struct("MongoStore").field("database", &database).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn health(&self) -> Result<(), StoreError> {
        self.answer(self.database.run_command(doc! { "ping": 1 })).await?;
        self.feed.health()
    }

    async fn secret(&self, new: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let settings = self.database.collection::<Document>(schema::SETTINGS);
        let name = doc! { "_id": "secret" };
        let value = Binary { subtype: BinarySubtype::Generic, bytes: new.to_vec() };
        let keep = settings.update_one(name.clone(), doc! { "$setOnInsert": { "value": value } });
        match self.outcome(keep.upsert(true)).await? {
            Ok(_) => {}
            // Another process was quicker.
            Err(failure) if error::is_duplicate(&failure) => {}
            Err(failure) => return Err(error::of_store(failure)),
        }
        let kept = self.answer(settings.find_one(name)).await?;
        let bytes = kept.as_ref().and_then(|kept| kept.get_binary_generic("value").ok());
        let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        let corrupt = || StoreError::Corrupt("the secret in settings has not 32 bytes".to_owned());
        secret.ok_or_else(corrupt)
    }
}

/// `{_id: id}`
fn by_id(id: uuid::Uuid) -> Document {
    doc! { "_id": documents::uuid(id) }
}
