//! A list of books that is printed while it comes, page by page.

use super::{
    table::{Layout, terminal_width},
    write_out,
};
use crate::{
    args::Format,
    error::Result,
    shelves::{Book, BookView},
};

/// A list that has begun, or not yet.
#[derive(Debug)]
pub(crate) struct BookList {
    format: Format,
    layout: Option<Layout>,
    shown: u64,
}

impl BookList {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, layout: None, shown: 0 }
    }

    /// How many books it has so far.
    pub(crate) const fn shown(&self) -> u64 {
        self.shown
    }

    /// Prints some more books.
    pub(crate) fn page(&mut self, books: Vec<Book>) -> Result<()> {
        let mut text = String::new();
        match self.format {
            Format::Table => {
                text = self.rows(&books.into_iter().map(|b| b.view).collect::<Vec<_>>())
            }
            Format::Json | Format::Ndjson => {
                for book in books {
                    if self.format == Format::Json {
                        text.push_str(if self.shown == 0 { "[\n" } else { ",\n" });
                    }
                    text.push_str(book.json.get());
                    if self.format == Format::Ndjson {
                        text.push('\n');
                    }
                    self.shown += 1;
                }
            }
        }
        write_out(&text)
    }

    /// Ends the list.
    pub(crate) fn end(self) -> Result<()> {
        match (self.format, self.shown) {
            (Format::Json, 0) => write_out("[]\n"),
            (Format::Json, _) => write_out("\n]\n"),
            (Format::Table, 0) => write_out("No books.\n"),
            _ => Ok(()),
        }
    }

    fn rows(&mut self, books: &[BookView]) -> String {
        if books.is_empty() {
            return String::new();
        }
        let mut text = String::new();
        let layout = self.layout.get_or_insert_with(|| {
            let layout = Layout::of(books, terminal_width());
            text = layout.header();
            layout
        });
        text.push_str(&layout.rows(books));
        self.shown += books.len() as u64;
        text
    }
}
