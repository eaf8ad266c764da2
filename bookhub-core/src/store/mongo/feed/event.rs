//! What an event of the change stream means to the shop.

use std::sync::Arc;

use mongodb::{
    bson::{Bson, Document, RawDocumentBuf},
    change_stream::event::{ChangeStreamEvent, OperationType},
};
use serde::Deserialize;
use uuid::Uuid;

use super::super::{
    documents::{self, INTERNAL, OrderDocument},
    schema,
};
use crate::{
    book::{Book, BookId},
    change::ChangeKind,
    error::StoreError,
    user::{Role, SessionId, UserId},
};

pub(super) type Event = ChangeStreamEvent<RawDocumentBuf>;

/// The event in a document of the stream.
pub(super) fn read(raw: &RawDocumentBuf) -> Result<Event, StoreError> {
    let unreadable = |error| StoreError::Corrupt(format!("an event that cannot be read: {error}"));
    mongodb::bson::deserialize_from_slice(raw.as_bytes()).map_err(unreadable)
}

/// What an event says. One that makes no sense is reported, and says nothing.
pub(super) fn meaning(event: &Event) -> Option<ChangeKind> {
    let meant = match event.ns.as_ref().and_then(|namespace| namespace.coll.as_deref()) {
        Some(schema::BOOKS) => of_book(event),
        Some(schema::USERS) => of_user(event),
        Some(schema::SESSIONS) => of_session(event),
        Some(schema::ORDERS) => of_order(event),
        _ => Ok(None),
    };
    meant.unwrap_or_else(|problem| {
        let kind = &event.operation_type;
        tracing::error!(%problem, ?kind, "a change in the database makes no sense, and is not told");
        None
    })
}

/// Whether it is a change of one document whose new state the server has not given. What the feed
/// writes for itself says enough.
pub(super) fn lacks_document(event: &Event) -> bool {
    let is_own = event.ns.as_ref().and_then(|ns| ns.coll.as_deref()) == Some(schema::FEED);
    matches!(event.operation_type, OperationType::Update)
        && event.full_document.is_none()
        && !is_own
}

/// Whether one of these collections is no more, with all that was in it.
pub(super) fn ends_one_of(event: &Event, collections: &[&str]) -> bool {
    let names = [&event.ns, &event.to].into_iter().flatten().filter_map(|ns| ns.coll.as_deref());
    matches!(event.operation_type, OperationType::Drop | OperationType::Rename)
        && names.into_iter().any(|name| collections.contains(&name))
}

fn of_book(event: &Event) -> Result<Option<ChangeKind>, StoreError> {
    let book = |make: fn(Arc<Book>) -> ChangeKind| {
        let raw = event.full_document.as_ref();
        raw.map(|raw| Ok(make(documents::book(raw)?.into()))).transpose()
    };
    match event.operation_type {
        OperationType::Insert => book(ChangeKind::BookCreated),
        OperationType::Replace => book(ChangeKind::BookUpdated),
        OperationType::Update if is_internal(event) => Ok(None),
        OperationType::Update => book(ChangeKind::BookUpdated),
        OperationType::Delete => {
            Ok(key(event).map(|id| ChangeKind::BookDeleted(BookId::from_uuid(id))))
        }
        _ => Ok(None),
    }
}

fn of_user(event: &Event) -> Result<Option<ChangeKind>, StoreError> {
    #[derive(Deserialize)]
    struct Part {
        role: Role,
    }
    let told = match event.operation_type {
        OperationType::Delete => {
            let gone = key(event).map(UserId::from_uuid);
            return Ok(gone.map(|user| ChangeKind::UserDeleted { user }));
        }
        OperationType::Replace => true,
        OperationType::Update => changed(event).any(|field| field == "role"),
        _ => false,
    };
    let (Some(id), Some(raw)) = (key(event), event.full_document.as_ref().filter(|_| told)) else {
        return Ok(None);
    };
    let Part { role } = documents::read(raw, "user")?;
    Ok(Some(ChangeKind::RoleChanged { user: UserId::from_uuid(id), role }))
}

fn of_session(event: &Event) -> Result<Option<ChangeKind>, StoreError> {
    let told = changed(event).any(|field| field == "endedAt");
    let ended = key(event).filter(|_| told).map(SessionId::from_uuid);
    Ok(ended.map(|session| ChangeKind::SessionEnded { session }))
}

fn of_order(event: &Event) -> Result<Option<ChangeKind>, StoreError> {
    let told = match event.operation_type {
        OperationType::Insert | OperationType::Replace => true,
        OperationType::Update => changed(event).any(|field| field == "status"),
        _ => false,
    };
    let Some(raw) = event.full_document.as_ref().filter(|_| told) else {
        return Ok(None);
    };
    let description = event.update_description.as_ref();
    let became =
        description.and_then(|description| description.updated_fields.get_str("status").ok());
    // Before it is placed nobody hears of it. The document may already be further on.
    let is_new = match became {
        Some(status) => status == "placed",
        // Another program that puts a document in its place makes no new order.
        None => event.operation_type == OperationType::Insert,
    };
    let order = documents::read::<OrderDocument>(raw, "order")?.shown()?.map(Arc::new);
    Ok(order.filter(|_| became != Some("rejected")).map(|order| match is_new {
        true => ChangeKind::OrderPlaced(order),
        false => ChangeKind::OrderUpdated(order),
    }))
}

/// Whether a book may have been written by another program, without what follows from the rest. The
/// shop writes the one with the other.
pub(super) fn may_lack_keys(event: &Event) -> bool {
    const SAID: [&str; 4] = ["title", "author", "genre", "isbn"];
    let is_book = event.ns.as_ref().and_then(|ns| ns.coll.as_deref()) == Some(schema::BOOKS);
    let schema = || event.full_document.as_ref().and_then(|raw| raw.get_i32("schema").ok());
    is_book
        && match event.operation_type {
            OperationType::Update => changed(event).any(|field| SAID.contains(&field)),
            OperationType::Insert => schema() != Some(documents::SCHEMA),
            OperationType::Replace => true,
            _ => false,
        }
}

/// Whether an update of a book has changed only what no client hears of.
fn is_internal(event: &Event) -> bool {
    let mut fields = changed(event).peekable();
    fields.peek().is_some() && fields.all(|field| INTERNAL.contains(&field))
}

/// The fields of the document in which an update has changed something.
fn changed(event: &Event) -> impl Iterator<Item = &str> {
    let description = event.update_description.iter();
    let fields = description.flat_map(|description| {
        let arrays = description.truncated_arrays.iter().flatten().map(|array| &array.field);
        description.updated_fields.keys().chain(&description.removed_fields).chain(arrays)
    });
    fields.map(|path| path.split('.').next().unwrap_or(path))
}

/// The `_id` of the document, if it is one that the shop gives.
fn key(event: &Event) -> Option<Uuid> {
    match event.document_key.as_ref().and_then(|key: &Document| key.get("_id"))? {
        Bson::Binary(binary) => binary.to_uuid().ok().map(documents::plain),
        _ => None,
    }
}
