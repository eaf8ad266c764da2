//! The books to put in, as the API takes them: the sample catalogue, or the rows of a CSV file.
//! All of them are read before the first is sent. Must not know the rules for their values.

use bookhub_core::{BookDraft, BookRow, BookRows, RowFormat};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

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
    let mut rows = BookRows::new(RowFormat::Csv);
    let read = rows.read(bytes).and_then(|mut read| {
        read.extend(rows.finish()?);
        Ok(read)
    });
    let read = read.map_err(|invalid| wrong(invalid.to_string()))?;
    let row = |BookRow { line, fields }| match fields {
        Ok(fields) => Ok(Row { line: Some(line), fields }),
        Err(error) => Err(wrong(format!("line {line}: {error}"))),
    };
    read.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_their_lines() {
        let file = "\u{feff}title,Author,genre,year,price,Cover URL,id\n\
                    x,y,g,-800,899.5,https://c,7\n\n1984,y,g,soon,1,,\n";
        let rows = parse(file.as_bytes(), "f").unwrap();
        let first = json!({
            "title": "x", "author": "y", "genre": "g", "year": -800, "price": 899.5,
            "coverUrl": "https://c",
        });
        assert_eq!(Value::Object(rows[0].fields.clone()), first);
        assert_eq!((rows[0].line, rows[1].line), (Some(2), Some(4)));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_before_anything_is_sent() {
        for (file, reason) in [
            ("title,author,genre,year\n", "price: Is no column"),
            ("title,author,genre,year,price,colour\n", "colour: Is no column that is known"),
            ("title,author,genre,year,price\na,b\n", "line 2: The row has 2 cells"),
            ("", "header: Is missing"),
        ] {
            let error = parse(file.as_bytes(), "f.csv").unwrap_err().to_string();
            assert!(error.contains("f.csv"), "{error}");
            assert!(error.contains(reason), "{error}");
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
