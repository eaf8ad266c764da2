//! A journal in the memory of one process: for several hubs in it, and for tests.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use tokio::sync::watch;

use super::{Journal, JournalEntry, JournalError, NewEvent, Tail, TailFrom, TailItem};
use crate::position::{Epoch, Position};

/// A [`Journal`] that lives as long as its process. All clones are one journal.
///
/// ```
/// use bookhub_realtime::{Topic, journal::{Journal, MemoryJournal, NewEvent}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal = MemoryJournal::new(1000);
/// let event = NewEvent::new(&"news".parse()?, "headline", "It works")?.with_key("story 7")?;
/// let first = journal.append(event.clone()).await?;
/// assert_eq!(journal.append(event).await?, first, "appended once");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    epoch: Epoch,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// How many entries are kept.
    most: usize,
    state: Mutex<State>,
    head: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Arc<JournalEntry>>,
    /// Everything up to there was trimmed.
    trimmed: Position,
    head: Position,
    keys: HashMap<String, Position>,
    keyed: VecDeque<(Position, String)>,
}

impl MemoryJournal {
    /// An empty journal that keeps its last `entries`, one at least.
    ///
    /// ```
    /// use bookhub_realtime::journal::{Journal as _, JournalError, MemoryJournal};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), JournalError> {
    /// let (one, other) = (MemoryJournal::new(1000), MemoryJournal::new(1000));
    /// assert_ne!(one.epoch().await?, other.epoch().await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let (head, _) = watch::channel(Position::default());
        let shared = Shared { most: entries.max(1), state: Mutex::default(), head };
        Self { epoch: Epoch::random(), shared: Arc::new(shared) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, event: NewEvent, most: usize) -> Position {
        if let Some(position) = event.key().and_then(|key| self.keys.get(key)) {
            return *position;
        }
        self.head = self.head.next();
        if let Some(key) = event.key() {
            self.keys.insert(key.to_owned(), self.head);
            self.keyed.push_back((self.head, key.to_owned()));
        }
        self.entries.push_back(Arc::new(JournalEntry::new(self.head, event)));
        if self.entries.len() > most
            && let Some(gone) = self.entries.pop_front()
        {
            self.trimmed = gone.position;
        }
        while let Some((_, key)) = self.keyed.pop_front_if(|(at, _)| *at <= self.trimmed) {
            self.keys.remove(&key);
        }
        self.head
    }

    fn start(&self, from: TailFrom) -> Result<Position, JournalError> {
        match from {
            TailFrom::After(position) if position < self.trimmed => {
                Err(JournalError::Trimmed { oldest: self.trimmed })
            }
            TailFrom::After(position) => Ok(position),
            TailFrom::Last(count) => {
                let before = self.entries.len().checked_sub(count + 1);
                let before = before.and_then(|index| self.entries.get(index));
                Ok(before.map_or(self.trimmed, |entry| entry.position))
            }
        }
    }

    fn next(&self, after: Position) -> Result<Option<Arc<JournalEntry>>, JournalError> {
        if after < self.trimmed {
            return Err(JournalError::Trimmed { oldest: self.trimmed });
        }
        let index = self.entries.partition_point(|entry| entry.position <= after);
        Ok(self.entries.get(index).cloned())
    }
}

/// Somebody who reads the journal.
struct Reader {
    shared: Arc<Shared>,
    grown: watch::Receiver<Position>,
    after: Position,
    /// Where the journal ended when the reading began, until that is told.
    present: Option<Position>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<TailItem, JournalError>> {
        loop {
            if self.present.is_some_and(|present| present <= self.after) {
                self.present = None;
                return Some(Ok(TailItem::Present));
            }
            self.grown.borrow_and_update();
            let next = self.shared.lock().next(self.after);
            match next {
                Err(error) => return Some(Err(error)),
                Ok(Some(entry)) => {
                    self.after = entry.position;
                    return Some(Ok(TailItem::Entry(entry)));
                }
                // The sender lives as long as this reader does.
                Ok(None) => self.grown.changed().await.ok()?,
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn epoch(&self) -> BoxFuture<'_, Result<Epoch, JournalError>> {
        Box::pin(std::future::ready(Ok(self.epoch.clone())))
    }

    fn append(&self, event: NewEvent) -> BoxFuture<'_, Result<Position, JournalError>> {
        Box::pin(async move {
            let mut state = self.shared.lock();
            let position = state.append(event, self.shared.most);
            self.shared.head.send_replace(state.head);
            Ok(position)
        })
    }

    fn tail(&self, from: TailFrom) -> BoxFuture<'_, Result<Tail, JournalError>> {
        Box::pin(async move {
            let (after, present) = {
                let state = self.shared.lock();
                (state.start(from)?, state.head)
            };
            let grown = self.shared.head.subscribe();
            let shared = Arc::clone(&self.shared);
            let reader = Reader { shared, grown, after, present: Some(present) };
            let items = stream::unfold(reader, async |mut reader| {
                reader.next().await.map(|item| (item, reader))
            });
            Ok(Tail::new(after, items.boxed()))
        })
    }
}
