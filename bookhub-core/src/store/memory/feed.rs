//! The feed of the store in memory: readers are positions in the history.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{MemoryStore, state::State};
use crate::{
    change::{Change, Epoch, Position},
    error::{FeedError, StoreError},
    store::{
        Feed,
        reader::{self, Recorded},
    },
};

#[async_trait]
impl Feed for MemoryStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch.clone())
    }

    async fn oldest(&self) -> Result<Position, StoreError> {
        Ok(self.state.load().history.oldest())
    }

    fn seen(&self) -> Position {
        self.state.load().history.head()
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.seen())
    }

    fn changes(&self, after: Position) -> BoxStream<'static, Result<Arc<Change>, FeedError>> {
        reader::read(Arc::clone(&self.state), self.news.subscribe(), after)
    }
}

impl Recorded for ArcSwap<State> {
    fn since(&self, after: Position, most: usize) -> Result<Vec<Arc<Change>>, Position> {
        let state = self.load();
        state.history.since(after, most).ok_or_else(|| state.history.oldest())
    }
}
