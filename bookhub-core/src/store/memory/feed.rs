//! The feed of the store in memory: readers are positions in the history.

use std::{collections::VecDeque, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use super::{MemoryStore, state::State};
use crate::{
    change::{Change, Epoch, Position},
    error::{FeedError, StoreError},
    store::Feed,
};

/// How many changes a reader takes out of the history at once.
const BATCH: usize = 256;

#[async_trait]
impl Feed for MemoryStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch.clone())
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.state.load().history.head())
    }

    fn changes(&self, after: Position) -> BoxStream<'static, Result<Arc<Change>, FeedError>> {
        let reader = Reader {
            state: Arc::clone(&self.state),
            news: self.news.subscribe(),
            after,
            ready: VecDeque::new(),
            ended: false,
        };
        stream::unfold(reader, Reader::next).boxed()
    }
}

/// Somebody who reads the feed.
struct Reader {
    state: Arc<ArcSwap<State>>,
    news: watch::Receiver<()>,
    /// What was taken out of the history last.
    after: Position,
    /// Taken out of the history, but not read yet.
    ready: VecDeque<Arc<Change>>,
    ended: bool,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Arc<Change>, FeedError>, Self)> {
        if self.ended {
            return None;
        }
        let mut alive = true;
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some((Ok(change), self));
            }
            // Seen before looking, so that a write in between wakes the wait below at once.
            self.news.mark_unchanged();
            if let Err(oldest) = self.refill() {
                self.ended = true;
                return Some((Err(FeedError::HistoryExpired { oldest }), self));
            }
            if self.ready.is_empty() {
                if !alive {
                    return None;
                }
                // Once the store is gone nothing more happens; what happened is still read.
                alive = self.news.changed().await.is_ok();
            }
        }
    }

    /// Takes the next changes, or says from where on there are changes.
    fn refill(&mut self) -> Result<(), Position> {
        let state = self.state.load();
        let history = &state.history;
        self.ready = history.since(self.after, BATCH).ok_or_else(|| history.oldest())?.into();
        if let Some(last) = self.ready.back() {
            self.after = last.position;
        }
        Ok(())
    }
}
