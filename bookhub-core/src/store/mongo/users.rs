//! The store's accounts and sessions, in MongoDB.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::{
    MongoStore, by_id,
    documents::{self, AccountDocument, SessionDocument},
    error,
};
use crate::{
    change::ChangeKind,
    error::{StoreError, UserWriteError},
    query::{UserPage, UserQuery},
    store::{Account, Changed, SessionStore, UserStore},
    user::{Role, Session, SessionId, User, UserId, Username},
};

#[async_trait]
impl UserStore for MongoStore {
    async fn account(&self, id: UserId) -> Result<Option<Arc<Account>>, StoreError> {
        self.find_account(by_id(id.uuid())).await
    }

    async fn account_by_name(&self, name: &Username) -> Result<Option<Arc<Account>>, StoreError> {
        self.find_account(doc! { "usernameKey": name.key() }).await
    }

    async fn insert_account(&self, account: Account) -> Result<Arc<Account>, UserWriteError> {
        let document = AccountDocument::of(&account);
        match self.outcome(self.accounts().insert_one(&document)).await? {
            Ok(_) => Ok(Arc::new(document.account()?)),
            Err(failure) if error::is_duplicate(&failure) => Err(self.taken(&account).await?),
            Err(failure) => Err(error::of_store(failure).into()),
        }
    }

    async fn update_account(&self, account: Account) -> Result<Arc<Account>, UserWriteError> {
        let store = self.clone();
        self.write(async move { store.replace_account(account).await }).await
    }

    async fn count_users(&self) -> Result<u64, StoreError> {
        let accounts = self.accounts();
        self.answer(async { accounts.estimated_document_count().await }).await
    }

    async fn users(&self, query: &UserQuery) -> Result<UserPage, StoreError> {
        let (mut filter, most) = (doc! {}, query.limit().get());
        if let Some(role) = query.role() {
            filter.insert("role", role.to_string());
        }
        if let Some(name) = query.after() {
            filter.insert("usernameKey", doc! { "$gt": name.key() });
        }
        let asked = (filter, doc! { "usernameKey": 1 });
        let kept = self.accounts().clone_with_type::<RawDocumentBuf>();
        Ok(UserPage::of(self.first(&kept, asked, most + 1, readable).await?, most))
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Changed<Account>, UserWriteError> {
        let store = self.clone();
        self.write(async move {
            match role {
                Role::Admin => store.put_role(id, role).await,
                Role::User => store.take_admin(id).await,
            }
        })
        .await
    }

    async fn delete_account(&self, id: UserId) -> Result<Arc<Account>, UserWriteError> {
        let store = self.clone();
        self.write(async move {
            let account = store.take_account(id).await?;
            store.clear_up(id).await;
            Ok((account, vec![ChangeKind::UserDeleted { user: id }]))
        })
        .await
    }
}

/// The user that a document is, if it makes sense.
fn readable(raw: &RawDocumentBuf) -> Option<User> {
    let account =
        documents::read::<AccountDocument>(raw, "user").and_then(AccountDocument::account);
    let account = account.inspect_err(|problem| {
        tracing::error!(%problem, "an account makes no sense, and is not shown");
    });
    account.ok().map(|account| account.user)
}

#[async_trait]
impl SessionStore for MongoStore {
    async fn open_session(&self, session: Session) -> Result<(), StoreError> {
        if !self.expires {
            // Whoever logs in clears away what nobody can use any more.
            self.purge_sessions(session.created_at).await?;
        }
        let document = SessionDocument::of(&session);
        self.answer(self.sessions().insert_one(&document)).await?;
        Ok(())
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let lasting = lasting(by_id(id.uuid()));
        let found = self.answer(self.sessions().find_one(lasting)).await?;
        found.map(SessionDocument::session).transpose()
    }

    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError> {
        let store = self.clone();
        self.write(async move { store.end(id).await }).await
    }

    async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let theirs = lasting(doc! { "user": documents::uuid(user.uuid()) });
        let found = async { self.sessions().find(theirs).await?.try_collect::<Vec<_>>().await };
        let mut ended = 0;
        for document in self.answer(found).await? {
            let session = document.session()?;
            if Some(session.id) != except {
                ended += usize::from(self.end_session(session.id).await?);
            }
        }
        Ok(ended)
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<usize, StoreError> {
        let expired = doc! { "expiresAt": { "$lte": documents::date(now) } };
        let purged = self.answer(self.sessions().delete_many(expired)).await?;
        Ok(usize::try_from(purged.deleted_count).unwrap_or(usize::MAX))
    }
}

/// Those of these sessions that nobody has ended.
fn lasting(mut filter: Document) -> Document {
    filter.insert("endedAt", doc! { "$exists": false });
    filter
}

impl MongoStore {
    async fn find_account(&self, filter: Document) -> Result<Option<Arc<Account>>, StoreError> {
        let found = self.answer(self.accounts().find_one(filter)).await?;
        found.map(|document| document.account().map(Arc::new)).transpose()
    }

    async fn replace_account(
        &self,
        mut account: Account,
    ) -> Result<(Arc<Account>, Vec<ChangeKind>), UserWriteError> {
        let id = account.user.id;
        let mut filter = by_id(id.uuid());
        filter.insert("version", i64::try_from(account.version).unwrap_or(i64::MAX));
        account.version += 1;
        let document = AccountDocument::of(&account);
        let (set, unset) = document.update()?;
        let mut change = doc! { "$set": set };
        if !unset.is_empty() {
            change.insert("$unset", unset);
        }
        let replaced = async { self.accounts().find_one_and_update(filter, change).await };
        let before = match self.outcome(replaced).await? {
            Ok(Some(before)) => before.account()?,
            Ok(None) => {
                return Err(match self.account(id).await? {
                    Some(_) => UserWriteError::VersionConflict,
                    None => UserWriteError::NotFound,
                });
            }
            Err(failure) if error::is_duplicate(&failure) => {
                return Err(self.taken(&account).await?);
            }
            Err(failure) => return Err(error::of_store(failure).into()),
        };
        let account = Arc::new(document.account()?);
        let role = account.user.role;
        let changed =
            (before.user.role != role).then_some(ChangeKind::RoleChanged { user: id, role });
        Ok((account, changed.into_iter().collect()))
    }

    /// What a unique index has refused.
    async fn taken(&self, account: &Account) -> Result<UserWriteError, StoreError> {
        let named = self.account_by_name(&account.user.username).await?;
        Ok(match named {
            Some(other) if other.user.id != account.user.id => UserWriteError::UsernameTaken,
            // It has no other index to offend, unless its name was free again at once.
            _ if account.user.email.is_some() => UserWriteError::EmailTaken,
            _ => UserWriteError::UsernameTaken,
        })
    }

    /// Ends a session and says so; returns whether there was one.
    async fn end(&self, id: SessionId) -> Result<(bool, Vec<ChangeKind>), StoreError> {
        let now = documents::date(self.config.clock.now());
        let change = doc! { "$set": { "endedAt": now } };
        let ended =
            async { self.sessions().find_one_and_update(lasting(by_id(id.uuid())), change).await };
        let Some(document) = self.answer(ended).await? else {
            return Ok((false, Vec::new()));
        };
        let session = document.session()?.id;
        Ok((true, vec![ChangeKind::SessionEnded { session }]))
    }
}
