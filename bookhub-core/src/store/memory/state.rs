//! All that a [`MemoryStore`](super::MemoryStore) keeps, as one value that is cheap to clone, and
//! the history of its changes.

use std::sync::Arc;

use imbl::{HashMap, Vector};
use jiff::Timestamp;

use super::{catalogue::Catalogue, ledger::Ledger, people::People, records::Records};
use crate::{
    cart::Cart,
    change::{Change, ChangeKind, Position},
    user::UserId,
};

/// Everything at one moment.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) catalogue: Catalogue,
    pub(super) people: People,
    pub(super) ledger: Ledger,
    pub(super) carts: HashMap<UserId, Cart>,
    pub(super) records: Records,
    pub(super) history: History,
}

/// The latest changes. Their positions are consecutive numbers.
#[derive(Clone, Default)]
pub(super) struct History {
    changes: Vector<Arc<Change>>,
    /// The position of the last change that is no longer kept.
    trimmed: u128,
    now: Timestamp,
    capacity: usize,
}

impl History {
    /// What is recorded from here on happens `now`; at most `capacity` changes are kept.
    pub(super) fn begin(&mut self, now: Timestamp, capacity: usize) {
        (self.now, self.capacity) = (now, capacity);
    }

    /// Records the next change.
    pub(super) fn record(&mut self, kind: ChangeKind) {
        let position = Position::new(self.head().number() + 1);
        self.changes.push_back(Arc::new(Change { position, at: self.now, kind }));
        while self.changes.len() > self.capacity {
            self.changes.pop_front();
            self.trimmed += 1;
        }
    }

    /// The position of the last change.
    pub(super) fn head(&self) -> Position {
        Position::new(self.trimmed + self.changes.len() as u128)
    }

    /// The oldest position behind which every change is kept.
    pub(super) fn oldest(&self) -> Position {
        Position::new(self.trimmed)
    }

    /// At most `most` changes behind `after`, if all of them are kept.
    pub(super) fn since(&self, after: Position, most: usize) -> Option<Vec<Arc<Change>>> {
        let passed = after.number().checked_sub(self.trimmed)?;
        let start =
            usize::try_from(passed).map_or(self.changes.len(), |at| at.min(self.changes.len()));
        let end = self.changes.len().min(start + most);
        let mut focus = self.changes.focus();
        Some((start..end).filter_map(|at| focus.get(at).cloned()).collect())
    }
}
