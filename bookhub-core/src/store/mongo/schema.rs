//! The collections and their indexes.

use std::time::Duration;

use mongodb::{
    Database, IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
};

use super::error;
use crate::{book::Stock, error::StoreError};

pub(super) const BOOKS: &str = "books";
pub(super) const USERS: &str = "users";
pub(super) const ORDERS: &str = "orders";
pub(super) const SESSIONS: &str = "sessions";
pub(super) const CARTS: &str = "carts";
pub(super) const AUDIT: &str = "audit";
/// What only one server may do at a time.
pub(super) const LEASES: &str = "leases";
/// What the shop itself keeps.
pub(super) const SETTINGS: &str = "settings";
/// What the processes know of the feed together.
pub(super) const FEED: &str = "feed";

/// The collections of which clients may hear, and the feed's own, by whose writes it moves on.
pub(super) const FOLLOWED: [&str; 5] = [BOOKS, USERS, SESSIONS, ORDERS, FEED];

/// Makes what is missing. Returns whether the server forgets expired documents by itself.
pub(super) async fn prepare(database: &Database) -> Result<bool, StoreError> {
    let plain = |keys: Document| IndexModel::builder().keys(keys).build();
    let unique = |keys: Document, sparse| {
        let options = IndexOptions::builder().unique(true).sparse(sparse).build();
        IndexModel::builder().keys(keys).options(options).build()
    };
    let sparse = |keys: Document| {
        let options = IndexOptions::builder().sparse(true).build();
        IndexModel::builder().keys(keys).options(options).build()
    };
    let indexes = [
        (BOOKS, plain(doc! { "createdAt": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "titleKey": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "authorKey": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "price": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "year": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "genreKey": 1, "createdAt": 1, "_id": 1 })),
        (BOOKS, plain(doc! { "genre": 1 })),
        (BOOKS, plain(doc! { "terms": 1, "createdAt": 1, "_id": 1 })),
        (BOOKS, unique(doc! { "isbn": 1 }, Some(true))),
        (USERS, unique(doc! { "usernameKey": 1 }, None)),
        (USERS, unique(doc! { "emailKey": 1 }, Some(true))),
        (USERS, plain(doc! { "role": 1, "usernameKey": 1 })),
        (SESSIONS, plain(doc! { "user": 1 })),
        (ORDERS, plain(doc! { "createdAt": -1, "_id": -1 })),
        (ORDERS, plain(doc! { "user": 1, "createdAt": -1, "_id": -1 })),
        (ORDERS, plain(doc! { "status": 1, "createdAt": -1, "_id": -1 })),
        // The key has the user in it.
        (ORDERS, unique(doc! { "key": 1 }, Some(true))),
        (ORDERS, sparse(doc! { "todo": 1 })),
        (BOOKS, sparse(doc! { "heldAt": 1 })),
        (AUDIT, plain(doc! { "actorKey": 1, "_id": -1 })),
        (AUDIT, plain(doc! { "action": 1, "_id": -1 })),
        (AUDIT, plain(doc! { "target.id": 1, "_id": -1 })),
    ];
    for (collection, index) in indexes {
        let keys = index.keys.clone();
        let made = database.collection::<Document>(collection).create_index(index).await;
        made.map_err(|failure| error::of_index(failure, collection, &keys))?;
    }
    find_low_stock(database).await?;
    forget_expired(database).await
}

/// Makes the index of the books that are soon sold out: of no others, where the server can, so that a
/// sale writes to it only there.
async fn find_low_stock(database: &Database) -> Result<(), StoreError> {
    let books = database.collection::<Document>(BOOKS);
    let keys = doc! { "stock": 1, "titleKey": 1, "_id": 1 };
    let low = doc! { "stock": { "$lte": i64::from(Stock::LOW) } };
    let options = IndexOptions::builder().partial_filter_expression(low).build();
    let partial = IndexModel::builder().keys(keys.clone()).options(options).build();
    let made = match books.create_index(partial).await {
        Err(failure) if error::is_unsupported(&failure) => {
            books.create_index(IndexModel::builder().keys(keys.clone()).build()).await
        }
        made => made,
    };
    made.map(drop).map_err(|failure| error::of_index(failure, BOOKS, &keys))
}

/// Has the server forget sessions that have expired, where it can.
async fn forget_expired(database: &Database) -> Result<bool, StoreError> {
    let sessions = database.collection::<Document>(SESSIONS);
    let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let index = IndexModel::builder().keys(doc! { "expiresAt": 1 }).options(options).build();
    match sessions.create_index(index).await {
        Ok(_) => Ok(true),
        Err(failure) if error::is_unsupported(&failure) => {
            let index = IndexModel::builder().keys(doc! { "expiresAt": 1 }).build();
            sessions.create_index(index).await.map_err(error::of_store)?;
            tracing::warn!("the server has no TTL indexes: expired sessions are purged at logins");
            Ok(false)
        }
        Err(failure) => Err(error::of_store(failure)),
    }
}

/// Has the server keep what documents were after each change, where it can: then an event says the
/// same on every process. Returns whether it does.
pub(super) async fn keep_images(database: &Database) -> bool {
    for collection in FOLLOWED.into_iter().filter(|name| *name != FEED) {
        let enabled = doc! { "enabled": true };
        let keep = doc! { "collMod": collection, "changeStreamPreAndPostImages": enabled };
        if let Err(error) = database.run_command(keep).await {
            tracing::debug!(%error, collection, "the server keeps no post-images");
            return false;
        }
    }
    true
}
