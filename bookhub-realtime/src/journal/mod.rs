//! Journals: ordered logs of events outside of the hub, which the hubs of several servers mirror, so
//! that an event has the same position on each of them. One trait, one file a journal, one suite of
//! tests for all.

mod memory;
mod mirror;

#[cfg(test)]
mod contract;

use std::{error::Error, sync::Arc};

use futures_util::{future::BoxFuture, stream::BoxStream};
use serde::Serialize;

pub use self::memory::MemoryJournal;
pub(crate) use self::mirror::mirror;
use crate::{
    error::PublishError,
    event,
    position::{Epoch, Position},
    topic::Topic,
};

/// An ordered log of events that several hubs mirror.
///
/// What an implementation promises:
/// - **Order.** Positions rise with each append, and every reader gets the entries in their order.
/// - **Once.** An append with a key that the journal knows appends nothing and answers the position
///   of the first one. It knows a key for as long as it keeps the entry, at least.
/// - **Durability.** What `append` has answered is there for every later `tail`, until it is trimmed
///   from the old end; and a trimmed entry is never passed over in silence.
/// - **Cancellation.** A dropped `append` has happened whole or not at all.
///
/// ```
/// use std::sync::Arc;
/// use bookhub_realtime::{Hub, HubConfig, Topic, journal::{Journal, MemoryJournal, NewEvent}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new(100_000));
/// let here = Hub::mirroring(HubConfig::new(), Arc::clone(&journal)).await?;
/// let there = Hub::mirroring(HubConfig::new(), Arc::clone(&journal)).await?;
///
/// let news: Topic = "news".parse()?;
/// let position = journal.append(NewEvent::new(&news, "headline", "It works")?).await?;
/// # while here.head() < position || there.head() < position { tokio::task::yield_now().await; }
/// assert_eq!(here.id(position), there.id(position));
/// # Ok(()) }
/// ```
pub trait Journal: Send + Sync + 'static {
    /// The life of the journal: kept with it, and another one once its positions have lost their
    /// meaning.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    ///
    /// ```
    /// use bookhub_realtime::journal::{Journal as _, JournalError, MemoryJournal};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), JournalError> {
    /// let journal = MemoryJournal::new(1000);
    /// assert_eq!(journal.epoch().await?, journal.clone().epoch().await?);
    /// # Ok(()) }
    /// ```
    fn epoch(&self) -> BoxFuture<'_, Result<Epoch, JournalError>>;

    /// Appends the event, and answers its position.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: whether it was appended is not known then. Given a key, the
    /// event may be appended again.
    ///
    /// ```
    /// use bookhub_realtime::{Topic, journal::{Journal as _, MemoryJournal, NewEvent}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = MemoryJournal::new(1000);
    /// let news: Topic = "news".parse()?;
    /// let first = journal.append(NewEvent::new(&news, "headline", "It works")?).await?;
    /// let second = journal.append(NewEvent::new(&news, "headline", "It still works")?).await?;
    /// assert!(first < second);
    /// # Ok(()) }
    /// ```
    fn append(&self, event: NewEvent) -> BoxFuture<'_, Result<Position, JournalError>>;

    /// Reads from there on, and goes on with what is appended later.
    ///
    /// # Errors
    /// [`JournalError::Trimmed`] if entries after a position are gone, and
    /// [`JournalError::Unavailable`].
    ///
    /// ```
    /// use bookhub_realtime::{Topic, journal::{Journal as _, MemoryJournal, NewEvent}};
    /// use bookhub_realtime::journal::{TailFrom, TailItem};
    /// use futures_util::StreamExt as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = MemoryJournal::new(1000);
    /// let news: Topic = "news".parse()?;
    /// let position = journal.append(NewEvent::new(&news, "headline", "It works")?).await?;
    ///
    /// let mut tail = journal.tail(TailFrom::Last(10)).await?;
    /// let Some(Ok(TailItem::Entry(entry))) = tail.items.next().await else { panic!("no entry") };
    /// assert_eq!((entry.position, &*entry.name), (position, "headline"));
    /// assert_eq!(entry.data, br#""It works""#);
    /// assert!(matches!(tail.items.next().await, Some(Ok(TailItem::Present))));
    /// # Ok(()) }
    /// ```
    fn tail(&self, from: TailFrom) -> BoxFuture<'_, Result<Tail, JournalError>>;
}

/// Where to begin to read a journal. See [`Journal::tail`] for `Last`.
///
/// ```
/// use bookhub_realtime::{Position, journal::{Journal as _, MemoryJournal, TailFrom}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tail = MemoryJournal::new(1000).tail(TailFrom::After(Position::new(7))).await?;
/// assert_eq!(tail.after, Position::new(7));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailFrom {
    /// With the entry after this position.
    After(Position),
    /// With the last so many entries, or as many as are kept.
    Last(usize),
}

/// A journal that is being read. See [`Journal::tail`] for reading one.
///
/// ```
/// use bookhub_realtime::{Position, journal::{Tail, TailItem}};
/// use futures_util::{StreamExt as _, stream};
///
/// // What a journal answers that is empty and says no more.
/// let tail = Tail::new(Position::default(), stream::iter([Ok(TailItem::Present)]).boxed());
/// assert_eq!(tail.after, Position::default());
/// ```
#[non_exhaustive]
pub struct Tail {
    /// The position after which it begins: everything that comes after it comes.
    pub after: Position,
    /// What comes. After an error the journal has to be tailed anew.
    pub items: BoxStream<'static, Result<TailItem, JournalError>>,
}

impl Tail {
    /// What comes after a position. See [`Tail`] for an example.
    #[must_use]
    pub fn new(after: Position, items: BoxStream<'static, Result<TailItem, JournalError>>) -> Self {
        Self { after, items }
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("after", &self.after).finish_non_exhaustive()
    }
}

/// What comes of reading a journal. See [`Journal::tail`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailItem {
    /// The next entry.
    Entry(Arc<JournalEntry>),
    /// The reader has come to where the journal ended when the reading began. Comes once.
    Present,
}

/// An event that stands in a journal.
///
/// ```
/// use bookhub_realtime::{Position, Topic, journal::{JournalEntry, NewEvent}};
///
/// // What a journal makes of an event that it has appended.
/// let event = NewEvent::new(&"news".parse::<Topic>()?, "headline", "It works")?;
/// let entry = JournalEntry::new(Position::new(7), event);
/// assert_eq!((entry.topic.as_str(), &*entry.name), ("news", "headline"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalEntry {
    /// Where it stands.
    pub position: Position,
    /// What it is about.
    pub topic: Topic,
    /// What happened.
    pub name: String,
    /// The data, as JSON.
    pub data: Vec<u8>,
}

impl JournalEntry {
    /// The entry that an event becomes at a position. See [`JournalEntry`] for an example.
    #[must_use]
    pub fn new(position: Position, event: NewEvent) -> Self {
        let NewEvent { topic, name, data, .. } = event;
        Self { position, topic, name, data }
    }
}

/// An event on its way into a journal.
///
/// ```
/// use bookhub_realtime::{PublishError, Topic, journal::NewEvent};
///
/// let news: Topic = "news".parse()?;
/// let event = NewEvent::new(&news, "headline", "It works")?.with_key("story 7")?;
/// assert_eq!((event.topic(), event.name()), (&news, "headline"));
/// assert_eq!((event.data(), event.key()), (br#""It works""#.as_slice(), Some("story 7")));
/// assert!(matches!(NewEvent::new(&news, "no name", &1), Err(PublishError::EventName(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    topic: Topic,
    name: String,
    data: Vec<u8>,
    key: Option<String>,
}

impl NewEvent {
    /// An event with data that is written as JSON.
    ///
    /// # Errors
    /// [`PublishError::EventName`], [`PublishError::Data`] or [`PublishError::TooLarge`].
    ///
    /// ```
    /// use bookhub_realtime::{Topic, journal::NewEvent};
    ///
    /// let news: Topic = "news".parse()?;
    /// let event = NewEvent::new(&news, "headline", &serde_json::json!({ "id": 7 }))?;
    /// assert_eq!(event.data(), br#"{"id":7}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        topic: &Topic,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Self, PublishError> {
        let data = event::encode(name, data)?;
        Ok(Self { topic: topic.clone(), name: name.to_owned(), data, key: None })
    }

    /// The same event with a key under which it is appended once.
    ///
    /// # Errors
    /// [`PublishError::Key`] if the key is empty or longer than 256 bytes.
    ///
    /// ```
    /// use bookhub_realtime::{PublishError, Topic, journal::NewEvent};
    ///
    /// let event = NewEvent::new(&"news".parse::<Topic>()?, "headline", "It works")?;
    /// assert!(matches!(event.clone().with_key(""), Err(PublishError::Key(0))));
    /// assert_eq!(event.with_key("story 7")?.key(), Some("story 7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_key(mut self, key: &str) -> Result<Self, PublishError> {
        event::check_key(key)?;
        self.key = Some(key.to_owned());
        Ok(self)
    }

    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// What happened.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data, as JSON.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The key under which it is appended once.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// Why a journal could not do what it was asked.
///
/// ```
/// use bookhub_realtime::{Position, Topic, journal::{Journal as _, MemoryJournal, NewEvent}};
/// use bookhub_realtime::journal::{JournalError, TailFrom};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal = MemoryJournal::new(1);
/// for number in 0..3 {
///     journal.append(NewEvent::new(&"news".parse::<Topic>()?, "number", &number)?).await?;
/// }
/// match journal.tail(TailFrom::After(Position::new(1))).await {
///     Err(JournalError::Trimmed { oldest }) => assert_eq!(oldest, Position::new(2)),
///     other => drop(other?),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Nobody's fault: entries after the position are no longer kept. Who goes on after `oldest` has
    /// missed what lies between.
    #[error("the journal keeps only what comes after position {oldest}")]
    Trimmed {
        /// Everything after this position is kept.
        oldest: Position,
    },
    /// The journal cannot be reached or does not answer: try again.
    #[error("the journal is not available: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
