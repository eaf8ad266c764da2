//! One admin stays, whoever is demoted or deleted, in MongoDB. That is a matter of several documents, so
//! those who make admins fewer hold a lease for it, one after the other.

use std::sync::Arc;

use mongodb::bson::doc;

use super::{MongoStore, by_id, documents};
use crate::{
    change::ChangeKind,
    error::{StoreError, UserWriteError},
    store::{Account, Changed, UserStore as _},
    user::{Role, UserId},
};

/// The name of the lease.
const ROLES: &str = "roles";

impl MongoStore {
    /// Takes the role of an admin away, if there is another one.
    pub(super) async fn take_admin(
        &self,
        id: UserId,
    ) -> Result<(Changed<Account>, Vec<ChangeKind>), UserWriteError> {
        let lease = self.lease(ROLES).await?;
        let taken = async {
            let account = self.account(id).await?.ok_or(UserWriteError::NotFound)?;
            if account.user.role == Role::Admin && !self.has_admin_beside(id).await? {
                return Err(UserWriteError::LastAdmin);
            }
            self.put_role(id, Role::User).await
        };
        let taken = taken.await;
        lease.end().await;
        taken
    }

    pub(super) async fn put_role(
        &self,
        id: UserId,
        role: Role,
    ) -> Result<(Changed<Account>, Vec<ChangeKind>), UserWriteError> {
        let mut filter = by_id(id.uuid());
        filter.insert("role", doc! { "$ne": role.to_string() });
        let change = doc! { "$set": { "role": role.to_string() }, "$inc": { "version": 1_i64 } };
        let changed = async { self.accounts().find_one_and_update(filter, change).await };
        match self.answer(changed).await? {
            Some(before) => {
                let before = Arc::new(before.account()?);
                let mut after = Account::clone(&before);
                after.user.role = role;
                after.version += 1;
                let told = ChangeKind::RoleChanged { user: id, role };
                Ok((Changed { before, after: after.into() }, vec![told]))
            }
            // They have it, or are not there.
            None => {
                let account = self.account(id).await?.ok_or(UserWriteError::NotFound)?;
                Ok((Changed::unchanged(account), Vec::new()))
            }
        }
    }

    /// Takes an account away, if it is not that of the last admin.
    pub(super) async fn take_account(&self, id: UserId) -> Result<Arc<Account>, UserWriteError> {
        let mut buyer = by_id(id.uuid());
        buyer.insert("role", doc! { "$ne": Role::Admin.to_string() });
        if let Some(taken) = self.answer(self.accounts().find_one_and_delete(buyer)).await? {
            return Ok(Arc::new(taken.account()?));
        }
        self.account(id).await?.ok_or(UserWriteError::NotFound)?;
        let lease = self.lease(ROLES).await?;
        let taken = async {
            if !self.has_admin_beside(id).await? {
                return Err(UserWriteError::LastAdmin);
            }
            let taken = async { self.accounts().find_one_and_delete(by_id(id.uuid())).await };
            let taken = self.answer(taken).await?.ok_or(UserWriteError::NotFound)?;
            Ok(Arc::new(taken.account()?))
        };
        let taken = taken.await;
        lease.end().await;
        taken
    }

    /// Deletes what an account that is gone has left. The account was all that mattered: without it no
    /// session admits anybody, and nobody can ask for the cart.
    pub(super) async fn clear_up(&self, id: UserId) {
        let sessions = self.sessions();
        let theirs = sessions.delete_many(doc! { "user": documents::uuid(id.uuid()) });
        let cleared = async {
            self.answer(theirs).await?;
            self.answer(self.carts().delete_one(by_id(id.uuid()))).await
        };
        if let Err(error) = cleared.await {
            tracing::warn!(%error, user = %id, "what a deleted account has left is still there");
        }
    }

    async fn has_admin_beside(&self, id: UserId) -> Result<bool, StoreError> {
        let mut others = doc! { "role": Role::Admin.to_string() };
        others.insert("_id", doc! { "$ne": documents::uuid(id.uuid()) });
        Ok(self.answer(self.accounts().find_one(others)).await?.is_some())
    }
}
