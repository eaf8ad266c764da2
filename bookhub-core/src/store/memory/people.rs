//! All accounts and sessions with their indexes, as one value that is cheap to clone.

use std::{ops::Bound, sync::Arc};

use imbl::{HashMap, OrdMap, OrdSet};
use jiff::Timestamp;

use crate::{
    error::UserWriteError,
    store::Account,
    user::{Role, Session, SessionId, UserId, Username},
};

/// The people.
#[derive(Clone, Default)]
pub(super) struct People {
    accounts: HashMap<UserId, Arc<Account>>,
    /// By their keys, in their order.
    names: OrdMap<String, UserId>,
    emails: HashMap<String, UserId>,
    sessions: HashMap<SessionId, Session>,
    of_user: OrdSet<(UserId, SessionId)>,
    expiring: OrdSet<(Timestamp, SessionId)>,
}

impl People {
    pub(super) fn account(&self, id: UserId) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    /// How many accounts there are.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(super) fn named(&self, name: &Username) -> Option<&Arc<Account>> {
        self.names.get(&name.key()).and_then(|id| self.account(*id))
    }

    /// The accounts behind a name, by their names.
    pub(super) fn behind(&self, name: Option<&Username>) -> impl Iterator<Item = &Arc<Account>> {
        let start = name.map_or(Bound::Unbounded, |name| Bound::Excluded(name.key()));
        let ids = self.names.range::<_, String>((start, Bound::Unbounded)).map(|(_, id)| *id);
        ids.filter_map(|id| self.account(id))
    }

    /// Keeps an account in place of the one with its id, if its names are free.
    pub(super) fn put(&mut self, account: Account) -> Result<Arc<Account>, UserWriteError> {
        let id = account.user.id;
        let (name, email) = keys(&account);
        let is_others = |owner: &UserId| *owner != id;
        if self.names.get(&name).is_some_and(is_others) {
            return Err(UserWriteError::UsernameTaken);
        }
        if email.as_ref().and_then(|email| self.emails.get(email)).is_some_and(is_others) {
            return Err(UserWriteError::EmailTaken);
        }
        if let Some((name, email)) = self.accounts.get(&id).map(|old| keys(old)) {
            self.names.remove(&name);
            email.and_then(|email| self.emails.remove(&email));
        }
        self.names.insert(name, id);
        email.and_then(|email| self.emails.insert(email, id));
        let account = Arc::new(account);
        self.accounts.insert(id, Arc::clone(&account));
        Ok(account)
    }

    /// Forgets an account and its sessions.
    pub(super) fn remove(&mut self, id: UserId) -> Option<Arc<Account>> {
        let account = self.accounts.remove(&id)?;
        let (name, email) = keys(&account);
        self.names.remove(&name);
        email.and_then(|email| self.emails.remove(&email));
        for session in self.sessions_of(id) {
            self.end(session);
        }
        Some(account)
    }

    /// Whether somebody but `id` is an admin.
    pub(super) fn has_admin_beside(&self, id: UserId) -> bool {
        let mut others = self.accounts.values().filter(|other| other.user.id != id);
        others.any(|other| other.user.role == Role::Admin)
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    pub(super) fn open(&mut self, session: Session) {
        self.of_user.insert((session.user, session.id));
        self.expiring.insert((session.expires_at, session.id));
        self.sessions.insert(session.id, session);
    }

    pub(super) fn end(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        self.of_user.remove(&(session.user, id));
        self.expiring.remove(&(session.expires_at, id));
        Some(session)
    }

    /// The sessions of one user.
    pub(super) fn sessions_of(&self, user: UserId) -> Vec<SessionId> {
        let first = SessionId::from_uuid(uuid::Uuid::nil());
        let last = SessionId::from_uuid(uuid::Uuid::max());
        self.of_user.range((user, first)..=(user, last)).map(|(_, id)| *id).collect()
    }

    /// Forgets what had expired at `now`.
    pub(super) fn purge(&mut self, now: Timestamp) -> usize {
        let mut purged = 0;
        while let Some((_, id)) = self.expiring.get_min().filter(|(end, _)| *end <= now).copied() {
            self.end(id);
            purged += 1;
        }
        purged
    }
}

fn keys(account: &Account) -> (String, Option<String>) {
    let user = &account.user;
    (user.username.key(), user.email.as_ref().map(|email| email.key()))
}
