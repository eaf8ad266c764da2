//! The audit trail to read. Must not know who may.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    clock::Clock,
    error::StoreError,
    query::{AuditPage, AuditQuery},
    store::Store,
};

/// For how long a change may be under way. After that, one that nobody has confirmed is shown as it is.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// The audit trail of the shop, to read. Cheap to clone. The services write it.
///
/// ```
/// use bookhub_core::{AuditLog, AuditQuery, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let page = AuditLog::new(MemoryStore::shared()).list(&AuditQuery::default()).await.unwrap();
/// assert!(page.entries.is_empty() && page.next.is_none());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AuditLog {
    store: Arc<dyn Store>,
    clock: Clock,
}

impl AuditLog {
    /// The trail in `store`, by the clock of this machine.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// The trail in `store`, by this clock.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// One page of the entries that `query` asks for, the newest first. A change whose outcome is not
    /// known is among them once it is a minute old.
    pub async fn list(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let before = self.clock.now().checked_sub(PATIENCE).unwrap_or(Timestamp::MIN);
        self.store.audit_entries(query, before).await
    }
}
