//! The store's audit trail, in MongoDB. Nobody hears of it: its collection is not followed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mongodb::{
    Collection,
    bson::{Document, RawDocumentBuf, doc},
};

use super::{
    MongoStore, by_id,
    documents::{self, AuditDocument},
    schema,
};
use crate::{
    audit::{AuditEntry, AuditId, Outcome},
    error::StoreError,
    query::{AuditPage, AuditQuery},
    store::AuditStore,
};

/// How many entries are sent to the server at once.
const BATCH: usize = 500;

/// How many are confirmed or withdrawn at once: some servers write each of them by itself.
const FEW: usize = 100;

#[async_trait]
impl AuditStore for MongoStore {
    async fn note_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        let noted = entries.into_iter().map(|entry| AuditDocument::of(entry, Outcome::Unknown));
        let (store, noted) = (self.clone(), noted.collect::<Vec<_>>());
        self.write_untold(async move {
            let trail = store.trail();
            if let [one] = &*noted {
                store.answer(trail.insert_one(one)).await?;
                return Ok(());
            }
            for some in noted.chunks(BATCH) {
                store.answer_about(some.len(), async { trail.insert_many(some).await }).await?;
            }
            Ok(())
        })
        .await
    }

    async fn confirm_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let (store, id) = (self.clone(), by_id(entry.id.uuid()));
        let document = AuditDocument::of(entry, Outcome::Done);
        self.write_untold(async move {
            let trail = store.trail();
            store.answer(trail.replace_one(id, &document).upsert(true)).await?;
            Ok(())
        })
        .await
    }

    async fn confirm_noted_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        let (store, some) = (self.clone(), batches(ids));
        self.write_untold(async move {
            let trail = store.trail();
            for noted in some {
                let done = doc! { "$set": { "outcome": "done" } };
                store.answer_about(FEW, trail.update_many(noted, done)).await?;
            }
            Ok(())
        })
        .await
    }

    async fn withdraw_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        let (store, some) = (self.clone(), batches(ids));
        self.write_untold(async move {
            for noted in some {
                store.answer_about(FEW, store.trail().delete_many(noted)).await?;
            }
            Ok(())
        })
        .await
    }

    async fn audit_entries(
        &self,
        query: &AuditQuery,
        unknown_before: Timestamp,
    ) -> Result<AuditPage, StoreError> {
        let mut filter = doc! { "$or": [
            { "outcome": "done" },
            { "at": { "$lt": documents::date(unknown_before) } },
        ] };
        if let Some(name) = query.actor() {
            filter.insert("actorKey", name.key());
        }
        if let Some(action) = query.action() {
            filter.insert("action", action.as_str());
        }
        if let Some(target) = query.target() {
            filter.insert("target.id", documents::uuid(target));
        }
        if let Some(id) = query.after() {
            filter.insert("_id", doc! { "$lt": documents::uuid(id.uuid()) });
        }
        let (kept, most) = (self.trail().clone_with_type::<RawDocumentBuf>(), query.limit().get());
        let asked = (filter, doc! { "_id": -1 });
        Ok(AuditPage::of(self.first(&kept, asked, most + 1, readable).await?, most))
    }
}

impl MongoStore {
    fn trail(&self) -> Collection<AuditDocument> {
        self.database.collection(schema::AUDIT)
    }
}

/// Those of these entries that are not confirmed, some at a time.
fn batches(ids: &[AuditId]) -> Vec<Document> {
    let some = ids.chunks(FEW).map(|ids| {
        let ids: Vec<_> = ids.iter().map(|id| documents::uuid(id.uuid())).collect();
        doc! { "_id": { "$in": ids }, "outcome": "unknown" }
    });
    some.collect()
}

/// The entry that a document is, if it makes sense.
fn readable(raw: &RawDocumentBuf) -> Option<Arc<AuditEntry>> {
    let entry = documents::read::<AuditDocument>(raw, "audit entry").and_then(AuditDocument::entry);
    let entry = entry.inspect_err(|problem| {
        tracing::error!(%problem, "an entry of the audit trail makes no sense, and is not shown");
    });
    entry.ok().map(Arc::new)
}
