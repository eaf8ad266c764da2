//! Documents of an older form, or of another program, get the form of this one.

use futures_util::TryStreamExt as _;
use mongodb::{
    Collection,
    bson::{RawDocumentBuf, doc},
};

use super::{
    documents::{self, SCHEMA},
    error,
};
use crate::error::StoreError;

/// Brings every book up to date. Each is changed only as it was read, so several processes may do
/// this at once, and as often as they like.
pub(super) async fn migrate(books: &Collection<RawDocumentBuf>) -> Result<(), StoreError> {
    let older = doc! { "schema": { "$ne": SCHEMA } };
    let mut old = books.find(older).await.map_err(error::of_store)?;
    let mut count = 0_u64;
    while let Some(raw) = old.try_next().await.map_err(error::of_store)? {
        count += u64::from(repair(books, &raw).await?);
    }
    if count > 0 {
        tracing::info!(books = count, schema = SCHEMA, "books were brought to the newest form");
    }
    Ok(())
}

/// Sets what follows from the rest of a book, unless it has been changed since it was read. One that
/// makes no sense is reported, and left.
pub(super) async fn repair(
    books: &Collection<RawDocumentBuf>,
    raw: &RawDocumentBuf,
) -> Result<bool, StoreError> {
    let set = match documents::repair(raw) {
        Ok(Some(set)) => set,
        Ok(None) => return Ok(false),
        Err(problem) => {
            tracing::error!(%problem, "a book in the database makes no sense, and is not shown");
            return Ok(false);
        }
    };
    let corrupt = |error: mongodb::bson::error::Error| StoreError::Corrupt(error.to_string());
    let read = |field: &str| raw.get(field).map_err(corrupt);
    let mut as_read = doc! {};
    for field in ["_id", "title", "author", "genre", "isbn"] {
        let value = read(field)?.map(mongodb::bson::Bson::try_from).transpose();
        as_read.insert(field, value.map_err(corrupt)?.unwrap_or(mongodb::bson::Bson::Null));
    }
    let done = books.update_one(as_read, doc! { "$set": set }).await.map_err(error::of_store)?;
    Ok(done.modified_count > 0)
}
