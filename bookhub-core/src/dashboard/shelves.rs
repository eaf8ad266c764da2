//! How many books each genre has, as it was when it was last looked at: a database counts them all to
//! say so. Must not know what was sold.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::{change::ChangeKind, clock::Clock, error::StoreError, query::GenreCount, store::Store};

/// How long anybody waits for new numbers who could have older ones.
const MOMENT: Duration = Duration::from_millis(100);

/// By how much the clocks of those who write books may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// The genres of the catalogue.
#[derive(Debug)]
pub(super) struct Shelves {
    store: Arc<dyn Store>,
    clock: Clock,
    kept: Mutex<Kept>,
    /// Whether they may be others by now.
    are_old: AtomicBool,
    /// Held by the one who looks.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    genres: Option<Arc<[GenreCount]>>,
    at: Timestamp,
}

impl Shelves {
    pub(super) fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        let (kept, looking) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { store, clock, kept, are_old: AtomicBool::new(true), looking }
    }

    /// The feed tells of a change: a book that came, went or got another content may have another genre.
    pub(super) fn heard(&self, kind: &ChangeKind) {
        match kind {
            ChangeKind::BookCreated(_) | ChangeKind::BookDeleted(_) => self.lose(),
            // A sale leaves it as it was edited long ago.
            ChangeKind::BookUpdated(book)
                if book.updated_at.saturating_add(SKEW).is_ok_and(|at| at >= self.kept().at) =>
            {
                self.lose();
            }
            _ => {}
        }
    }

    /// Something may have happened that nobody has heard of.
    pub(super) fn lose(&self) {
        self.are_old.store(true, Ordering::Release);
    }

    /// The genres and how many books each has.
    pub(super) async fn genres(self: &Arc<Self>) -> Result<Arc<[GenreCount]>, StoreError> {
        let older = self.kept().genres;
        if let Some(genres) = older.clone().filter(|_| !self.are_old.load(Ordering::Acquire)) {
            return Ok(genres);
        }
        // Goes on though nobody waits for it: the next one finds it done.
        let shelves = Arc::clone(self);
        let look = tokio::spawn(async move { shelves.look().await });
        let patience = older.as_ref().map_or(Duration::MAX, |_| MOMENT);
        match (timeout(patience, look).await, older) {
            (Ok(Ok(Ok(genres))), _) => Ok(genres),
            (_, Some(older)) => Ok(older),
            (Ok(Ok(Err(error))), None) => Err(error),
            (_, None) => Err(StoreError::unavailable("the genres were not counted")),
        }
    }

    async fn look(&self) -> Result<Arc<[GenreCount]>, StoreError> {
        let _turn = self.looking.lock().await;
        // What changes from here on is looked at again.
        if !self.are_old.swap(false, Ordering::AcqRel)
            && let Some(genres) = self.kept().genres
        {
            return Ok(genres);
        }
        let at = self.clock.now();
        let genres: Arc<[_]> = self.store.genres().await.inspect_err(|_| self.lose())?.into();
        *self.lock() = Kept { genres: Some(Arc::clone(&genres)), at };
        Ok(genres)
    }

    fn kept(&self) -> Kept {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
