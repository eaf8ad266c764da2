//! The feed of a store in MongoDB: one change stream on the database, the same on every process.
//!
//! A position is the cluster time of an event, and its number among those of that time. What was
//! heard lately is in a [`history`]; [`stream`] writes it, [`event`] says what it means, [`marks`] tell
//! when it has come to the present, and [`notes`] keep in the database what a new process has to know.

mod event;
mod history;
mod marks;
mod notes;
mod stream;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use mongodb::{
    Collection, Database,
    bson::{self, Document, RawDocumentBuf, doc},
    change_stream::ChangeStream,
};
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

use self::{
    history::History,
    marks::Marks,
    notes::{Noted, Notes},
    stream::{Follower, Place, Start, Trouble},
};
use super::{MongoConfig, MongoStore, error, schema};
use crate::{
    change::{Change, ChangeKind, Epoch, Position},
    error::{FeedError, StoreError},
    store::{Feed, reader},
};

/// For how long the stream may fail before the store does not work.
const TROUBLE: Duration = Duration::from_secs(10);

/// For how long nothing may come: three times as long as something does.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct MongoFeed {
    epoch: Epoch,
    history: Arc<History>,
    source: Source,
}

enum Source {
    /// What the server says was committed.
    Stream {
        marks: Arc<Marks>,
        trouble: watch::Receiver<Option<Trouble>>,
        /// When something last came.
        heard: watch::Receiver<Instant>,
        follower: AbortHandle,
    },
    /// What this process writes; whoever writes has the lock, and who waits for it is told when the
    /// database does not answer.
    Local { lock: Mutex<()>, trouble: watch::Sender<()> },
}

impl MongoFeed {
    /// Begins to follow the database.
    pub(super) async fn open(
        database: &Database,
        config: &MongoConfig,
    ) -> Result<Arc<Self>, StoreError> {
        let images = schema::keep_images(database).await;
        // Opened before anything is noted: the feed's first note is in it.
        match stream::open(database, &Start::Now, images).await {
            Ok(stream) => Self::follow(database, config, stream, images).await,
            Err(failure) if error::is_unsupported(&failure) && !is_replica_set(database).await => {
                tracing::warn!(
                    "the server has no change streams: changes that other servers or programs make \
                     are not shown live, and clients fetch anew after a restart. A MongoDB server \
                     gets them as a replica set: start it with --replSet rs0, and call rs.initiate()"
                );
                let history = History::new(Position::START, Position::START, config.history);
                let source =
                    Source::Local { lock: Mutex::default(), trouble: watch::Sender::new(()) };
                Ok(Arc::new(Self { epoch: Epoch::random(), history: Arc::new(history), source }))
            }
            Err(failure) => Err(error::of_store(failure)),
        }
    }

    async fn follow(
        database: &Database,
        config: &MongoConfig,
        now: ChangeStream<RawDocumentBuf>,
        images: bool,
    ) -> Result<Arc<Self>, StoreError> {
        let documents = database.collection::<Document>(schema::FEED);
        let (noted, is_first) = noted(database, &documents).await?;
        let begin = begin(database, config, now, images, &noted, is_first).await?;
        let seen = begin.place.position().max(begin.oldest.unwrap_or(Position::START));
        let oldest = begin.oldest.unwrap_or(Position::START);
        let history = Arc::new(History::new(oldest, seen, config.history));
        let ((sender, trouble), (hears, heard)) =
            (watch::channel(None), watch::channel(Instant::now()));
        let marks = Arc::new(Marks::new(database));
        let follower = Follower {
            database: database.clone(),
            stream: begin.stream,
            images,
            place: begin.place,
            is_blind: begin.is_blind,
            history: Arc::clone(&history),
            notes: Notes::new(database, noted.epoch.clone()),
            marks: Arc::clone(&marks),
            trouble: sender,
            heard: hears,
            chores: JoinSet::new(),
        };
        let follower = tokio::spawn(follower.run()).abort_handle();
        let source = Source::Stream { marks, trouble, heard, follower };
        let feed = Arc::new(Self { epoch: noted.epoch, history, source });
        if is_first || begin.is_blind {
            // Until something has come, no position means anything.
            feed.head().await?;
        }
        Ok(feed)
    }

    /// Whether it feeds what this process writes.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self.source, Source::Local { .. })
    }

    /// The turn to write of one who writes locally. Nobody waits for those before to find out, one
    /// after the other, that the database is gone.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, StoreError> {
        let Source::Local { lock, trouble } = &self.source else {
            return Ok(Turn { history: &self.history, _lock: None });
        };
        let mut trouble = trouble.subscribe();
        tokio::select! {
            biased;
            _ = trouble.changed() => Err(StoreError::unavailable("it has not answered others")),
            lock = lock.lock() => Ok(Turn { history: &self.history, _lock: Some(lock) }),
        }
    }

    /// Tells those who wait for their turn that the database does not answer.
    pub(super) fn note_trouble(&self) {
        if let Source::Local { trouble, .. } = &self.source {
            trouble.send_replace(());
        }
    }

    /// Has all clients fetch anew, where it feeds what this process writes: it is not known what it has
    /// written.
    pub(super) fn lose_if_local(&self) {
        if self.is_local() {
            self.history.lose(Position::new(self.history.seen().number() + 1));
        }
    }

    /// Up to where every change has been heard of.
    pub(super) fn seen(&self) -> Position {
        self.history.seen()
    }

    /// Whether it is told what is committed.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        let Source::Stream { trouble, heard, follower, .. } = &self.source else { return Ok(()) };
        if follower.is_finished() {
            return Err(StoreError::unavailable("its changes are not followed any more: restart"));
        }
        match &*trouble.borrow() {
            Some(Trouble { since, reason }) if since.elapsed() >= TROUBLE => {
                let problem = format!("its change stream cannot be opened: {reason}");
                Err(StoreError::unavailable(problem))
            }
            // Marks alone would have come by.
            _ if heard.borrow().elapsed() >= SILENCE => {
                Err(StoreError::unavailable("its change stream stands still"))
            }
            _ => Ok(()),
        }
    }

    async fn head(&self) -> Result<Position, StoreError> {
        match &self.source {
            Source::Stream { marks, .. } => marks.reach(&self.history).await?,
            // Whoever is at it has it recorded when their turn ends.
            Source::Local { .. } => drop(self.turn().await?),
        }
        Ok(self.seen())
    }
}

impl Drop for MongoFeed {
    fn drop(&mut self) {
        if let Source::Stream { follower, .. } = &self.source {
            follower.abort();
        }
    }
}

pub(super) struct Turn<'a> {
    history: &'a History,
    _lock: Option<MutexGuard<'a, ()>>,
}

impl Turn<'_> {
    /// Feeds what was written.
    pub(super) fn record(&self, changes: Vec<ChangeKind>) {
        let now = Timestamp::now();
        changes.into_iter().for_each(|kind| self.history.record_next(now, kind));
    }
}

/// Whether the server says that it is of a replica set, and so has change streams.
async fn is_replica_set(database: &Database) -> bool {
    let hello = database.run_command(doc! { "hello": 1 }).await;
    hello.is_ok_and(|hello| hello.contains_key("setName"))
}

/// Where a process begins to follow.
struct Begin {
    stream: ChangeStream<RawDocumentBuf>,
    place: Place,
    oldest: Option<Position>,
    /// Whether what happened before is not known.
    is_blind: bool,
}

/// What is noted of the feed, with an epoch that holds for this deployment. Returns whether the feed
/// was born just now.
async fn noted(
    database: &Database,
    documents: &Collection<Document>,
) -> Result<(Noted, bool), StoreError> {
    let (mut noted, mut is_first) = notes::read_or_begin(documents).await?;
    let collection = notes::collection(database).await.map_err(error::of_store)?;
    // Notes of another collection came here with data that were restored.
    let are_restored = noted.collection.is_some() && noted.collection != collection;
    if are_restored || is_behind(database, noted.time).await? {
        tracing::warn!("the data were restored, or are another deployment's: clients fetch anew");
        is_first = notes::renew(documents, &noted.epoch).await?;
        (noted, _) = notes::read_or_begin(documents).await?;
    }
    if let Some(collection) = collection.filter(|_| noted.collection.is_none()) {
        notes::settle_in(documents, &noted.epoch, &collection).await?;
    }
    Ok((noted, is_first))
}

/// Whether the server's clock is behind what was noted, and so another deployment's: its positions
/// would come again.
async fn is_behind(
    database: &Database,
    noted: Option<bson::Timestamp>,
) -> Result<bool, StoreError> {
    let Some(noted) = noted else { return Ok(false) };
    let answer = database.run_command(doc! { "ping": 1 }).await.map_err(error::of_store)?;
    Ok(answer.get_timestamp("operationTime").is_ok_and(|now| now < noted))
}

/// Finds the way back into the past, as far as it goes.
async fn begin(
    database: &Database,
    config: &MongoConfig,
    now: ChangeStream<RawDocumentBuf>,
    images: bool,
    noted: &Noted,
    is_first: bool,
) -> Result<Begin, StoreError> {
    if is_first {
        return Ok(Begin { stream: now, place: Place::default(), oldest: None, is_blind: false });
    }
    let noted = settled(database, noted).await?;
    let (Some(last), Some(born)) = (noted.time, noted.born) else {
        return Ok(Begin { stream: now, place: Place::default(), oldest: None, is_blind: true });
    };
    let window = u32::try_from(config.refill.as_secs()).unwrap_or(u32::MAX);
    let early = bson::Timestamp { time: last.time.saturating_sub(window), increment: 0 };
    // What the feed was born before is none of its history.
    let from = early.max(born);
    let place = Place::before(from);
    match stream::open(database, &Start::At(from), images).await {
        Ok(stream) => {
            let oldest = Some(place.position());
            return Ok(Begin { stream, place, oldest, is_blind: false });
        }
        Err(failure) if error::is_history_lost(&failure) => {}
        Err(failure) => return Err(error::of_store(failure)),
    }
    tracing::warn!("the server's history is shorter than the feed's: older clients fetch anew");
    let (Some(token), Some(ordinal)) = (noted.token, noted.ordinal) else {
        return Ok(Begin { stream: now, place: Place::default(), oldest: None, is_blind: true });
    };
    let ordinal = u64::try_from(ordinal).unwrap_or(0);
    let place = Place { ordinal, ..Place::before(last) };
    match stream::open(database, &Start::After(token), images).await {
        Ok(stream) => Ok(Begin { stream, place, oldest: Some(place.position()), is_blind: false }),
        Err(failure) if error::is_history_lost(&failure) => {
            Ok(Begin { stream: now, place: Place::default(), oldest: None, is_blind: true })
        }
        Err(failure) => Err(error::of_store(failure)),
    }
}

/// The notes once the process that has begun the feed has written where; it may just be doing so.
async fn settled(database: &Database, noted: &Noted) -> Result<Noted, StoreError> {
    let documents = database.collection::<Document>(schema::FEED);
    let mut noted = noted.clone();
    for _ in 0..50 {
        if noted.time.is_some() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        (noted, _) = notes::read_or_begin(&documents).await?;
    }
    Ok(noted)
}

#[async_trait]
impl Feed for MongoStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.feed.epoch.clone())
    }

    async fn oldest(&self) -> Result<Position, StoreError> {
        Ok(self.feed.history.oldest())
    }

    fn seen(&self) -> Position {
        self.feed.seen()
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.feed.head().await
    }

    fn changes(&self, after: Position) -> BoxStream<'static, Result<Arc<Change>, FeedError>> {
        let history = &self.feed.history;
        reader::read(Arc::clone(history), history.subscribe(), after)
    }
}
