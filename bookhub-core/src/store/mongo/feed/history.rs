//! The changes that a process has heard of lately, for its readers. Must not know where they come
//! from.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    change::{Change, ChangeKind, Position},
    store::reader::Recorded,
};

pub(super) struct History {
    state: Mutex<State>,
    capacity: usize,
    news: watch::Sender<()>,
}

struct State {
    changes: VecDeque<Arc<Change>>,
    /// Behind which every change is kept.
    oldest: Position,
    /// Up to which every change is known.
    seen: Position,
}

impl History {
    /// A history that begins behind `oldest`.
    pub(super) fn new(oldest: Position, seen: Position, capacity: usize) -> Self {
        let state = State { changes: VecDeque::new(), oldest, seen };
        Self { state: Mutex::new(state), capacity, news: watch::Sender::new(()) }
    }

    /// Records what happened at a position, if anything did.
    pub(super) fn record(&self, position: Position, at: jiff::Timestamp, kind: Option<ChangeKind>) {
        let mut state = self.lock();
        // A stream that was opened again may say something twice.
        if position <= state.seen {
            return;
        }
        state.seen = position;
        state.changes.extend(kind.map(|kind| Arc::new(Change { position, at, kind })));
        while state.changes.len() > self.capacity {
            if let Some(change) = state.changes.pop_front() {
                state.oldest = change.position;
            }
        }
        // Before anybody can see how far it has come: who does finds the change too.
        self.news.send_replace(());
    }

    /// Records what follows at once, each at a position of its own.
    pub(super) fn record_next(&self, at: jiff::Timestamp, kind: ChangeKind) {
        let next = Position::new(self.seen().number() + 1);
        self.record(next, at, Some(kind));
    }

    /// Forgets everything before a position: something there was never heard of.
    pub(super) fn lose(&self, upto: Position) {
        let mut state = self.lock();
        state.changes.retain(|change| change.position > upto);
        state.oldest = state.oldest.max(upto);
        state.seen = state.seen.max(upto);
        self.news.send_replace(());
    }

    pub(super) fn oldest(&self) -> Position {
        self.lock().oldest
    }

    pub(super) fn seen(&self) -> Position {
        self.lock().seen
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded for History {
    fn since(&self, after: Position, most: usize) -> Result<Vec<Arc<Change>>, Position> {
        let state = self.lock();
        if after < state.oldest {
            return Err(state.oldest);
        }
        let start = state.changes.partition_point(|change| change.position <= after);
        Ok(state.changes.range(start..).take(most).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::BookId;

    fn deleted() -> ChangeKind {
        ChangeKind::BookDeleted(BookId::generate(Timestamp::UNIX_EPOCH))
    }

    fn history(capacity: usize) -> History {
        let history = History::new(Position::START, Position::START, capacity);
        for position in [10, 20, 30] {
            history.record(Position::new(position), Timestamp::UNIX_EPOCH, Some(deleted()));
        }
        history
    }

    fn positions(history: &History, after: u128) -> Result<Vec<u128>, u128> {
        let since = history.since(Position::new(after), 100).map_err(Position::number)?;
        Ok(since.iter().map(|change| change.position.number()).collect())
    }

    #[test]
    fn a_reader_gets_what_is_behind_it_wherever_it_stands() {
        let history = history(10);
        assert_eq!(positions(&history, 0), Ok(vec![10, 20, 30]));
        assert_eq!(positions(&history, 15), Ok(vec![20, 30]));
        assert_eq!(positions(&history, 30), Ok(vec![]));
    }

    #[test]
    fn who_stands_before_what_is_kept_is_told_from_where_on_it_is() {
        let history = history(2);
        assert_eq!(positions(&history, 9), Err(10));
        assert_eq!(positions(&history, 10), Ok(vec![20, 30]));
        history.lose(Position::new(40));
        assert_eq!(positions(&history, 30), Err(40));
        assert_eq!(positions(&history, 40), Ok(vec![]));
    }

    #[test]
    fn what_is_said_twice_is_recorded_once() {
        let history = history(10);
        history.record(Position::new(20), Timestamp::UNIX_EPOCH, Some(deleted()));
        history.record(Position::new(35), Timestamp::UNIX_EPOCH, None);
        history.record(Position::new(33), Timestamp::UNIX_EPOCH, Some(deleted()));
        assert_eq!(positions(&history, 0), Ok(vec![10, 20, 30]));
        assert_eq!(history.seen(), Position::new(35));
    }
}
