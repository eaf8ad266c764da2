//! The documents, and what they say in the shop's own words. What the shop writes it reads again;
//! what others have written may not make sense, and is then an error that names the document.

use std::fmt;

use jiff::Timestamp;
use mongodb::bson::{self, Bson, DateTime, Document, RawDocument, doc, raw::RawBsonRef};
use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

use crate::{
    book::{Author, Book, BookContent, BookId, CoverUrl, Description, Genre, Stock, Title, Year},
    error::StoreError,
    isbn::Isbn,
    money::Price,
    query::{SortBy, SortKey},
    search::{GenreKey, terms},
    store::{Account, PasswordHash},
    user::{Email, Role, Session, SessionId, User, UserId, Username},
};

/// The form of the documents that this program writes.
pub(super) const SCHEMA: i32 = 1;

/// The fields of a book that no client hears of. The last three are marks of orders.
pub(super) const INTERNAL: [&str; 8] =
    ["schema", "terms", "titleKey", "authorKey", "genreKey", "holds", "heldAt", "returns"];

/// A book. Another program that writes one gives at least `_id` (a UUID), `title`, `author`,
/// `genre`, `year`, `price` (in paise), `stock` and `createdAt`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    #[serde(default)]
    pub(super) schema: i32,
    title: Title,
    author: Author,
    genre: Genre,
    #[serde(deserialize_with = "whole")]
    year: i64,
    /// In paise.
    #[serde(deserialize_with = "whole")]
    price: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    isbn: Option<Isbn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cover_url: Option<CoverUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    #[serde(deserialize_with = "whole")]
    stock: i64,
    #[serde(default = "one", deserialize_with = "whole")]
    version: i64,
    #[serde(default = "one", deserialize_with = "whole")]
    stock_version: i64,
    created_at: DateTime,
    #[serde(default)]
    updated_at: Option<DateTime>,
    /// Read only where they are looked at ([`repair`]): what is flattened is read slowly.
    #[serde(flatten, skip_deserializing)]
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

impl BookDocument {
    pub(super) fn of(book: &Book) -> Self {
        let content = book.content.clone();
        Self {
            id: uuid(book.id.uuid()),
            schema: SCHEMA,
            keys: Keys::of(&content),
            title: content.title,
            author: content.author,
            genre: content.genre,
            year: content.year.number().into(),
            price: whole_paise(content.price),
            isbn: content.isbn,
            cover_url: content.cover_url,
            description: content.description,
            stock: book.stock.count().into(),
            version: count(book.version),
            stock_version: count(book.stock_version),
            created_at: date(book.created_at),
            updated_at: Some(date(book.updated_at)),
        }
    }

    pub(super) fn book(self) -> Result<Book, StoreError> {
        let id = BookId::from_uuid(plain(self.id));
        let bad = |field: &str, problem: &dyn fmt::Display| {
            StoreError::Corrupt(format!("book {id}, {field}: {problem}"))
        };
        let paise = u64::try_from(self.price).map_err(|error| bad("price", &error))?;
        let created_at = timestamp(self.created_at);
        Ok(Book {
            id,
            content: BookContent {
                title: self.title,
                author: self.author,
                genre: self.genre,
                year: Year::try_from(self.year).map_err(|error| bad("year", &error))?,
                price: Price::from_paise(paise).map_err(|error| bad("price", &error))?,
                isbn: self.isbn,
                cover_url: self.cover_url,
                description: self.description,
            },
            stock: Stock::new(self.stock).map_err(|error| bad("stock", &error))?,
            version: counted(self.version).map_err(|error| bad("version", &error))?,
            stock_version: counted(self.stock_version)
                .map_err(|error| bad("stockVersion", &error))?,
            created_at,
            updated_at: self.updated_at.map_or(created_at, timestamp),
        })
    }

    /// Reads a book, whoever wrote it.
    pub(super) fn read(raw: &RawDocument) -> Result<Book, StoreError> {
        read::<Self>(raw, "book")?.book()
    }
}

/// What a write of new content sets and unsets.
pub(super) fn content_update(content: &BookContent) -> (Document, Document) {
    let Keys { terms, title_key, author_key, genre_key } = Keys::of(content);
    let mut set = doc! {
        "schema": SCHEMA,
        "title": content.title.as_str(),
        "author": content.author.as_str(),
        "genre": content.genre.as_str(),
        "year": i64::from(content.year.number()),
        "price": whole_paise(content.price),
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
pub(super) fn repair(raw: &RawDocument) -> Result<Option<Document>, StoreError> {
    let document = read::<BookDocument>(raw, "book")?;
    let schema = document.schema;
    let keys = Keys::of(&document.book()?.content);
    if schema == SCHEMA && read::<Keys>(raw, "book")? == keys {
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

/// The field by which books are sorted.
pub(super) const fn sort_field(by: SortBy) -> &'static str {
    match by {
        SortBy::Created => "createdAt",
        SortBy::Title => "titleKey",
        SortBy::Author => "authorKey",
        SortBy::Price => "price",
        SortBy::Year => "year",
    }
}

/// What stands in that field.
pub(super) fn sort_value(key: &SortKey) -> Bson {
    match key {
        SortKey::Created(millis) => DateTime::from_millis(*millis).into(),
        SortKey::Text(text) => text.as_ref().into(),
        SortKey::Price(paise) => i64::from(*paise).into(),
        SortKey::Year(year) => i64::from(*year).into(),
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    #[serde(default)]
    schema: i32,
    username: Username,
    username_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_key: Option<String>,
    role: Role,
    created_at: DateTime,
    password: String,
    version: i64,
    generation: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_session: Option<bson::Uuid>,
}

impl AccountDocument {
    pub(super) fn of(account: &Account) -> Self {
        let Account { user, password, version, generation, kept_session } = account;
        Self {
            id: uuid(user.id.uuid()),
            schema: SCHEMA,
            username: user.username.clone(),
            username_key: user.username.key(),
            email: user.email.clone(),
            email_key: user.email.as_ref().map(Email::key),
            role: user.role,
            created_at: date(user.created_at),
            password: password.as_phc().to_owned(),
            version: count(*version),
            generation: count(*generation),
            kept_session: kept_session.map(|session| uuid(session.uuid())),
        }
    }

    pub(super) fn account(self) -> Result<Account, StoreError> {
        let id = UserId::from_uuid(plain(self.id));
        let counted = |number| {
            counted(number).map_err(|error| StoreError::Corrupt(format!("user {id}: {error}")))
        };
        Ok(Account {
            user: User {
                id,
                username: self.username,
                email: self.email,
                role: self.role,
                created_at: timestamp(self.created_at),
            },
            password: PasswordHash::from_phc(self.password),
            version: counted(self.version)?,
            generation: counted(self.generation)?,
            kept_session: self.kept_session.map(|id| SessionId::from_uuid(plain(id))),
        })
    }

    /// What a write of the whole account sets and unsets.
    pub(super) fn update(&self) -> Result<(Document, Document), StoreError> {
        let corrupt = |error: bson::error::Error| StoreError::Corrupt(error.to_string());
        let mut set = bson::serialize_to_document(self).map_err(corrupt)?;
        set.remove("_id");
        let optional = ["email", "emailKey", "keptSession"];
        let absent = optional.into_iter().filter(|field| !set.contains_key(field));
        let unset = absent.map(|field| (field.to_owned(), Bson::from(""))).collect();
        Ok((set, unset))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    #[serde(default)]
    schema: i32,
    user: bson::Uuid,
    created_at: DateTime,
    expires_at: DateTime,
    generation: i64,
    /// It is kept until it would have expired: so that its end is a change that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime>,
}

impl SessionDocument {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            id: uuid(session.id.uuid()),
            schema: SCHEMA,
            user: uuid(session.user.uuid()),
            created_at: date(session.created_at),
            expires_at: date(session.expires_at),
            generation: count(session.generation),
            ended_at: None,
        }
    }

    pub(super) fn session(self) -> Result<Session, StoreError> {
        let corrupt = |error| StoreError::Corrupt(format!("session of {}: {error}", self.user));
        Ok(Session {
            id: SessionId::from_uuid(plain(self.id)),
            user: UserId::from_uuid(plain(self.user)),
            created_at: timestamp(self.created_at),
            expires_at: timestamp(self.expires_at),
            generation: counted(self.generation).map_err(corrupt)?,
        })
    }
}

/// Reads a document; what cannot be read is named by its id.
pub(super) fn read<T: de::DeserializeOwned>(
    raw: &RawDocument,
    what: &str,
) -> Result<T, StoreError> {
    bson::deserialize_from_slice(raw.as_bytes()).map_err(|error| {
        let id = raw.get("_id").ok().flatten().map_or_else(|| "without _id".to_owned(), shown);
        StoreError::Corrupt(format!("{what} {id}: {error}"))
    })
}

/// An id as people write it.
pub(super) fn shown(id: RawBsonRef<'_>) -> String {
    let whole = Bson::try_from(id).unwrap_or(Bson::Null);
    match &whole {
        Bson::Binary(binary) => match binary.to_uuid() {
            Ok(uuid) => uuid.to_string(),
            Err(_) => whole.to_string(),
        },
        _ => whole.to_string(),
    }
}

pub(super) fn uuid(id: Uuid) -> bson::Uuid {
    bson::Uuid::from_bytes(id.into_bytes())
}

pub(super) const fn plain(id: bson::Uuid) -> Uuid {
    Uuid::from_bytes(id.bytes())
}

pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.as_millisecond())
}

/// A date of the database as the shop has it; one beyond its years becomes their end.
pub(super) fn timestamp(date: DateTime) -> Timestamp {
    let millis = date.timestamp_millis();
    let end = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(end)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn counted(number: i64) -> Result<u64, std::num::TryFromIntError> {
    u64::try_from(number)
}

fn whole_paise(price: Price) -> i64 {
    count(price.paise())
}

const fn one() -> i64 {
    1
}

/// A whole number, of whatever numeric type: a shell writes 5 as 5.0.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Whole;
    impl de::Visitor<'_> for Whole {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
            const LARGEST: f64 = 9_007_199_254_740_992.0;
            if number.fract() != 0.0 || number.abs() > LARGEST {
                return Err(E::invalid_value(de::Unexpected::Float(number), &self));
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
            Ok(number as i64)
        }
    }
    deserializer.deserialize_i64(Whole)
}
