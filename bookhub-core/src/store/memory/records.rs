//! The newest entries of the audit trail with their index, as one value that is cheap to clone.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use crate::{
    audit::{Action, Actor, AuditEntry, AuditId, Outcome},
    query::AuditQuery,
};

/// The entries, by their ids.
#[derive(Clone, Default)]
pub(super) struct Records {
    entries: OrdMap<AuditId, Arc<AuditEntry>>,
    /// Every entry on each of its shelves.
    shelves: OrdSet<(Shelf, AuditId)>,
}

/// Entries that have something in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shelf {
    Target(Uuid),
    /// The key of a username.
    Actor(String),
    Action(Action),
}

impl Records {
    /// Keeps an entry in place of the one with its id, but of all entries only the `most` newest.
    pub(super) fn put(&mut self, entry: AuditEntry, most: usize) {
        self.shelves.extend(shelves(&entry).map(|shelf| (shelf, entry.id)));
        self.entries.insert(entry.id, Arc::new(entry));
        while self.entries.len() > most
            && let Some((oldest, _)) = self.entries.get_min().cloned()
        {
            self.remove(oldest);
        }
    }

    /// The noted entry `id`, unless it was confirmed.
    pub(super) fn noted(&self, id: AuditId) -> Option<&Arc<AuditEntry>> {
        self.entries.get(&id).filter(|entry| entry.outcome == Outcome::Unknown)
    }

    pub(super) fn remove(&mut self, id: AuditId) {
        if let Some(entry) = self.entries.remove(&id) {
            for shelf in shelves(&entry) {
                self.shelves.remove(&(shelf, id));
            }
        }
    }

    /// The entries that are asked for, newest first, those before its cursor left out.
    pub(super) fn asked<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> Box<dyn Iterator<Item = &'a Arc<AuditEntry>> + 'a> {
        let (first, last) = (AuditId::from_uuid(Uuid::nil()), AuditId::from_uuid(Uuid::max()));
        let end = query.after().unwrap_or(last);
        // The shelf with the fewest first.
        let shelf = query.target().map(Shelf::Target);
        let shelf = shelf.or_else(|| query.actor().map(|name| Shelf::Actor(name.key())));
        match shelf.or_else(|| query.action().map(Shelf::Action)) {
            Some(shelf) => {
                let places = self.shelves.range((shelf.clone(), first)..(shelf, end)).rev();
                let entries = places.filter_map(|(_, id)| self.entries.get(id));
                Box::new(entries.filter(|entry| query.matches(entry)))
            }
            None => Box::new(self.entries.range(first..end).rev().map(|(_, entry)| entry)),
        }
    }
}

/// Where an entry is looked for.
fn shelves(entry: &AuditEntry) -> impl Iterator<Item = Shelf> {
    let actor = match &entry.actor {
        Actor::User { username, .. } => Some(Shelf::Actor(username.key())),
        Actor::CommandLine { .. } | Actor::System => None,
    };
    [Shelf::Target(entry.target.id), Shelf::Action(entry.action)].into_iter().chain(actor)
}
