//! What only one server may do at a time, and no single update can: a lease on a name.

use std::time::Duration;

use jiff::SignedDuration;
use mongodb::{
    Collection,
    bson::{Document, Uuid, doc},
};
use tokio::time::{Instant, sleep};

use super::{MongoStore, documents, error, schema};
use crate::error::StoreError;

/// How long a lease holds if its holder dies: much longer than anything is done under one, so that
/// clocks may differ by most of it.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// For how long others are waited for, and how long between two tries.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// A lease that is held until it is ended.
pub(super) struct Lease<'a> {
    store: &'a MongoStore,
    own: Document,
}

impl MongoStore {
    /// Waits until this server is the one that may do what the name stands for.
    pub(super) async fn lease(&self, name: &'static str) -> Result<Lease<'_>, StoreError> {
        let (begun, holder) = (Instant::now(), Uuid::new());
        let leases = self.leases();
        match self.outcome(leases.insert_one(doc! { "_id": name })).await? {
            Ok(_) => {}
            Err(failure) if error::is_duplicate(&failure) => {}
            Err(failure) => return Err(error::of_store(failure)),
        }
        loop {
            let now = self.config.clock.now();
            let until = now.checked_add(LEASE).unwrap_or(now);
            let free = doc! { "_id": name, "until": { "$not": { "$gte": documents::date(now) } } };
            let hold = doc! { "$set": { "holder": holder, "until": documents::date(until) } };
            if self.answer(leases.update_one(free, hold)).await?.matched_count > 0 {
                return Ok(Lease { store: self, own: doc! { "_id": name, "holder": holder } });
            }
            if begun.elapsed() >= PATIENCE {
                return Err(StoreError::unavailable("another server is at it, or has just died"));
            }
            sleep(PAUSE).await;
        }
    }

    fn leases(&self) -> Collection<Document> {
        self.database.collection(schema::LEASES)
    }
}

impl Lease<'_> {
    /// Lets the next one do it.
    pub(super) async fn end(self) {
        let leases = self.store.leases();
        let free = leases.update_one(self.own, doc! { "$unset": { "holder": "", "until": "" } });
        if let Err(error) = self.store.answer(free).await {
            tracing::warn!(%error, "a lease holds until it has expired");
        }
    }
}
