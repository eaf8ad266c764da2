//! How a book shows at one moment: what every interface that speaks JSON says of it. Must not know
//! who is shown it.

use jiff::Timestamp;
use serde::Serialize;

use super::Book;

/// A book as it shows at one moment. Its JSON is that of the HTTP API and of the command line: the
/// book, and whether it is new or was edited lately.
///
/// ```
/// # use bookhub_core::{Book, BookDraft, BookId};
/// # let draft = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = BookDraft::from_json(draft.as_object().unwrap()).unwrap();
/// let now = jiff::Timestamp::now();
/// let emma = Book::new(BookId::generate(now), draft, now);
///
/// let json = serde_json::to_value(emma.shown_at(now)).unwrap();
/// assert_eq!((&json["title"], &json["price"]), (&"Emma".into(), &199.into()));
/// assert_eq!((&json["isNew"], &json["isUpdated"]), (&true.into(), &false.into()));
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownBook<'a> {
    #[serde(flatten)]
    book: &'a Book,
    is_new: bool,
    is_updated: bool,
}

impl Book {
    /// This book as it shows at `now`.
    #[must_use]
    pub fn shown_at(&self, now: Timestamp) -> ShownBook<'_> {
        ShownBook { book: self, is_new: self.is_new(now), is_updated: self.is_updated(now) }
    }
}
