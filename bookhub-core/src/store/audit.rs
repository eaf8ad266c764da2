//! The audit trail as a store keeps it: noted before a change, confirmed or withdrawn afterwards.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    audit::{AuditEntry, AuditId},
    error::StoreError,
    query::{AuditPage, AuditQuery},
};

/// The audit trail. An entry is noted before its change is made; whoever has made the change confirms
/// it, and whoever was refused withdraws it. One about which nobody says more stays, as what it is: a
/// change of which it is not known whether it was made. Nothing of this is in the feed.
///
/// ```
/// use bookhub_core::{AuditQuery, AuditStore, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let now = jiff::Timestamp::now();
/// let page = MemoryStore::new().audit_entries(&AuditQuery::default(), now).await.unwrap();
/// assert!(page.entries.is_empty());
/// # }
/// ```
#[async_trait]
pub trait AuditStore: fmt::Debug + Send + Sync {
    /// Keeps entries of changes that are about to be made, as unknown whatever they say. After an
    /// error some may be kept.
    async fn note_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// Keeps an entry of a change that was made, in place of the one with its id if there is one.
    async fn confirm_audit(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// Confirms noted entries of changes that were made just as they say. After an error some may be
    /// confirmed; to do it again does no harm.
    async fn confirm_noted_audit(&self, ids: &[AuditId]) -> Result<(), StoreError>;

    /// Takes away noted entries of changes that were not made, and never those that were confirmed. To
    /// do it again does no harm.
    async fn withdraw_audit(&self, ids: &[AuditId]) -> Result<(), StoreError>;

    /// One page of entries, the newest first, by their ids. Those whose outcome is unknown are among
    /// them if they were begun before `unknown_before`.
    async fn audit_entries(
        &self,
        query: &AuditQuery,
        unknown_before: Timestamp,
    ) -> Result<AuditPage, StoreError>;
}
