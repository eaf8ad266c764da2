//! Accounts and sessions.

use mongodb::bson::{self, Bson, DateTime, Document};
use serde::{Deserialize, Serialize};

use super::{SCHEMA, count, counted, date, plain, timestamp, uuid};
use crate::{
    error::StoreError,
    store::{Account, PasswordHash},
    user::{Email, Role, Session, SessionId, User, UserId, Username},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct AccountDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    #[serde(default)]
    schema: i32,
    username: Username,
    username_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_key: Option<String>,
    role: Role,
    created_at: DateTime,
    password: String,
    version: i64,
    generation: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_session: Option<bson::Uuid>,
}

impl AccountDocument {
    pub(in super::super) fn of(account: &Account) -> Self {
        let Account { user, password, version, generation, kept_session } = account;
        Self {
            id: uuid(user.id.uuid()),
            schema: SCHEMA,
            username: user.username.clone(),
            username_key: user.username.key(),
            email: user.email.clone(),
            email_key: user.email.as_ref().map(Email::key),
            role: user.role,
            created_at: date(user.created_at),
            password: password.as_phc().to_owned(),
            version: count(*version),
            generation: count(*generation),
            kept_session: kept_session.map(|session| uuid(session.uuid())),
        }
    }

    pub(in super::super) fn account(self) -> Result<Account, StoreError> {
        let id = UserId::from_uuid(plain(self.id));
        let counted = |number| {
            counted(number).map_err(|error| StoreError::Corrupt(format!("user {id}: {error}")))
        };
        Ok(Account {
            user: User {
                id,
                username: self.username,
                email: self.email,
                role: self.role,
                created_at: timestamp(self.created_at),
            },
            password: PasswordHash::from_phc(self.password),
            version: counted(self.version)?,
            generation: counted(self.generation)?,
            kept_session: self.kept_session.map(|id| SessionId::from_uuid(plain(id))),
        })
    }

    /// What a write of the whole account sets and unsets.
    pub(in super::super) fn update(&self) -> Result<(Document, Document), StoreError> {
        let corrupt = |error: bson::error::Error| StoreError::Corrupt(error.to_string());
        let mut set = bson::serialize_to_document(self).map_err(corrupt)?;
        set.remove("_id");
        let optional = ["email", "emailKey", "keptSession"];
        let absent = optional.into_iter().filter(|field| !set.contains_key(field));
        let unset = absent.map(|field| (field.to_owned(), Bson::from(""))).collect();
        Ok((set, unset))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct SessionDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    #[serde(default)]
    schema: i32,
    user: bson::Uuid,
    created_at: DateTime,
    expires_at: DateTime,
    generation: i64,
    /// It is kept until it would have expired: so that its end is a change that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime>,
}

impl SessionDocument {
    pub(in super::super) fn of(session: &Session) -> Self {
        Self {
            id: uuid(session.id.uuid()),
            schema: SCHEMA,
            user: uuid(session.user.uuid()),
            created_at: date(session.created_at),
            expires_at: date(session.expires_at),
            generation: count(session.generation),
            ended_at: None,
        }
    }

    pub(in super::super) fn session(self) -> Result<Session, StoreError> {
        let corrupt = |error| StoreError::Corrupt(format!("session of {}: {error}", self.user));
        Ok(Session {
            id: SessionId::from_uuid(plain(self.id)),
            user: UserId::from_uuid(plain(self.user)),
            created_at: timestamp(self.created_at),
            expires_at: timestamp(self.expires_at),
            generation: counted(self.generation).map_err(corrupt)?,
        })
    }
}
