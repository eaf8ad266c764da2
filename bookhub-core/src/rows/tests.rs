use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::book::{Book, BookDraft, BookId};

const HEADER: &str = "title,author,genre,year,price\n";

fn read(format: RowFormat, file: &[u8], pieces: usize) -> Result<Vec<BookRow>, Invalid> {
    let (mut rows, mut read) = (BookRows::new(format), Vec::new());
    for piece in file.chunks(pieces) {
        read.extend(rows.read(piece)?);
    }
    read.extend(rows.finish()?);
    Ok(read)
}

fn csv(rows: &str) -> Vec<BookRow> {
    read(RowFormat::Csv, format!("{HEADER}{rows}").as_bytes(), 7).unwrap()
}

fn code(row: &BookRow) -> &'static str {
    row.fields.as_ref().unwrap_err().code
}

#[test]
fn cells_become_fields_with_their_lines() {
    let file = "\u{feff}title,Author,genre,year,price,Cover URL,stock,isbn,version\r\n\
                \"a, \"\"b\"\"\",x,\"g\nh\",-800,899.5,https://c,,0306406152,7\r\n\r\n\
                1984, y ,g,soon,1,,0,,";
    for pieces in [1, 2, 3, 1000] {
        let rows = read(RowFormat::Csv, file.as_bytes(), pieces).unwrap();
        assert_eq!(
            Value::Object(rows[0].fields.clone().unwrap()),
            json!({"title": "a, \"b\"", "author": "x", "genre": "g\nh", "year": -800, "price": 899.5,
                   "coverUrl": "https://c", "isbn": "0306406152"})
        );
        assert_eq!(
            Value::Object(rows[1].fields.clone().unwrap()),
            json!({"title": "1984", "author": "y", "genre": "g", "year": "soon", "price": 1, "stock": 0})
        );
        assert_eq!((rows.len(), rows[0].line, rows[1].line), (2, 2, 5));
    }
}

#[test]
fn a_file_without_a_usable_header_is_refused() {
    for (file, field) in [
        ("", "header"),
        ("\n\n", "header"),
        ("title,author,genre,year\n", "price"),
        ("title,author,genre,year,price,colour\nx", "colour"),
        ("title,author,genre,year,price,\n", "(column 6)"),
        ("title,author,genre,year,price,Price\n", "Price"),
        ("\"title", "header"),
    ] {
        let invalid = read(RowFormat::Csv, file.as_bytes(), 5).unwrap_err();
        assert_eq!(invalid.errors()[0].field, field, "{file}");
    }
    assert!(BookRows::new(RowFormat::Csv).of_changes().read(b"isbn,stock\n").is_ok());
    assert!(read(RowFormat::Ndjson, b"", 1).unwrap().is_empty());
}

#[test]
fn a_row_that_makes_no_sense_does_not_hide_those_behind_it() {
    let large = "x".repeat(MAX_ROW + 1);
    let rows = csv(&format!("a,b\n\"{large}\n\",b,c,1,1\na{},c\na,b,c,1,1\n", ",b".repeat(300)));
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 5, 6]);
    assert_eq!(
        [&rows[0], &rows[1], &rows[2]].map(code),
        ["invalid_csv", "row_too_large", "invalid_csv"]
    );
    assert_eq!(rows[3].fields.as_ref().unwrap()["title"], "a");

    let broken = [HEADER.as_bytes(), b"\xff,b,c,1,1\na,b,c,1,1\n\"never,closed,\n"].concat();
    let rows = read(RowFormat::Csv, &broken, 3).unwrap();
    assert_eq!(
        (code(&rows[0]), rows[1].fields.is_ok(), code(&rows[2])),
        ("invalid_csv", true, "invalid_csv")
    );
    assert!(rows[2].fields.as_ref().unwrap_err().error.contains("quotation mark"));

    let lines = format!("{{\"a\":1}}\r\n \n[]\n{{\n{large}\n");
    let lines = [lines.as_bytes(), b"\"\xff\"\n{\"id\":1,\"a\":2}"].concat();
    let rows = read(RowFormat::Ndjson, &lines, 4096).unwrap();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7]);
    assert_eq!(
        [&rows[1], &rows[2], &rows[3], &rows[4]].map(code),
        ["invalid_json", "invalid_json", "row_too_large", "invalid_json"]
    );
    assert_eq!(Value::Object(rows[5].fields.clone().unwrap()), json!({ "a": 2 }));
}

#[test]
fn apostrophes_that_guard_nothing_stay() {
    let rows = csv("'tis,''twas,'=1+1,1,1\n''=x,o'=k,-5,1,1\n");
    let texts = |row: &BookRow| {
        let fields = row.fields.clone().unwrap();
        ["title", "author", "genre"].map(|field| fields[field].as_str().unwrap().to_owned())
    };
    assert_eq!(texts(&rows[0]), ["'tis", "''twas", "=1+1"]);
    assert_eq!(texts(&rows[1]), ["'=x", "o'=k", "-5"]);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["['=+@,;\"\\-]{1,4}[a-z'\" ]{0,4}x", "\\PC{1,30}", "[\"',\n]{0,9}x"]
}

proptest! {
    #[test]
    fn what_is_written_is_read_without_change(
        texts in prop::collection::vec((texts(), texts(), texts()), 1..5),
        year in -3000_i64..2020,
        paise in 0_u64..1_000_000,
        pieces in 1_usize..50,
    ) {
        let now = Timestamp::now();
        let mut books = Vec::new();
        for (title, author, description) in texts {
            let price: Value = serde_json::from_str(&format!("{}.{:02}", paise / 100, paise % 100)).unwrap();
            let object = json!({
                "title": title, "author": author, "genre": "G", "year": if year == 0 { 1 } else { year },
                "price": price, "description": description, "stock": 3,
            });
            if let Ok(draft) = BookDraft::from_json(object.as_object().unwrap()) {
                books.push(Arc::new(Book::new(BookId::generate(now), draft, now)));
            }
        }
        for format in [RowFormat::Csv, RowFormat::Ndjson] {
            let file = [format.header(), format.rows(&books, now)].concat();
            let rows = read(format, &file, pieces).unwrap();
            let drafts: Vec<_> = rows.iter().map(|row| BookDraft::from_json(row.fields.as_ref().unwrap()).unwrap()).collect();
            let expected: Vec<_> = books.iter().map(|book| BookDraft { content: book.content.clone(), stock: book.stock }).collect();
            prop_assert_eq!(drafts, expected);
        }
    }

    #[test]
    fn any_bytes_in_any_pieces_are_the_same_rows(file: Vec<u8>, text in "[a\",\n\r']{0,60}", pieces in 1_usize..9) {
        for file in [file, [HEADER, &text].concat().into_bytes()] {
            for format in [RowFormat::Csv, RowFormat::Ndjson] {
                prop_assert_eq!(read(format, &file, pieces), read(format, &file, 1 << 20));
            }
        }
    }
}

#[test]
fn an_empty_cell_is_as_good_as_none() {
    let rows = csv("a,,c,,1\n");
    let expected: Map<_, _> =
        json!({ "title": "a", "genre": "c", "price": 1 }).as_object().unwrap().clone();
    assert_eq!(rows[0].fields, Ok(expected));
}
