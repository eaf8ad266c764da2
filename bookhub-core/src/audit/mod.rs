//! The audit trail: who changed what in the shop, and what it was before and after ([`AuditEntry`]).
//! Must not know how entries are kept, nor who may read them.

mod action;
mod actor;
mod log;
mod subject;
mod trail;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use action::Action;
pub use actor::Actor;
pub use log::AuditLog;
pub(crate) use subject::{Subject, differences};
pub(crate) use trail::Trail;

use crate::book::StockReason;
pub use crate::id::AuditId;

/// One change that an admin, a program or the shop itself has made: kept before it was made, and
/// confirmed afterwards with what was really there.
///
/// ```
/// use bookhub_core::{Action, Actor, AuditLog, AuditQuery, Catalog, MemoryStore};
/// # use bookhub_core::{BookDraft, BookPatch};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_core::CatalogError> {
/// let store = MemoryStore::shared();
/// # let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = BookDraft::from_json(json.as_object().unwrap())?;
/// # let cheaper = BookPatch::from_json(json!({"price": 149.5}).as_object().unwrap())?;
/// let catalog = Catalog::new(store.clone()).by(Actor::command_line("asha"));
/// let emma = catalog.create(draft).await?;
/// catalog.update(emma.id, &cheaper, None).await?;
///
/// let newest = &AuditLog::new(store).list(&AuditQuery::default()).await?.entries[0];
/// assert_eq!((newest.action, newest.target.id), (Action::BookUpdated, emma.id.uuid()));
/// assert_eq!(
///     json!(newest.changes),
///     json!([{"field": "price", "before": 199, "after": 149.5}]),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its name for ever; later entries have greater ones.
    pub id: AuditId,
    /// When the change was begun.
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what.
    pub target: AuditTarget,
    /// What became different. If the outcome is unknown, what was to.
    pub changes: Vec<AuditChange>,
    /// By how many copies a stock was corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<i64>,
    /// Why, where whoever did it has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<StockReason>,
    /// Whether it was done.
    pub outcome: Outcome,
}

/// What an entry is about.
///
/// ```
/// use bookhub_core::{AuditTarget, TargetKind, UserId};
///
/// let id = UserId::generate(jiff::Timestamp::now()).uuid();
/// let target = AuditTarget { kind: TargetKind::User, id, name: Some("asha".to_owned()) };
/// assert_eq!(serde_json::to_value(target).unwrap()["kind"], "user");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AuditTarget {
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// Its id.
    pub id: Uuid,
    /// What it was called when the change was begun: the title of a book, the name of a user. Orders
    /// have no names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What kind of thing an entry is about.
///
/// ```
/// use bookhub_core::TargetKind;
///
/// assert_eq!(serde_json::to_value(TargetKind::Book).unwrap(), "book");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TargetKind {
    /// A book.
    Book,
    /// An order.
    Order,
    /// An account.
    User,
}

/// A field that became different, with its values as the HTTP API shows them. Nothing secret is a field.
///
/// ```
/// use bookhub_core::AuditChange;
/// use serde_json::json;
///
/// let added = AuditChange { field: "isbn".into(), before: None, after: Some(json!("9780141439587")) };
/// assert_eq!(json!(added), json!({"field": "isbn", "after": "9780141439587"}));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// Its name.
    pub field: Cow<'static, str>,
    /// What it was, if there was something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is since, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Whether a change was made.
///
/// ```
/// use bookhub_core::Outcome;
///
/// assert_eq!(serde_json::to_value(Outcome::Unknown).unwrap(), "unknown");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was.
    Done,
    /// Nobody has said: it is being made, or whoever made it has died, or lost the database, in the
    /// middle.
    Unknown,
}
