//! What the feed carries: a committed [`Change`], where it stands, and the life of the feed.
//! Must not know who listens.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    book::Book,
    error::BadValue,
    id::{BookId, SessionId, UserId},
    order::Order,
    user::Role,
};

/// Where a change stands in the feed. Positions only say "before" and "after"; the default one
/// stands before every change.
///
/// ```
/// use bookhub_core::Position;
///
/// assert!(Position::START < Position::new(1));
/// assert_eq!(Position::default(), Position::START);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u128);

impl Position {
    /// Before every change.
    pub const START: Self = Self(0);

    /// The position with this number.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number of this position.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0
    }
}

/// The life of a feed: while it stays the same, positions keep their meaning. 1 to 32 ASCII
/// letters, digits or underscores.
///
/// ```
/// use bookhub_core::Epoch;
///
/// let epoch: Epoch = "5f2c".parse().unwrap();
/// assert_eq!(epoch.as_str(), "5f2c");
/// assert!("".parse::<Epoch>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// A new life, unlike any other.
    #[must_use]
    pub fn random() -> Self {
        let mut text = uuid::Uuid::new_v4().simple().to_string();
        text.truncate(16);
        Self(text.into())
    }

    /// The name of this life.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Epoch {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plain && (1..=32).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(BadValue::new("Must be 1 to 32 ASCII letters, digits or underscores."))
        }
    }
}

impl TryFrom<String> for Epoch {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.0.as_ref().into()
    }
}

/// One committed change: it exists because a write was done, and in the order of the writes.
///
/// ```
/// use bookhub_core::{BookDraft, Catalog, ChangeKind, Feed, MemoryStore, Position};
/// use futures_util::StreamExt;
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::shared();
/// # let draft = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = BookDraft::from_json(draft.as_object().unwrap()).unwrap();
/// let book = Catalog::new(store.clone()).create(draft).await.unwrap();
///
/// let change = store.changes(Position::START).next().await.unwrap().unwrap();
/// assert_eq!(change.kind, ChangeKind::BookCreated(book));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it stands; greater than that of every earlier change.
    pub position: Position,
    /// When it was committed, by the store's clock.
    pub at: Timestamp,
    /// What changed.
    pub kind: ChangeKind,
}

/// What changed.
///
/// ```
/// use bookhub_core::{BookId, ChangeKind};
///
/// let id = BookId::generate(jiff::Timestamp::now());
/// assert_eq!(ChangeKind::BookDeleted(id).book(), Some(id));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// A book came into the catalogue; the book as it was then.
    BookCreated(Arc<Book>),
    /// A book's content or stock changed; the book as it was afterwards.
    BookUpdated(Arc<Book>),
    /// A book left the catalogue.
    BookDeleted(BookId),
    /// An order was placed; the order as it was then. Each of its books is a change of its own.
    OrderPlaced(Arc<Order>),
    /// An order moved to another status; the order as it was afterwards.
    OrderUpdated(Arc<Order>),
    /// A session ended before its time: by logout or by a change of password.
    SessionEnded {
        /// Which one.
        session: SessionId,
    },
    /// A user may do more or less than before.
    RoleChanged {
        /// Who.
        user: UserId,
        /// What they are now.
        role: Role,
    },
    /// An account was deleted, with all its sessions.
    UserDeleted {
        /// Whose it was.
        user: UserId,
    },
}

impl ChangeKind {
    /// The book that changed, if it was one.
    #[must_use]
    pub fn book(&self) -> Option<BookId> {
        match self {
            Self::BookCreated(book) | Self::BookUpdated(book) => Some(book.id),
            Self::BookDeleted(id) => Some(*id),
            Self::OrderPlaced(_)
            | Self::OrderUpdated(_)
            | Self::SessionEnded { .. }
            | Self::RoleChanged { .. }
            | Self::UserDeleted { .. } => None,
        }
    }
}
