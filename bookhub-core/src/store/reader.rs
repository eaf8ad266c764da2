//! Somebody who reads a feed: a position in a history, woken by whatever is recorded there. Must not
//! know how the history is kept.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use crate::{
    change::{Change, Position},
    error::FeedError,
};

/// How many changes a reader takes out of the history at once.
const BATCH: usize = 256;

/// Changes that happened, and that readers take out.
pub(super) trait Recorded: Send + Sync + 'static {
    /// At most `most` changes behind `after`; or, if not all of them are kept, the oldest position
    /// behind which all are.
    fn since(&self, after: Position, most: usize) -> Result<Vec<Arc<Change>>, Position>;
}

/// Every change behind `after`: those that happened, then those that happen. Ends once nobody can
/// send news any more.
pub(super) fn read(
    history: Arc<impl Recorded>,
    news: watch::Receiver<()>,
    after: Position,
) -> BoxStream<'static, Result<Arc<Change>, FeedError>> {
    let reader = Reader { history, news, after, ready: VecDeque::new(), ended: false };
    stream::unfold(reader, Reader::next).boxed()
}

struct Reader<R> {
    history: Arc<R>,
    news: watch::Receiver<()>,
    /// What was taken out of the history last.
    after: Position,
    /// Taken out of the history, but not read yet.
    ready: VecDeque<Arc<Change>>,
    ended: bool,
}

impl<R: Recorded> Reader<R> {
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
            match self.history.since(self.after, BATCH) {
                Ok(changes) => self.ready = changes.into(),
                Err(oldest) => {
                    self.ended = true;
                    return Some((Err(FeedError::HistoryExpired { oldest }), self));
                }
            }
            if let Some(last) = self.ready.back() {
                self.after = last.position;
            } else {
                if !alive {
                    return None;
                }
                // Once the store is gone nothing more happens; what happened is still read.
                alive = self.news.changed().await.is_ok();
            }
        }
    }
}
