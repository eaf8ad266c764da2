//! Books as the rows of a file: read while its bytes come ([`BookRows`]), and written
//! ([`RowFormat::rows`]), as CSV or as one JSON object a line. What is written can be read again without
//! change. Must not know what becomes of the rows, nor the rules for their values.

mod columns;
mod csv;
mod lines;
mod row;
mod writer;

pub use row::{BookRow, RowError, RowFormat};

use self::{columns::Columns, csv::CsvRecords, lines::Lines};
use crate::error::Invalid;

/// The longest row that is read, in bytes.
const MAX_ROW: usize = 1 << 20;

/// What some programs write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the rows of a file of books from its bytes, in whatever pieces they come. It holds no more than
/// one row, and a row that makes no sense does not keep those behind it from being read.
///
/// A CSV file begins with the names of its columns: those of the API (`coverUrl`, also written
/// `cover_url` or `Cover URL`), in whatever order. An empty cell is as good as none. What the shop sets
/// itself (`id`, `version`, `createdAt` and so on) may be there, and is ignored.
///
/// ```
/// use bookhub_core::{BookRows, RowFormat};
///
/// let mut rows = BookRows::new(RowFormat::Csv);
/// let mut read = rows.read(b"title,author,genre,year,price\nEmma,Jane Aus").unwrap();
/// read.extend(rows.read(b"ten,Classics,1815,199\n").unwrap());
/// read.extend(rows.finish().unwrap());
/// assert_eq!(read[0].line, 2);
/// assert_eq!(read[0].fields.as_ref().unwrap()["author"], "Jane Austen");
///
/// let unknown = BookRows::new(RowFormat::Csv).read(b"title,colour\n").unwrap_err();
/// assert_eq!(unknown.errors()[0].field, "colour");
/// ```
#[derive(Debug)]
pub struct BookRows {
    /// The first bytes, while they may be a byte order mark.
    begin: Option<Vec<u8>>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Csv { records: Box<CsvRecords>, columns: Option<Columns>, needed: &'static [&'static str] },
    Ndjson(Lines),
}

impl BookRows {
    /// The rows of a file that has not come yet, each of them a new book.
    #[must_use]
    pub fn new(format: RowFormat) -> Self {
        let source = match format {
            RowFormat::Csv => Source::Csv {
                records: Box::default(),
                columns: None,
                needed: columns::OF_NEW_BOOKS,
            },
            RowFormat::Ndjson => Source::Ndjson(Lines::default()),
        };
        Self { begin: Some(Vec::new()), source }
    }

    /// Rows that may change books that are there: of the columns only the ISBN is needed.
    #[must_use]
    pub fn of_changes(mut self) -> Self {
        if let Source::Csv { needed, .. } = &mut self.source {
            *needed = columns::OF_CHANGES;
        }
        self
    }

    /// The rows that are whole with these bytes. Fails if the file has no usable header, which makes
    /// all of it useless.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<BookRow>, Invalid> {
        let Some(begin) = &mut self.begin else { return self.source.read(bytes) };
        begin.extend_from_slice(bytes);
        let is_short = begin.len() < BYTE_ORDER_MARK.len();
        if is_short && BYTE_ORDER_MARK.starts_with(begin) {
            return Ok(Vec::new());
        }
        self.read_begin()
    }

    /// The rows that are whole now that all bytes have come: the last one may lack its end of line.
    pub fn finish(&mut self) -> Result<Vec<BookRow>, Invalid> {
        let mut rows = self.read_begin()?;
        rows.extend(self.source.finish()?);
        Ok(rows)
    }

    fn read_begin(&mut self) -> Result<Vec<BookRow>, Invalid> {
        let Some(begin) = self.begin.take() else { return Ok(Vec::new()) };
        self.source.read(begin.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&begin))
    }
}

impl Source {
    fn read(&mut self, bytes: &[u8]) -> Result<Vec<BookRow>, Invalid> {
        match self {
            Self::Csv { records, columns, needed } => {
                let records = records.read(bytes);
                columns::rows(records, columns, needed)
            }
            Self::Ndjson(lines) => Ok(lines.read(bytes)),
        }
    }

    fn finish(&mut self) -> Result<Vec<BookRow>, Invalid> {
        match self {
            Self::Csv { records, columns, needed } => {
                let last = records.finish();
                let rows = columns::rows(last, columns, needed)?;
                match columns {
                    Some(_) => Ok(rows),
                    None => Err(columns::no_header()),
                }
            }
            Self::Ndjson(lines) => Ok(lines.finish()),
        }
    }
}

#[cfg(test)]
mod tests;
