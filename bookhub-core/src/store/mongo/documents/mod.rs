//! The documents, and what they say in the shop's own words. What the shop writes it reads again;
//! what others have written may not make sense, and is then an error that names the document.

mod audit;
mod book;
mod cart;
mod order;
mod user;

use jiff::Timestamp;
use mongodb::bson::{self, Bson, DateTime, RawDocument, raw::RawBsonRef};
use serde::de;
use uuid::Uuid;

pub(super) use self::{
    audit::AuditDocument,
    book::{INTERNAL, book, content_update, id, of_book, readable, repair, sort_field, sort_value},
    cart::cart,
    order::{ItemDocument, OrderDocument, Status, Todo, key_of, text_of},
    user::{AccountDocument, SessionDocument},
};
use crate::error::StoreError;

/// The form of the documents that this program writes.
pub(super) const SCHEMA: i32 = 1;

/// Reads a document; what cannot be read is named by its id.
pub(super) fn read<T: de::DeserializeOwned>(
    raw: &RawDocument,
    what: &str,
) -> Result<T, StoreError> {
    bson::deserialize_from_slice(raw.as_bytes())
        .map_err(|error| StoreError::Corrupt(format!("{what} {}: {error}", named(raw))))
}

/// The id of a document, for people.
fn named(raw: &RawDocument) -> String {
    raw.get("_id").ok().flatten().map_or_else(|| "without _id".to_owned(), shown)
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
