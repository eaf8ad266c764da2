//! The store's audit trail, in memory: the newest entries.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::{
    audit::{AuditEntry, AuditId, Outcome},
    error::StoreError,
    query::{AuditPage, AuditQuery},
    store::AuditStore,
};

#[async_trait]
impl AuditStore for MemoryStore {
    async fn note_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.write(|state| {
            for entry in entries {
                let entry = AuditEntry { outcome: Outcome::Unknown, ..entry };
                state.records.put(entry, self.config.audit);
            }
            Ok(())
        })
    }

    async fn confirm_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(|state| {
            let entry = AuditEntry { outcome: Outcome::Done, ..entry };
            state.records.put(entry, self.config.audit);
            Ok(())
        })
    }

    async fn confirm_noted_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        self.write(|state| {
            for id in ids {
                if let Some(noted) = state.records.noted(*id) {
                    let entry = AuditEntry { outcome: Outcome::Done, ..AuditEntry::clone(noted) };
                    state.records.put(entry, self.config.audit);
                }
            }
            Ok(())
        })
    }

    async fn withdraw_audit(&self, ids: &[AuditId]) -> Result<(), StoreError> {
        self.write(|state| {
            for id in ids {
                if state.records.noted(*id).is_some() {
                    state.records.remove(*id);
                }
            }
            Ok(())
        })
    }

    async fn audit_entries(
        &self,
        query: &AuditQuery,
        unknown_before: Timestamp,
    ) -> Result<AuditPage, StoreError> {
        let (state, most) = (self.snapshot(), query.limit().get());
        let asked = state.records.asked(query);
        let shown =
            asked.filter(|entry| entry.outcome == Outcome::Done || entry.at < unknown_before);
        Ok(AuditPage::of(shown.take(most + 1).cloned().collect(), most))
    }
}
