//! Entries of the audit trail.

use mongodb::bson::{self, DateTime};
use serde::{Deserialize, Serialize};

use super::{SCHEMA, date, plain, timestamp, uuid};
use crate::{
    audit::{Actor, AuditChange, AuditEntry, AuditId, AuditTarget, Outcome, TargetKind},
    book::StockReason,
    error::StoreError,
    user::{UserId, Username},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AuditDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    schema: i32,
    at: DateTime,
    actor: ActorDocument,
    /// By which a user is asked for, whatever the letter case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_key: Option<String>,
    action: String,
    target: TargetDocument,
    changes: Vec<AuditChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delta: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<StockReason>,
    outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ActorDocument {
    User { id: bson::Uuid, username: Username },
    CommandLine { user: String },
    System,
}

#[derive(Debug, Serialize, Deserialize)]
struct TargetDocument {
    kind: TargetKind,
    id: bson::Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl AuditDocument {
    pub(in super::super) fn of(entry: AuditEntry, outcome: Outcome) -> Self {
        let AuditTarget { kind, id, name } = entry.target;
        let (actor, actor_key) = match entry.actor {
            Actor::User { id, username } => {
                let key = username.key();
                (ActorDocument::User { id: uuid(id.uuid()), username }, Some(key))
            }
            Actor::CommandLine { user } => (ActorDocument::CommandLine { user }, None),
            Actor::System => (ActorDocument::System, None),
        };
        Self {
            id: uuid(entry.id.uuid()),
            schema: SCHEMA,
            at: date(entry.at),
            actor,
            actor_key,
            action: entry.action.to_string(),
            target: TargetDocument { kind, id: uuid(id), name },
            changes: entry.changes,
            delta: entry.delta,
            reason: entry.reason,
            outcome,
        }
    }

    pub(in super::super) fn entry(self) -> Result<AuditEntry, StoreError> {
        let id = AuditId::from_uuid(plain(self.id));
        let TargetDocument { kind, id: target, name } = self.target;
        let actor = match self.actor {
            ActorDocument::User { id, username } => {
                Actor::User { id: UserId::from_uuid(plain(id)), username }
            }
            ActorDocument::CommandLine { user } => Actor::CommandLine { user },
            ActorDocument::System => Actor::System,
        };
        let action = self.action.parse();
        let unknown = |error| StoreError::Corrupt(format!("audit entry {id}: action: {error}"));
        Ok(AuditEntry {
            id,
            at: timestamp(self.at),
            actor,
            action: action.map_err(unknown)?,
            target: AuditTarget { kind, id: plain(target), name },
            changes: self.changes,
            delta: self.delta,
            reason: self.reason,
            outcome: self.outcome,
        })
    }
}
