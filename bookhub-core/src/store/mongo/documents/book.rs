//! Books. A page has many, so they are read field by field from the bytes that the server sent: serde
//! takes five times as long, most of it for identifiers and dates, which it reads as extended JSON.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use mongodb::bson::{
    self, Bson, DateTime, Document, RawDocument, RawDocumentBuf, doc, raw::RawBsonRef,
    spec::BinarySubtype,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SCHEMA, count, counted, date, named, timestamp, uuid};
use crate::{
    book::{Author, Book, BookContent, BookId, CoverUrl, Description, Genre, Title},
    error::StoreError,
    isbn::Isbn,
    money::Price,
    query::{SortBy, SortKey},
    search::{GenreKey, terms},
};

/// The fields of a book that no client hears of. The last three are marks of orders.
pub(in super::super) const INTERNAL: [&str; 8] =
    ["schema", "terms", "titleKey", "authorKey", "genreKey", "holds", "heldAt", "returns"];

/// A book as it is written. Another program that writes one gives at least `_id` (a UUID), `title`,
/// `author`, `genre`, `year`, `price` (in paise), `stock` and `createdAt`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BookDocument<'a> {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    schema: i32,
    title: &'a Title,
    author: &'a Author,
    genre: &'a Genre,
    year: i64,
    /// In paise.
    price: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    isbn: Option<Isbn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<&'a CoverUrl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a Description>,
    stock: i64,
    version: i64,
    stock_version: i64,
    created_at: DateTime,
    updated_at: DateTime,
    #[serde(flatten)]
    keys: Keys,
}

/// By what a book is found and sorted; it follows from the rest.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Keys {
    terms: Vec<String>,
    title_key: String,
    author_key: String,
    genre_key: String,
}

impl Keys {
    fn of(content: &BookContent) -> Self {
        Self {
            terms: terms(content),
            title_key: crate::sort_key(content.title.as_str()),
            author_key: crate::sort_key(content.author.as_str()),
            genre_key: GenreKey::of(&content.genre).as_str().to_owned(),
        }
    }
}

/// The document of a book.
pub(in super::super) fn of_book(book: &Book) -> Result<RawDocumentBuf, StoreError> {
    let BookContent { title, author, genre, year, price, isbn, cover_url, description } =
        &book.content;
    let document = BookDocument {
        id: uuid(book.id.uuid()),
        schema: SCHEMA,
        title,
        author,
        genre,
        year: year.number().into(),
        price: count(price.paise()),
        isbn: *isbn,
        cover_url: cover_url.as_ref(),
        description: description.as_ref(),
        stock: book.stock.count().into(),
        version: count(book.version),
        stock_version: count(book.stock_version),
        created_at: date(book.created_at),
        updated_at: date(book.updated_at),
        keys: Keys::of(&book.content),
    };
    bson::serialize_to_raw_document_buf(&document)
        .map_err(|error| StoreError::Corrupt(format!("book {}: {error}", book.id)))
}

/// What a write of new content sets and unsets.
pub(in super::super) fn content_update(content: &BookContent) -> (Document, Document) {
    let Keys { terms, title_key, author_key, genre_key } = Keys::of(content);
    let mut set = doc! {
        "schema": SCHEMA,
        "title": content.title.as_str(),
        "author": content.author.as_str(),
        "genre": content.genre.as_str(),
        "year": i64::from(content.year.number()),
        "price": count(content.price.paise()),
        "terms": terms,
        "titleKey": title_key,
        "authorKey": author_key,
        "genreKey": genre_key,
    };
    let mut unset = Document::new();
    let optional = [
        ("isbn", content.isbn.map(|isbn| isbn.to_string())),
        ("coverUrl", content.cover_url.as_ref().map(ToString::to_string)),
        ("description", content.description.as_ref().map(ToString::to_string)),
    ];
    for (field, value) in optional {
        match value {
            Some(value) => set.insert(field, value),
            None => unset.insert(field, ""),
        };
    }
    (set, unset)
}

/// The derived fields of a book that are not what they should be.
pub(in super::super) fn repair(raw: &RawDocument) -> Result<Option<Document>, StoreError> {
    let keys = Keys::of(&book(raw)?.content);
    let is_newest = raw.get_i32("schema").is_ok_and(|schema| schema == SCHEMA);
    // Keys that cannot even be read are wrong, too.
    if is_newest && super::read::<Keys>(raw, "book").is_ok_and(|kept| kept == keys) {
        return Ok(None);
    }
    let Keys { terms, title_key, author_key, genre_key } = keys;
    Ok(Some(doc! {
        "schema": SCHEMA,
        "terms": terms,
        "titleKey": title_key,
        "authorKey": author_key,
        "genreKey": genre_key,
    }))
}

/// Reads a book, whoever wrote it.
pub(in super::super) fn book(raw: &RawDocument) -> Result<Book, StoreError> {
    let fields = Fields::of(raw).map_err(|error| error.to_string());
    fields
        .and_then(|fields| fields.book())
        .map_err(|problem| StoreError::Corrupt(format!("book {}, {problem}", named(raw))))
}

/// The book that a document is, if it makes sense; else that is reported.
pub(in super::super) fn readable(raw: &RawDocumentBuf) -> Option<Book> {
    let problem = |problem: &StoreError| {
        tracing::error!(%problem, "a book in the database makes no sense, and is not shown");
    };
    book(raw).inspect_err(problem).ok()
}

/// The identifier of a document, if it is one that the shop gives.
pub(in super::super) fn id(raw: &RawDocument) -> Option<Uuid> {
    raw.get("_id").ok().flatten().and_then(|id| identifier(id).ok())
}

/// The fields of a book that clients hear of, as they stand in its document.
#[derive(Default)]
struct Fields<'a> {
    id: Option<RawBsonRef<'a>>,
    title: Option<RawBsonRef<'a>>,
    author: Option<RawBsonRef<'a>>,
    genre: Option<RawBsonRef<'a>>,
    year: Option<RawBsonRef<'a>>,
    price: Option<RawBsonRef<'a>>,
    isbn: Option<RawBsonRef<'a>>,
    cover_url: Option<RawBsonRef<'a>>,
    description: Option<RawBsonRef<'a>>,
    stock: Option<RawBsonRef<'a>>,
    version: Option<RawBsonRef<'a>>,
    stock_version: Option<RawBsonRef<'a>>,
    created_at: Option<RawBsonRef<'a>>,
    updated_at: Option<RawBsonRef<'a>>,
}

impl<'a> Fields<'a> {
    fn of(raw: &'a RawDocument) -> Result<Self, bson::error::Error> {
        let mut fields = Self::default();
        for field in raw {
            let (name, value) = field?;
            let place = match name.as_str() {
                "_id" => &mut fields.id,
                "title" => &mut fields.title,
                "author" => &mut fields.author,
                "genre" => &mut fields.genre,
                "year" => &mut fields.year,
                "price" => &mut fields.price,
                "isbn" => &mut fields.isbn,
                "coverUrl" => &mut fields.cover_url,
                "description" => &mut fields.description,
                "stock" => &mut fields.stock,
                "version" => &mut fields.version,
                "stockVersion" => &mut fields.stock_version,
                "createdAt" => &mut fields.created_at,
                "updatedAt" => &mut fields.updated_at,
                _ => continue,
            };
            *place = Some(value).filter(|value| !matches!(value, RawBsonRef::Null));
        }
        Ok(fields)
    }

    /// The book, or the field that is wrong and why.
    fn book(self) -> Result<Book, String> {
        let created_at = required("createdAt", self.created_at, time)?;
        Ok(Book {
            id: BookId::from_uuid(required("_id", self.id, identifier)?),
            content: BookContent {
                title: required("title", self.title, text)?,
                author: required("author", self.author, text)?,
                genre: required("genre", self.genre, text)?,
                year: required("year", self.year, number)?,
                price: required("price", self.price, price)?,
                isbn: optional("isbn", self.isbn, text)?,
                cover_url: optional("coverUrl", self.cover_url, text)?,
                description: optional("description", self.description, text)?,
            },
            stock: required("stock", self.stock, number)?,
            version: optional("version", self.version, counter)?.unwrap_or(1),
            stock_version: optional("stockVersion", self.stock_version, counter)?.unwrap_or(1),
            created_at,
            updated_at: optional("updatedAt", self.updated_at, time)?.unwrap_or(created_at),
        })
    }
}

fn required<'a, T>(
    name: &str,
    value: Option<RawBsonRef<'a>>,
    read: impl FnOnce(RawBsonRef<'a>) -> Result<T, String>,
) -> Result<T, String> {
    optional(name, value, read)?.ok_or_else(|| format!("{name}: is missing"))
}

fn optional<'a, T>(
    name: &str,
    value: Option<RawBsonRef<'a>>,
    read: impl FnOnce(RawBsonRef<'a>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    value.map(read).transpose().map_err(|problem| format!("{name}: {problem}"))
}

fn text<T: FromStr<Err: fmt::Display>>(value: RawBsonRef<'_>) -> Result<T, String> {
    let text = value.as_str().ok_or("is no text")?;
    text.parse().map_err(|problem: T::Err| problem.to_string())
}

fn number<T: TryFrom<i64, Error: fmt::Display>>(value: RawBsonRef<'_>) -> Result<T, String> {
    T::try_from(whole(value)?).map_err(|problem| problem.to_string())
}

fn counter(value: RawBsonRef<'_>) -> Result<u64, String> {
    counted(whole(value)?).map_err(|problem| problem.to_string())
}

fn price(value: RawBsonRef<'_>) -> Result<Price, String> {
    Price::from_paise(counter(value)?).map_err(|problem| problem.to_string())
}

fn time(value: RawBsonRef<'_>) -> Result<Timestamp, String> {
    value.as_datetime().map(timestamp).ok_or_else(|| "is no date".to_owned())
}

fn identifier(value: RawBsonRef<'_>) -> Result<Uuid, String> {
    let binary = value.as_binary().filter(|binary| binary.subtype == BinarySubtype::Uuid);
    let uuid = binary.and_then(|binary| Uuid::from_slice(binary.bytes).ok());
    uuid.ok_or_else(|| "is no UUID".to_owned())
}

/// A whole number, of whatever numeric type: a shell writes 5 as 5.0.
pub(super) fn whole(value: RawBsonRef<'_>) -> Result<i64, String> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match value {
        RawBsonRef::Int32(number) => Ok(number.into()),
        RawBsonRef::Int64(number) => Ok(number),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        RawBsonRef::Double(number) if number.fract() == 0.0 && number.abs() <= LARGEST => {
            Ok(number as i64)
        }
        _ => Err("is no whole number".to_owned()),
    }
}

/// The field by which books are sorted.
pub(in super::super) const fn sort_field(by: SortBy) -> &'static str {
    match by {
        SortBy::Created => "createdAt",
        SortBy::Title => "titleKey",
        SortBy::Author => "authorKey",
        SortBy::Price => "price",
        SortBy::Year => "year",
    }
}

/// What stands in that field.
pub(in super::super) fn sort_value(key: &SortKey) -> Bson {
    match key {
        SortKey::Created(millis) => DateTime::from_millis(*millis).into(),
        SortKey::Text(text) => text.as_ref().into(),
        SortKey::Price(paise) => i64::from(*paise).into(),
        SortKey::Year(year) => i64::from(*year).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Document {
        doc! {
            "_id": bson::Uuid::from_bytes([7; 16]),
            "title": " Emma ",
            "author": "Jane Austen",
            "genre": "Classics",
            "year": 1815.0,
            "price": 19_900_i32,
            "stock": 3_i64,
            "createdAt": DateTime::from_millis(1_000),
        }
    }

    fn read(document: &Document) -> Result<Book, String> {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        book(&raw).map_err(|error| error.to_string())
    }

    #[test]
    fn another_program_may_leave_out_what_follows_and_write_any_type_of_number() {
        let book = read(&written()).unwrap();
        assert_eq!(book.content.title.as_str(), "Emma");
        assert_eq!((book.content.year.number(), book.content.price.paise()), (1815, 19_900));
        assert_eq!((book.version, book.stock_version, book.stock.count()), (1, 1, 3));
        assert_eq!(book.updated_at, book.created_at);
        assert_eq!(book.content.isbn, None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut book = read(&written()).unwrap();
        book.content.isbn = Some("9780547928227".parse().unwrap());
        book.content.cover_url = Some(CoverUrl::new("https://example.org/1.jpg").unwrap());
        book.content.description = Some(Description::new("Of a matchmaker.").unwrap());
        book.version = 9;
        book.updated_at = Timestamp::from_millisecond(2_000).unwrap();
        let raw = of_book(&book).unwrap();
        assert_eq!(super::book(&raw).unwrap(), book);
        assert_eq!(repair(&raw).unwrap(), None);
    }

    #[test]
    fn what_makes_no_sense_names_the_book_and_the_field() {
        let wrong: [(&str, Bson, &str); 9] = [
            ("_id", 5.into(), "is no UUID"),
            ("title", "".into(), "Must not be empty"),
            ("title", Bson::Null, "is missing"),
            ("year", 1815.5.into(), "is no whole number"),
            ("year", f64::NAN.into(), "is no whole number"),
            ("price", (-1_i64).into(), "out of range"),
            ("stock", "many".into(), "is no whole number"),
            ("isbn", "12".into(), "Must be an ISBN"),
            ("createdAt", "yesterday".into(), "is no date"),
        ];
        for (field, value, why) in wrong {
            let mut document = written();
            let id = if field == "_id" { "5" } else { "07070707-0707-0707-0707-070707070707" };
            document.insert(field, value.clone());
            let said = read(&document).unwrap_err();
            assert!(said.contains(&format!("book {id}, {field}: {why}")), "{value}: {said}");
        }
    }

    #[test]
    fn keys_that_are_wrong_or_missing_are_repaired() {
        let mut document = written();
        let raw = |document: &Document| RawDocumentBuf::try_from(document).unwrap();
        let set = repair(&raw(&document)).unwrap().unwrap();
        document.extend(set);
        assert_eq!(repair(&raw(&document)).unwrap(), None);
        document.insert("titleKey", 5);
        assert!(repair(&raw(&document)).unwrap().is_some());
    }
}
