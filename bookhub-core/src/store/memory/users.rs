//! The store's accounts and sessions, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, state::State};
use crate::{
    change::ChangeKind,
    error::{StoreError, UserWriteError},
    query::{UserPage, UserQuery},
    store::{Account, Changed, SessionStore, UserStore},
    user::{Role, Session, SessionId, UserId, Username},
};

#[async_trait]
impl UserStore for MemoryStore {
    async fn account(&self, id: UserId) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.snapshot().people.account(id).cloned())
    }

    async fn account_by_name(&self, name: &Username) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.snapshot().people.named(name).cloned())
    }

    async fn insert_account(&self, account: Account) -> Result<Arc<Account>, UserWriteError> {
        self.write(|state| state.people.put(account))
    }

    async fn update_account(&self, mut account: Account) -> Result<Arc<Account>, UserWriteError> {
        self.write(|state| {
            let id = account.user.id;
            let old = state.people.account(id).ok_or(UserWriteError::NotFound)?;
            if old.version != account.version {
                return Err(UserWriteError::VersionConflict);
            }
            let role = account.user.role;
            let role_changed = old.user.role != role;
            account.version += 1;
            let account = state.people.put(account)?;
            if role_changed {
                state.history.record(ChangeKind::RoleChanged { user: id, role });
            }
            Ok(account)
        })
    }

    async fn count_users(&self) -> Result<u64, StoreError> {
        Ok(self.snapshot().people.len() as u64)
    }

    async fn users(&self, query: &UserQuery) -> Result<UserPage, StoreError> {
        let (state, most) = (self.snapshot(), query.limit().get());
        let users = state.people.behind(query.after()).map(|account| &account.user);
        let asked = users.filter(|user| query.role().is_none_or(|role| role == user.role));
        Ok(UserPage::of(asked.take(most + 1).cloned().collect(), most))
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Changed<Account>, UserWriteError> {
        self.write(|state| {
            let before = state.people.account(id).cloned().ok_or(UserWriteError::NotFound)?;
            if before.user.role == role {
                return Ok(Changed::unchanged(before));
            }
            if role != Role::Admin && !state.people.has_admin_beside(id) {
                return Err(UserWriteError::LastAdmin);
            }
            let mut account = Account::clone(&before);
            account.user.role = role;
            account.version += 1;
            let after = state.people.put(account)?;
            state.history.record(ChangeKind::RoleChanged { user: id, role });
            Ok(Changed { before, after })
        })
    }

    async fn delete_account(&self, id: UserId) -> Result<Arc<Account>, UserWriteError> {
        self.write(|state| {
            let account = state.people.account(id).ok_or(UserWriteError::NotFound)?;
            if account.user.role == Role::Admin && !state.people.has_admin_beside(id) {
                return Err(UserWriteError::LastAdmin);
            }
            let account = state.people.remove(id).ok_or(UserWriteError::NotFound)?;
            state.carts.remove(&id);
            state.history.record(ChangeKind::UserDeleted { user: id });
            Ok(account)
        })
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open_session(&self, session: Session) -> Result<(), StoreError> {
        self.write(|state| {
            // Whoever logs in clears away what nobody can use any more.
            state.people.purge(session.created_at);
            state.people.open(session);
            Ok(())
        })
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.snapshot().people.session(id).cloned())
    }

    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError> {
        self.write(|state| Ok(end(state, id)))
    }

    async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        self.write(|state| {
            let sessions = state.people.sessions_of(user).into_iter();
            let ended = sessions.filter(|id| Some(*id) != except && end(state, *id));
            Ok(ended.count())
        })
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write(|state| Ok(state.people.purge(now)))
    }
}

/// Ends a session and says so; returns whether there was one.
fn end(state: &mut State, id: SessionId) -> bool {
    let ended = state.people.end(id).is_some();
    if ended {
        state.history.record(ChangeKind::SessionEnded { session: id });
    }
    ended
}
