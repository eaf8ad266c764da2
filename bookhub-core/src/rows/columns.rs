//! The columns of a CSV file: which fields they hold, and how a field is a cell.

use serde_json::{Map, Number, Value};

use super::{BookRow, RowError, csv::Record};
use crate::{
    book::{EDITABLE, READ_ONLY},
    error::{FieldError, Invalid},
};

/// The columns without which no row can be a new book.
pub(super) const OF_NEW_BOOKS: &[&str] = &["title", "author", "genre", "year", "price"];

/// The column without which no row can change a book.
pub(super) const OF_CHANGES: &[&str] = &["isbn"];

const NUMBERS: [&str; 3] = ["year", "price", "stock"];

/// The fields that the columns of a file hold; none for what the shop sets itself.
#[derive(Debug)]
pub(super) struct Columns(Vec<Option<&'static str>>);

/// The rows that these records are; the first record of a file has the names of its columns.
pub(super) fn rows(
    records: Vec<Record>,
    columns: &mut Option<Columns>,
    needed: &[&str],
) -> Result<Vec<BookRow>, Invalid> {
    let mut rows = Vec::with_capacity(records.len());
    for Record { line, cells } in records {
        match columns {
            None => *columns = Some(Columns::read(cells, needed)?),
            Some(columns) => {
                rows.push(BookRow { line, fields: cells.and_then(|cells| columns.fields(&cells)) });
            }
        }
    }
    Ok(rows)
}

/// That a file has no header.
pub(super) fn no_header() -> Invalid {
    let names = EDITABLE.join(", ");
    Invalid::field("header", format!("Is missing: the first line names the columns ({names})."))
}

/// Whether the shop sets a field itself.
pub(super) fn is_read_only(field: &str) -> bool {
    READ_ONLY.contains(&field)
}

impl Columns {
    fn read(names: Result<Vec<String>, RowError>, needed: &[&str]) -> Result<Self, Invalid> {
        let names = names.map_err(|error| Invalid::field("header", error))?;
        let (mut columns, mut errors) = (Vec::new(), Vec::new());
        for (place, name) in names.iter().enumerate() {
            let shown = match name.as_str() {
                "" => format!("(column {})", place + 1),
                name => name.chars().take(100).collect(),
            };
            match find(EDITABLE, name) {
                Some(field) if columns.contains(&Some(field)) => {
                    errors.push(FieldError::new(shown, "Is there twice: leave one out."));
                }
                Some(field) => columns.push(Some(field)),
                None if find(READ_ONLY, name).is_some() => columns.push(None),
                None => {
                    let known = EDITABLE.join(", ");
                    let problem = format!("Is no column that is known: known are {known}.");
                    errors.push(FieldError::new(shown, problem));
                }
            }
        }
        for field in needed.iter().filter(|field| !columns.contains(&Some(*field))) {
            if errors.is_empty() {
                errors.push(FieldError::new((*field).to_owned(), "Is no column of the file."));
            }
        }
        Invalid::unless(errors, Some(Self(columns)))
    }

    fn fields(&self, cells: &[String]) -> Result<Map<String, Value>, RowError> {
        let (given, known) = (cells.len(), self.0.len());
        if given != known {
            let sentence = format!("The row has {given} cells, and the header has {known}.");
            return Err(RowError::csv(sentence));
        }
        let cells = self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let fields = cells.filter_map(|(field, cell)| {
            let field = (*field)?;
            Some((field.to_owned(), value(field, unguarded(cell))))
        });
        Ok(fields.collect())
    }
}

/// The field of this name, whether it is written `coverUrl`, `cover_url` or `Cover URL`.
fn find(fields: &[&'static str], name: &str) -> Option<&'static str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    fields.iter().copied().find(|field| plain(field) == plain(name))
}

/// A cell as JSON. What should be a number and is none goes as text: the domain says what is wrong.
fn value(field: &str, cell: &str) -> Value {
    match serde_json::from_str::<Number>(cell) {
        Ok(number) if NUMBERS.contains(&field) => Value::Number(number),
        _ => Value::String(cell.to_owned()),
    }
}

/// A field as a cell: a text that a spreadsheet would run as a formula has an apostrophe before it, as
/// it would in the spreadsheet. A number is no formula, also a negative one.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if may_be_formula(text) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(value) => value.to_string(),
    }
}

/// The text of a cell without the apostrophe that [`cell`] has put before it. Other apostrophes stay.
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| may_be_formula(text)).unwrap_or(cell)
}

/// Whether this begins as a formula, or as one that is guarded.
fn may_be_formula(text: &str) -> bool {
    let begin = text.trim_start_matches('\'');
    begin.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
