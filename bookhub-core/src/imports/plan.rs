//! What one row is to do, by what it says and by what is there. Must not know how it is done.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{options::Existing, report::Outcome};
use crate::{
    book::{Book, BookDraft, BookPatch},
    error::{CatalogError, Invalid},
    isbn::Isbn,
    rows::{BookRow, RowError},
};

pub(super) enum Step {
    Create(BookDraft),
    Update(Met, BookPatch),
    Skip,
    Fail(RowError),
}

/// What has the ISBN of a row.
pub(super) enum Met {
    Book(Arc<Book>),
    /// A row before it, which a check has not made a book.
    Row,
}

impl Step {
    pub(super) fn of(
        row: &BookRow,
        isbn: Option<Isbn>,
        meets: Option<Met>,
        existing: Existing,
    ) -> Self {
        let fields = match &row.fields {
            Ok(fields) => fields,
            Err(error) => return Self::Fail(error.clone()),
        };
        let planned = match (meets, existing) {
            (Some(met), Existing::Update) => {
                BookPatch::from_json(fields).map(|patch| Self::Update(met, patch))
            }
            (None, _) => BookDraft::from_json(fields).map(Self::Create),
            (Some(_), Existing::Skip) => BookDraft::from_json(fields).map(|_| Self::Skip),
            (Some(met), Existing::Error) => {
                BookDraft::from_json(fields).map(|_| Self::Fail(taken(isbn, &met)))
            }
        };
        planned.unwrap_or_else(|invalid| Self::Fail(invalid.into()))
    }

    /// What would become of the row.
    pub(super) fn foreseen(self) -> Outcome {
        match self {
            Self::Create(_) => Outcome::Created,
            Self::Update(..) => Outcome::Updated,
            Self::Skip => Outcome::Skipped,
            Self::Fail(error) => Outcome::Failed(error),
        }
    }
}

/// The ISBN of a row, if it has a good one.
pub(super) fn isbn(row: &BookRow) -> Option<Isbn> {
    let said = |fields: &Map<String, Value>| fields.get("isbn")?.as_str()?.parse().ok();
    row.fields.as_ref().ok().and_then(said)
}

fn taken(isbn: Option<Isbn>, met: &Met) -> RowError {
    match (isbn, met) {
        (Some(isbn), Met::Book(book)) => CatalogError::IsbnTaken { isbn, book: book.id }.into(),
        _ => {
            let sentence = "A row before this one has the same ISBN.";
            let details = Invalid::field("isbn", sentence).into_errors();
            RowError { code: "isbn_taken", error: sentence.to_owned(), details }
        }
    }
}
