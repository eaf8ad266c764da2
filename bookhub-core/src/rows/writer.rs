//! Books written as rows.

use std::sync::Arc;

use csv::{Terminator, WriterBuilder};
use jiff::Timestamp;
use serde_json::Value;

use super::{RowFormat, columns::cell};
use crate::book::Book;

/// What can be imported, then what the shop says of it.
const COLUMNS: [&str; 13] = [
    "title",
    "author",
    "genre",
    "year",
    "price",
    "isbn",
    "stock",
    "coverUrl",
    "description",
    "id",
    "version",
    "createdAt",
    "updatedAt",
];

impl RowFormat {
    /// What stands before the rows of a file: the names of its columns, or nothing.
    ///
    /// ```
    /// use bookhub_core::RowFormat;
    ///
    /// assert!(RowFormat::Csv.header().starts_with(b"title,author,"));
    /// assert!(RowFormat::Ndjson.header().is_empty());
    /// ```
    #[must_use]
    pub fn header(self) -> Vec<u8> {
        match self {
            Self::Csv => csv_of(std::iter::once(COLUMNS.map(str::to_owned))),
            Self::Ndjson => Vec::new(),
        }
    }

    /// Books as the rows of a file, as they are at `now`. [`BookRows`](crate::BookRows) reads them
    /// without change.
    ///
    /// In CSV a text that a spreadsheet would run as a formula (it begins with `=`, `+`, `-`, `@`) has
    /// an apostrophe before it, which is taken away when it is read.
    ///
    /// ```
    /// use bookhub_core::RowFormat;
    /// # use std::sync::Arc;
    /// # use bookhub_core::{Book, BookDraft, BookId};
    /// # let draft = serde_json::json!({"title": "=1+1", "author": "A", "genre": "G", "year": -8, "price": 2});
    /// # let draft = BookDraft::from_json(draft.as_object().unwrap()).unwrap();
    /// # let now = jiff::Timestamp::now();
    /// # let book = Arc::new(Book::new(BookId::generate(now), draft, now));
    ///
    /// let rows = RowFormat::Csv.rows(&[book], now);
    /// assert!(rows.starts_with(b"'=1+1,A,G,-8,2,,0,,,"));
    /// ```
    #[must_use]
    pub fn rows(self, books: &[Arc<Book>], now: Timestamp) -> Vec<u8> {
        let objects = books.iter().map(|book| {
            serde_json::to_value(book.shown_at(now)).expect("a book is an object of JSON")
        });
        match self {
            Self::Csv => csv_of(objects.map(|book| COLUMNS.map(|column| cell(book.get(column))))),
            Self::Ndjson => objects.flat_map(|book| line(&book)).collect(),
        }
    }
}

fn line(book: &Value) -> Vec<u8> {
    format!("{book}\n").into_bytes()
}

fn csv_of<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("rows of one length, into memory");
    }
    writer.into_inner().expect("memory takes everything")
}
