//! The store in memory: everything in one process, gone with it.
//!
//! **Reads never wait.** The whole state is one immutable value built of persistent collections
//! (`imbl`), swapped as one pointer. A reader takes the current one and works on it for as long as
//! it likes, so a page, its total and its position always fit together. Writers take turns: each
//! derives the next state, which shares all but a few nodes with the last one, appends its changes
//! to the history, and swaps. A failed write drops what it derived.
//!
//! **The feed** is a history in the same state, so it cannot disagree with the data. A reader of
//! the feed is a position in that history; it is woken by each write and costs nothing else.
//!
//! **Books** have slots, small numbers that are used again after a deletion
//! ([`catalogue`]). Each sort key has an ordered index ([`sorted`]): a cursor is a seek in it,
//! whatever its depth. Words, prefixes, genres and years have the set of their slots ([`terms`],
//! [`posting`]): a search is an intersection of such sets, its total their size. [`plan`] chooses
//! how to put what was found in order.
//!
//! **Orders** stand on every shelf on which they are listed ([`ledger`]); they and the stock of their
//! books move in one write.
//!
//! **The audit trail** has its newest entries, on the shelves by which they are asked for ([`records`]).
//!
//! Must not know the rules of the shop.

mod audit;
mod books;
mod carts;
mod catalogue;
mod entry;
mod feed;
mod ledger;
mod orders;
mod people;
mod plan;
mod posting;
mod records;
mod sorted;
mod state;
mod terms;
#[cfg(test)]
mod tests;
mod users;

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::watch;

use self::state::State;
use super::Store;
use crate::{change::Epoch, clock::Clock, error::StoreError};

/// How a [`MemoryStore`] behaves.
///
/// ```
/// use bookhub_core::{MemoryConfig, MemoryStore};
///
/// let store = MemoryStore::with_config(MemoryConfig { history: 10, ..MemoryConfig::default() });
/// ```
#[derive(Clone, Debug)]
pub struct MemoryConfig {
    /// How many changes the feed keeps for readers who come back: 100,000.
    pub history: usize,
    /// How many entries of the audit trail are kept: the newest 100,000.
    pub audit: usize,
    /// The clock by which changes are dated.
    pub clock: Clock,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { history: 100_000, audit: 100_000, clock: Clock::system() }
    }
}

/// Everything in memory, for one process, as long as it lives. Each has an epoch of its own.
///
/// ```
/// use bookhub_core::{BookQuery, BookStore, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::new();
/// let page = store.books(&BookQuery::default()).await.unwrap();
/// assert_eq!(page.total.count, 0);
/// # }
/// ```
pub struct MemoryStore {
    epoch: Epoch,
    secret: OnceLock<[u8; 32]>,
    config: MemoryConfig,
    /// What readers see.
    state: Arc<ArcSwap<State>>,
    /// Held by the one who writes; never across an await.
    writer: Mutex<()>,
    /// Wakes the readers of the feed; they end when it is dropped.
    news: watch::Sender<()>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(MemoryConfig::default())
    }

    /// An empty store, as the services take it.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::new(Self::new())
    }

    /// An empty store that behaves like this.
    #[must_use]
    pub fn with_config(config: MemoryConfig) -> Self {
        Self {
            epoch: Epoch::random(),
            secret: OnceLock::new(),
            config,
            state: Arc::default(),
            writer: Mutex::new(()),
            news: watch::Sender::new(()),
        }
    }

    /// The state as it is: a snapshot that nobody changes.
    fn snapshot(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Derives the next state by `work` and publishes it, unless `work` fails.
    fn write<T, E>(&self, work: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        // What a writer that panicked had derived was never published: nothing is poisoned.
        let _turn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = State::clone(&self.state.load());
        next.history.begin(self.config.clock.now(), self.config.history);
        let done = work(&mut next)?;
        self.state.store(Arc::new(next));
        self.news.send_replace(());
        Ok(done)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load();
        f.debug_struct("MemoryStore")
            .field("epoch", &self.epoch)
            .field("head", &state.history.head())
            .field("books", &state.catalogue.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn secret(&self, new: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(*self.secret.get_or_init(|| new))
    }
}
