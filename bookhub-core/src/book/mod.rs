//! Books: what one is, how one is described ([`BookDraft`]), how one is changed ([`BookPatch`]).
//! Must not know how books are kept or found.

mod draft;
mod numbers;
mod shown;
mod texts;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use draft::{BookDraft, BookPatch, StockAdjustment};
pub(crate) use draft::{EDITABLE, READ_ONLY};
pub use numbers::{Stock, Year};
pub use shown::ShownBook;
pub use texts::{Author, CoverUrl, Description, Genre, StockReason, Title};

pub use crate::id::BookId;
use crate::{isbn::Isbn, money::Price};

/// For how long a book counts as new, and an edit as recent.
const FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A book of the catalogue as it was at one moment.
///
/// As JSON it has the fields of the HTTP API, except for those that depend on what time it is
/// (`isNew`, `isUpdated`): those, too, has the book as it is [`shown_at`](Self::shown_at) a moment.
///
/// ```
/// use bookhub_core::{Book, BookDraft, BookId};
/// # use serde_json::json;
///
/// # let draft = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = BookDraft::from_json(draft.as_object().unwrap()).unwrap();
/// let now = jiff::Timestamp::now();
/// let book = Book::new(BookId::generate(now), draft, now);
/// assert!(book.is_new(now) && !book.is_updated(now));
/// assert_eq!((book.version, book.stock_version), (1, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Book {
    /// Its name for ever.
    pub id: BookId,
    /// What an admin says about it.
    #[serde(flatten)]
    pub content: BookContent,
    /// How many copies there are to sell.
    pub stock: Stock,
    /// Counts the changes of content; 1 at first.
    pub version: u64,
    /// Counts the changes of stock; 1 at first.
    pub stock_version: u64,
    /// When it came into the catalogue.
    pub created_at: Timestamp,
    /// When its content last changed; `created_at` at first.
    pub updated_at: Timestamp,
}

impl Book {
    /// The book that `draft` describes, put into the catalogue at `now`.
    #[must_use]
    pub fn new(id: BookId, draft: BookDraft, now: Timestamp) -> Self {
        Self {
            id,
            content: draft.content,
            stock: draft.stock,
            version: 1,
            stock_version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it came into the catalogue in the seven days before `now`.
    #[must_use]
    pub fn is_new(&self, now: Timestamp) -> bool {
        now.duration_since(self.created_at) < FRESH
    }

    /// Whether its content changed in the seven days before `now` (and after its creation).
    #[must_use]
    pub fn is_updated(&self, now: Timestamp) -> bool {
        self.updated_at > self.created_at && now.duration_since(self.updated_at) < FRESH
    }
}

/// What an admin says about a book: everything but its stock and what the shop itself keeps.
///
/// ```
/// use bookhub_core::{Author, BookContent, Genre, Price, Title, Year};
///
/// let content = BookContent {
///     title: Title::new("Emma").unwrap(),
///     author: Author::new("Jane Austen").unwrap(),
///     genre: Genre::new("Classics").unwrap(),
///     year: Year::new(1815).unwrap(),
///     price: Price::from_paise(19_900).unwrap(),
///     isbn: None,
///     cover_url: None,
///     description: None,
/// };
/// assert_eq!(content.to_string(), "“Emma” by Jane Austen");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookContent {
    /// What is printed on the front.
    pub title: Title,
    /// Who wrote it.
    pub author: Author,
    /// On which shelf it stands.
    pub genre: Genre,
    /// When the work came out; negative before our era.
    pub year: Year,
    /// What a copy costs.
    pub price: Price,
    /// Its number, unique in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isbn: Option<Isbn>,
    /// Where a picture of its front is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_url: Option<CoverUrl>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

impl fmt::Display for BookContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}” by {}", self.title, self.author)
    }
}
