//! The change stream: where it begins, how it goes on after a failure, and what is counted along it.

use std::{sync::Arc, time::Duration};

use mongodb::{
    Database,
    bson::{DateTime, RawDocumentBuf, Timestamp, doc},
    change_stream::{
        ChangeStream,
        event::{OperationType, ResumeToken},
    },
    options::{FullDocumentType, ReadConcern},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    super::{documents, error, migrate, schema},
    event::{self, Event},
    history::History,
    marks::Marks,
    notes::{Note, Notes},
};
use crate::change::Position;

/// For how long the server holds a question when there is nothing new.
const AWAIT: Duration = Duration::from_secs(1);

/// How often what another program has written is tried to be set right, while that fails.
const MOST_TRIES: usize = 30;

/// How long to wait before a stream that failed is opened again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// After how long a silence a mark is set, by one process for all: what is quiet must not look like what
/// stands still, and its place must not be lost.
const QUIET: Duration = Duration::from_secs(10);

/// Where a stream stands: the cluster time of its last event, and how many events of that time it
/// has had, counted before anything is left out. Every process counts alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) time: u64,
    pub(super) ordinal: u64,
}

impl Place {
    /// Before every event of a cluster time.
    pub(super) fn before(time: Timestamp) -> Self {
        Self { time: number(time), ordinal: 0 }
    }

    pub(super) const fn position(self) -> Position {
        Position::new((self.time as u128) << 64 | self.ordinal as u128)
    }

    /// The place of the next event.
    fn next(self, time: Timestamp) -> Self {
        let time = number(time);
        Self { time, ordinal: if time == self.time { self.ordinal + 1 } else { 1 } }
    }

    pub(super) fn timestamp(self) -> Timestamp {
        let [time, increment] = [self.time >> 32, self.time & u64::from(u32::MAX)];
        let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Timestamp { time: part(time), increment: part(increment) }
    }
}

fn number(time: Timestamp) -> u64 {
    u64::from(time.time) << 32 | u64::from(time.increment)
}

/// Where to begin.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Now,
    /// At the first event of this time.
    At(Timestamp),
    /// Behind the event of this token.
    After(ResumeToken),
}

/// Opens a stream of all that clients may hear of.
pub(super) async fn open(
    database: &Database,
    start: &Start,
    images: bool,
) -> mongodb::error::Result<ChangeStream<RawDocumentBuf>> {
    let full =
        if images { FullDocumentType::WhenAvailable } else { FullDocumentType::UpdateLookup };
    // A drop or rename of any collection, and the end of the database, come too.
    let followed = doc! { "$match": { "$or": [
        { "ns.coll": { "$in": schema::FOLLOWED.to_vec() } },
        { "operationType": { "$in": ["drop", "rename", "dropDatabase", "invalidate"] } },
    ] } };
    let watch = database.watch().pipeline([followed]).full_document(full).max_await_time(AWAIT);
    // What the database may still take back is not told; and streams take no other level.
    let mut watch = watch.read_concern(ReadConcern::majority());
    match start {
        Start::Now => {}
        Start::At(time) => watch = watch.start_at_operation_time(*time),
        Start::After(token) => watch = watch.resume_after(token.clone()),
    }
    Ok(watch.await?.with_type())
}

/// Follows a stream for as long as there is a history to write it into.
pub(super) struct Follower {
    pub(super) database: Database,
    pub(super) stream: ChangeStream<RawDocumentBuf>,
    pub(super) images: bool,
    pub(super) place: Place,
    /// Whether what happened before the next event is not known.
    pub(super) is_blind: bool,
    pub(super) history: Arc<History>,
    pub(super) notes: Notes,
    pub(super) marks: Arc<Marks>,
    pub(super) trouble: watch::Sender<Option<Trouble>>,
    pub(super) heard: watch::Sender<Instant>,
    /// What is done beside, and ends with it.
    pub(super) chores: JoinSet<()>,
}

/// Why the stream fails, and since when.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) since: Instant,
    pub(super) reason: String,
}

impl Follower {
    /// Follows for ever.
    pub(super) async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            match self.stream.next_if_any().await {
                Ok(Some(raw)) => self.take(&raw).await,
                Ok(None) if !self.stream.is_alive() => {
                    failures += 1;
                    self.resume("the server has closed it", failures).await;
                    continue;
                }
                // Nothing is known of the past until something comes.
                Ok(None) if self.is_blind || self.is_quiet() => self.marks.stir().await,
                Ok(None) => {}
                Err(failure) if error::is_history_lost(&failure) => {
                    self.begin_anew(&failure.to_string()).await;
                }
                Err(failure) => {
                    failures += 1;
                    self.resume(&failure.to_string(), failures).await;
                    continue;
                }
            }
            failures = 0;
            self.trouble.send_if_modified(|trouble| trouble.take().is_some());
            self.note().await;
        }
    }

    /// Whether nothing has come for so long that it is time to see that something still does.
    fn is_quiet(&self) -> bool {
        self.heard.borrow().elapsed() >= QUIET
    }

    /// Counts an event, and records what it says.
    async fn take(&mut self, raw: &RawDocumentBuf) {
        self.heard.send_replace(Instant::now());
        if let Ok(time) = raw.get_timestamp("clusterTime") {
            self.step(time);
        }
        match event::read(raw) {
            Ok(event) if matches!(event.operation_type, OperationType::Invalidate) => {
                self.begin_anew("the database was dropped").await;
                self.notes.restore().await;
                self.prepare_again();
            }
            Ok(event) if event::ends_one_of(&event, &schema::FOLLOWED) => {
                tracing::warn!(namespace = ?event.ns, "a collection is gone: clients fetch anew");
                self.history.lose(self.place.position());
                self.notes.restore().await;
                self.prepare_again();
            }
            Ok(event) => {
                if event::ends_one_of(&event, &[schema::AUDIT]) {
                    self.prepare_again();
                }
                self.record(event).await;
            }
            Err(problem) => {
                let key = raw.get_document("documentKey").ok();
                tracing::error!(%problem, ?key, "a change is not understood: clients fetch anew");
                self.history.lose(self.place.position());
            }
        }
    }

    /// Makes the collections and indexes anew that are gone, however often that has to be tried: while a
    /// database is being dropped nothing can be made.
    fn prepare_again(&mut self) {
        let database = self.database.clone();
        // Whoever was at it is not needed any more.
        self.chores = JoinSet::new();
        self.chores.spawn(async move {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = schema::prepare(&database).await {
                tracing::error!(%error, "a collection that is gone lacks its indexes still");
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            schema::keep_images(&database).await;
        });
    }

    /// Goes on to the next event, of this time.
    fn step(&mut self, time: Timestamp) {
        if std::mem::take(&mut self.is_blind) {
            self.place = Place::before(time);
            self.history.lose(self.place.position());
        }
        self.place = self.place.next(time);
    }

    async fn record(&mut self, mut event: Event) {
        if event::lacks_document(&event) {
            event.full_document = look_up(&self.database, &event).await;
        }
        let seconds = i64::from(self.place.timestamp().time);
        let at = event.wall_time.unwrap_or_else(|| DateTime::from_millis(seconds * 1_000));
        let meaning = event::meaning(&event);
        if event::may_lack_keys(&event) {
            set_right(&self.database, &event).await;
        }
        self.history.record(self.place.position(), documents::timestamp(at), meaning);
        self.marks.heed(&event);
    }

    /// Notes, now and then, how far the stream has come.
    async fn note(&mut self) {
        if self.is_blind {
            return;
        }
        let token = self.stream.resume_token();
        self.notes.write(Note { place: self.place, token }).await;
    }

    /// Goes on after a failure, from where the stream was, if there is still a way.
    async fn resume(&mut self, reason: &str, failures: u32) {
        tracing::warn!(reason, "the change stream failed, and is opened again");
        self.note_trouble(reason);
        sleep(LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(failures.min(8)))).await;
        let start = match self.stream.resume_token() {
            _ if self.is_blind => Start::Now,
            Some(token) => Start::After(token),
            None => Start::At(self.place.timestamp()),
        };
        match self.reopen(&start).await {
            // It begins with the first event of this time.
            Ok(()) if matches!(start, Start::At(_)) => self.place.ordinal = 0,
            Ok(()) => {}
            Err(lost) => self.begin_anew(&lost.to_string()).await,
        }
    }

    /// Opens the stream anew, as often as it takes; fails if there is no way on from there. The old one
    /// is not asked again: if an answer of it was lost on the way, its next one would pass over what
    /// was in that.
    async fn reopen(&mut self, start: &Start) -> mongodb::error::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            match open(&self.database, start, self.images).await {
                Ok(stream) => {
                    self.stream = stream;
                    return Ok(());
                }
                Err(error) if error::is_history_lost(&error) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the change stream cannot be opened yet");
                    self.note_trouble(&error.to_string());
                }
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Notes that the stream fails, since now or longer.
    fn note_trouble(&self, reason: &str) {
        self.trouble.send_modify(|trouble| {
            let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
            *trouble = Some(Trouble { since, reason: reason.to_owned() });
        });
    }

    /// Begins at the present. What happened since the last event is not known: up to the first one
    /// that comes, everything is lost.
    async fn begin_anew(&mut self, reason: &str) {
        tracing::warn!(reason, "the change stream has lost its place: clients fetch anew");
        self.is_blind = true;
        // The present is never lost.
        while self.reopen(&Start::Now).await.is_err() {
            sleep(LONGEST_PAUSE).await;
        }
        self.marks.stir().await;
    }
}

/// The document of an update as it is now; nothing if it is gone. Asks until the database answers:
/// the change must not be passed over.
async fn look_up(database: &Database, event: &Event) -> Option<RawDocumentBuf> {
    let documents = database.collection::<RawDocumentBuf>(event.ns.as_ref()?.coll.as_ref()?);
    loop {
        match documents.find_one(event.document_key.clone()?).await {
            Ok(found) => return found,
            Err(error) => tracing::warn!(%error, "a document that was changed cannot be read yet"),
        }
        sleep(LONGEST_PAUSE).await;
    }
}

/// Sets right what follows from the rest of a book, where another program has written only that: before
/// the change is told, if it can be done at once, since who hears of a book may look for it.
async fn set_right(database: &Database, event: &Event) {
    let Some(raw) = event.full_document.clone() else { return };
    let books = database.collection(schema::BOOKS);
    let Err(error) = migrate::repair(&books, &raw).await else { return };
    let key = event.document_key.clone();
    tracing::warn!(%error, ?key, "a book is not found by its new words yet");
    // Nobody else waits for that.
    tokio::spawn(async move {
        for _ in 0..MOST_TRIES {
            sleep(LONGEST_PAUSE).await;
            if migrate::repair(&books, &raw).await.is_ok() {
                return;
            }
        }
        tracing::error!(?key, "a book is not found by its new words until it is changed again");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_time_are_counted_and_a_later_one_begins_anew() {
        let time = |time, increment| Timestamp { time, increment };
        let places = [(7, 1), (7, 1), (7, 2), (8, 1)].into_iter().scan(
            Place::before(time(7, 1)),
            |place, (seconds, increment)| {
                *place = place.next(time(seconds, increment));
                Some(*place)
            },
        );
        let places: Vec<_> = places.collect();
        assert_eq!(places.iter().map(|place| place.ordinal).collect::<Vec<_>>(), [1, 2, 1, 1]);
        assert!(places.is_sorted_by_key(|place| place.position()));
        assert_eq!(places[2].timestamp(), time(7, 2));
        assert!(Place::before(time(7, 1)).position() < places[0].position());
    }
}
