//! The books to put in, as the API takes them: the sample catalogue, or the rows of a CSV file.
//! All of them are read before the first is sent. Must not know the rules for their values.

use bookhub_core::BookDraft;
use serde_json::{Map, Number, Value};

use crate::error::{Error, Result};

const COLUMNS: [&str; 9] =
    ["title", "author", "genre", "year", "price", "isbn", "stock", "coverUrl", "description"];
const NEEDED: usize = 5;
const NUMBERS: [&str; 3] = ["year", "price", "stock"];

/// A book to be.
#[derive(Debug)]
pub(super) struct Row {
    /// In which line of the file it begins, if it comes from one.
    pub(super) line: Option<u64>,
    pub(super) fields: Map<String, Value>,
}

/// The sample catalogue, the best-known books last: a list of the newest books begins with them.
pub(super) fn sample() -> Result<Vec<Row>> {
    let row = |book: BookDraft| {
        let mut fields = Map::new();
        if let Value::Object(content) = serde_json::to_value(&book.content)? {
            fields = content;
        }
        fields.insert("stock".to_owned(), serde_json::to_value(book.stock)?);
        Ok(Row { line: None, fields })
    };
    let rows: serde_json::Result<_> =
        bookhub_core::sample_catalogue().into_iter().map(row).collect();
    rows.map_err(|error| Error::local("write the sample catalogue as JSON", error))
}

/// The rows of a CSV file. What is not CSV is refused as a whole.
pub(super) fn parse(bytes: &[u8], name: &str) -> Result<Vec<Row>> {
    let wrong = |reason: String| Error::usage(format!("{name} cannot be used: {reason}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let columns: Vec<_> = header.iter().map(column).collect();
    if let Some((stranger, _)) = header.iter().zip(&columns).find(|(_, known)| known.is_none()) {
        let known = COLUMNS.join(", ");
        return Err(wrong(format!("its column {stranger:?} is not known; known are {known}")));
    }
    let columns: Vec<_> = columns.into_iter().flatten().collect();
    if let Some(missing) = COLUMNS[..NEEDED].iter().find(|needed| !columns.contains(needed)) {
        return Err(wrong(format!("its header has no column {missing}")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let cells = columns.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
        let fields = cells.map(|(column, cell)| ((*column).to_owned(), value(column, cell)));
        let line = record.position().map(|start| line_of(bytes, start));
        rows.push(Row { line, fields: fields.collect() });
    }
    Ok(rows)
}

/// In which line a row begins: a position may stand before empty lines.
fn line_of(bytes: &[u8], start: &csv::Position) -> u64 {
    let start_byte = usize::try_from(start.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(start_byte..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
    start.line() + skipped.filter(|byte| **byte == b'\n').count() as u64
}

/// The field that a column holds, whether it is written `coverUrl`, `cover_url` or `Cover URL`.
fn column(name: &str) -> Option<&'static str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    COLUMNS.into_iter().find(|column| plain(column) == plain(name))
}

/// A cell as JSON. What should be a number and is none goes as text: the server says what is wrong.
fn value(column: &str, cell: &str) -> Value {
    match serde_json::from_str::<Number>(cell) {
        Ok(number) if NUMBERS.contains(&column) => Value::Number(number),
        _ => Value::String(cell.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_become_fields_with_their_lines() {
        let file = "\u{feff}title,Author,genre,year,price,Cover URL,stock,isbn\n\
                    \"a, \"\"b\"\"\",x,g,-800,899.5,https://c,,0306406152\n\n1984,y,g,soon,1,,0,\n";
        let rows = parse(file.as_bytes(), "f").unwrap();
        assert_eq!(
            Value::Object(rows[0].fields.clone()),
            json!({"title": "a, \"b\"", "author": "x", "genre": "g", "year": -800, "price": 899.5,
                   "coverUrl": "https://c", "isbn": "0306406152"})
        );
        assert_eq!(
            Value::Object(rows[1].fields.clone()),
            json!({"title": "1984", "author": "y", "genre": "g", "year": "soon", "price": 1, "stock": 0})
        );
        assert_eq!((rows[0].line, rows[1].line), (Some(2), Some(4)));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_before_anything_is_sent() {
        for (file, reason) in [
            ("title,author,genre,year\n", "no column price"),
            ("title,author,genre,year,price,colour\n", "\"colour\" is not known"),
            ("title,author,genre,year,price\na,b\n", "2 fields"),
            ("", "is not known"),
        ] {
            let error = parse(file.as_bytes(), "f.csv").unwrap_err().to_string();
            assert!(error.contains("f.csv"), "{error}");
            assert!(error.contains(reason) || file.is_empty(), "{error}");
        }
        assert!(parse(b"title,author,genre,year,price\n\xff,b,c,1,1\n", "f").is_err());
    }

    #[test]
    fn the_sample_catalogue_is_ready_to_send() {
        let rows = sample().unwrap();
        assert!(rows.len() >= 500);
        for row in rows {
            assert!(BookDraft::from_json(&row.fields).is_ok(), "{row:?}");
        }
    }
}
