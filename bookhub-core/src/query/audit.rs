//! Which entries of the audit trail an admin asks for ([`AuditQuery`]), and what they get
//! ([`AuditPage`]).

use std::sync::Arc;

use uuid::Uuid;

use super::{PageSize, read_query, unknown};
use crate::{
    audit::{Action, Actor, AuditEntry, AuditId},
    error::{BadValue, Invalid},
    id,
    user::Username,
};

/// Which entries of the audit trail somebody wants to see, newest first: of whom, which action, about
/// what, how many, and behind which.
///
/// ```
/// use bookhub_core::{Action, AuditQuery};
///
/// let query = AuditQuery::parse([("actor", "asha"), ("action", "book.deleted")]).unwrap();
/// assert_eq!(query.action(), Some(Action::BookDeleted));
/// assert_eq!(query.limit().get(), 24);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    actor: Option<Username>,
    action: Option<Action>,
    target: Option<Uuid>,
    limit: PageSize,
    after: Option<AuditId>,
}

impl AuditQuery {
    /// Reads the parameters of a query: `actor`, `action`, `target`, `limit` and `cursor`, each at most
    /// once. A blank `actor`, `action` or `target` asks for nothing.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        read_query(parameters, Self::read)
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), BadValue> {
        let said = !value.trim().is_empty();
        match name {
            "actor" => self.actor = said.then(|| value.parse()).transpose()?,
            "action" => self.action = said.then(|| value.parse()).transpose()?,
            "target" => self.target = said.then(|| id::parse(value)).transpose()?,
            "limit" => self.limit = value.parse()?,
            "cursor" => self.after = Some(value.parse()?),
            _ => return Err(unknown("actor, action, target, limit, cursor")),
        }
        Ok(())
    }

    /// This query, but only what users of this name did.
    #[must_use]
    pub fn with_actor(mut self, actor: Username) -> Self {
        self.actor = Some(actor);
        self
    }

    /// This query, but only this action.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    /// This query, but only what was done to the thing with this id.
    #[must_use]
    pub fn with_target(mut self, target: Uuid) -> Self {
        self.target = Some(target);
        self
    }

    /// This query with pages of this size.
    #[must_use]
    pub fn with_limit(mut self, limit: PageSize) -> Self {
        self.limit = limit;
        self
    }

    /// This query from behind an entry on.
    #[must_use]
    pub fn after_entry(mut self, id: AuditId) -> Self {
        self.after = Some(id);
        self
    }

    /// By which user, by name; `None` for whomever.
    #[must_use]
    pub fn actor(&self) -> Option<&Username> {
        self.actor.as_ref()
    }

    /// Which action; `None` for any.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        self.action
    }

    /// About what; `None` for anything.
    #[must_use]
    pub fn target(&self) -> Option<Uuid> {
        self.target
    }

    /// At most how many.
    #[must_use]
    pub fn limit(&self) -> PageSize {
        self.limit
    }

    /// Behind which entry, on the way to older ones.
    #[must_use]
    pub fn after(&self) -> Option<AuditId> {
        self.after
    }

    /// Whether `entry` is among those asked for, on whatever page. This is the definition that every
    /// backend implements with indexes.
    #[must_use]
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let is_by = |name: &Username| match &entry.actor {
            Actor::User { username, .. } => username == name,
            Actor::CommandLine { .. } | Actor::System => false,
        };
        self.actor.as_ref().is_none_or(is_by)
            && self.action.is_none_or(|action| action == entry.action)
            && self.target.is_none_or(|target| target == entry.target.id)
    }
}

/// One page of the answer to an [`AuditQuery`].
///
/// ```
/// use bookhub_core::{AuditQuery, AuditStore, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let now = jiff::Timestamp::now();
/// let page = MemoryStore::new().audit_entries(&AuditQuery::default(), now).await.unwrap();
/// assert!(page.entries.is_empty() && page.next.is_none());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<Arc<AuditEntry>>,
    /// The entry behind which the next page begins; `None` if this is the last one.
    pub next: Option<AuditId>,
}

impl AuditPage {
    /// The first `most` of these entries, of which there may be more.
    pub(crate) fn of(mut entries: Vec<Arc<AuditEntry>>, most: usize) -> Self {
        let more = entries.len() > most;
        entries.truncate(most);
        let next = entries.last().filter(|_| more).map(|entry| entry.id);
        Self { entries, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_parameter_is_named() {
        for (name, value) in [
            ("actor", "a b"),
            ("action", "book.read"),
            ("target", "emma"),
            ("limit", "0"),
            ("cursor", ""),
            ("cursor", "made-up"),
            ("since", "2026"),
        ] {
            let invalid = AuditQuery::parse([(name, value)]).unwrap_err();
            assert_eq!(invalid.errors()[0].field, name, "{value}");
        }
        assert!(AuditQuery::parse([("limit", "1"), ("limit", "1")]).is_err());
        let nothing = AuditQuery::parse([("actor", " "), ("action", ""), ("target", "")]);
        assert_eq!(nothing, Ok(AuditQuery::default()));
    }
}
