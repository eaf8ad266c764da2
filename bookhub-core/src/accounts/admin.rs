//! What admins do to accounts, and how they come to be. All of it is in the audit trail.

use std::sync::Arc;

use super::{Accounts, Signup};
use crate::{
    audit::{Action, AuditChange, differences},
    error::{AccountsError, UserWriteError},
    query::{PageSize, UserPage, UserQuery},
    store::{Account, Changed},
    user::{Role, Session, SessionId, TypedPassword, User, UserId},
};

/// Whether [`Accounts::ensure_admin`] had something to do.
///
/// ```
/// use bookhub_core::{Accounts, Ensured, MemoryStore, Signup};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let accounts = Accounts::new(MemoryStore::shared());
/// # let json = json!({"username": "admin", "password": "admin123"});
/// # let admin = Signup::from_json(json.as_object().unwrap()).unwrap();
/// assert!(matches!(accounts.ensure_admin(admin.clone()).await.unwrap(), Ensured::Created(_)));
/// assert!(matches!(accounts.ensure_admin(admin).await.unwrap(), Ensured::Existing(_)));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// The account was made, with the given password.
    Created(User),
    /// An account of this name exists. It was left as it is: look at its role.
    Existing(User),
}

impl Accounts {
    /// One page of the accounts that `query` asks for, by their names.
    pub async fn list(&self, query: &UserQuery) -> Result<UserPage, AccountsError> {
        Ok(self.store.users(query).await?)
    }

    /// Gives the user `id` another role, which holds at once. One admin stays.
    ///
    /// ```
    /// # use bookhub_core::{Accounts, AccountsError, MemoryStore, Role, Signup};
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), AccountsError> {
    /// # let accounts = Accounts::new(MemoryStore::shared());
    /// # let json = json!({"username": "admin", "password": "correct horse"});
    /// let admin = accounts.create_admin(Signup::from_json(json.as_object().unwrap())?).await?;
    /// let last = accounts.set_role(admin.id, Role::User).await;
    /// assert!(matches!(last, Err(AccountsError::LastAdmin)));
    /// # Ok(()) }
    /// ```
    pub async fn set_role(&self, id: UserId, role: Role) -> Result<User, AccountsError> {
        let account = self.store.account(id).await?.ok_or(AccountsError::NotFound(id))?;
        if account.user.role == role {
            return Ok(account.user.clone());
        }
        let changes =
            differences(Some(&account.user), Some(&User { role, ..account.user.clone() }));
        let entry = self.trail.entry(Action::UserRoleChanged, &account.user, changes.clone());
        let store = Arc::clone(&self.store);
        let write = async move { store.set_role(id, role).await };
        // Somebody else may have been quicker.
        let changes = |changed: &Changed<Account>| changed.is_change().then_some(changes);
        match self.trail.around(entry, write, changes).await {
            Ok(changed) => Ok(changed.after.user.clone()),
            Err(UserWriteError::NotFound) => Err(AccountsError::NotFound(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the account `id`, which holds at once: its sessions end, its cart goes, its names are free
    /// again. Its orders stay. One admin stays, too.
    pub async fn delete(&self, id: UserId) -> Result<(), AccountsError> {
        let account = self.store.account(id).await?.ok_or(AccountsError::NotFound(id))?;
        match self.write_deletion(account.user.clone()).await {
            Err(UserWriteError::NotFound) => Err(AccountsError::NotFound(id)),
            deleted => Ok(deleted?),
        }
    }

    /// Deletes the account of whoever is logged in with the session `id`, if that is their password.
    ///
    /// ```
    /// # use bookhub_core::{Accounts, AccountsError, MemoryStore, Signup, TypedPassword};
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), AccountsError> {
    /// # let accounts = Accounts::new(MemoryStore::shared());
    /// # let json = json!({"username": "alice", "password": "correct horse"});
    /// let (_, session) = accounts.signup(Signup::from_json(json.as_object().unwrap())?).await?;
    /// let wrong = accounts.delete_own(session.id, TypedPassword::new("correct house")).await;
    /// assert!(matches!(wrong, Err(AccountsError::WrongPassword)));
    ///
    /// accounts.delete_own(session.id, TypedPassword::new("correct horse")).await?;
    /// let ended = accounts.authenticate(session.id).await;
    /// assert!(matches!(ended, Err(AccountsError::SessionEnded)));
    /// # Ok(()) }
    /// ```
    pub async fn delete_own(
        &self,
        id: SessionId,
        password: TypedPassword,
    ) -> Result<(), AccountsError> {
        let (account, _) = self.admitted(id).await?;
        if !self.hasher.verify(password, Some(account.password.clone())).await? {
            return Err(AccountsError::WrongPassword);
        }
        let themselves = self.by((&account.user).into());
        Ok(themselves.write_deletion(account.user.clone()).await?)
    }

    /// Makes an account that may run the shop.
    pub async fn create_admin(&self, signup: Signup) -> Result<User, AccountsError> {
        let account = self.new_account(signup, Role::Admin).await?;
        Ok(self.write_admin(account).await?.user.clone())
    }

    /// Makes the first account that may run the shop, and logs its owner in. Of two who do so at the
    /// same moment both may succeed.
    ///
    /// ```
    /// # use bookhub_core::{Accounts, AccountsError, MemoryStore, Role, Signup};
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), AccountsError> {
    /// # let accounts = Accounts::new(MemoryStore::shared());
    /// # let json = json!({"username": "alice", "password": "correct horse"});
    /// # let signup = Signup::from_json(json.as_object().unwrap())?;
    /// assert!(!accounts.has_admin().await?);
    /// let (alice, _) = accounts.create_first_admin(signup.clone()).await?;
    /// assert_eq!(alice.role, Role::Admin);
    /// let again = accounts.create_first_admin(signup).await;
    /// assert!(matches!(again, Err(AccountsError::AdminExists)));
    /// # Ok(()) }
    /// ```
    pub async fn create_first_admin(
        &self,
        signup: Signup,
    ) -> Result<(User, Session), AccountsError> {
        if self.has_admin().await? {
            return Err(AccountsError::AdminExists);
        }
        let account = self.new_account(signup, Role::Admin).await?;
        let account = self.write_admin(account).await?;
        let session = self.open_session(&account).await?;
        Ok((account.user.clone(), session))
    }

    /// Whether anybody may run the shop.
    pub async fn has_admin(&self) -> Result<bool, AccountsError> {
        let one = PageSize::new(1).unwrap_or_default();
        let admins = UserQuery::default().with_role(Role::Admin).with_limit(one);
        Ok(!self.store.users(&admins).await?.users.is_empty())
    }

    /// Makes an account that may run the shop, unless there is one of this name. Its password is
    /// the operator's business: it may be one that is easy to guess.
    pub async fn ensure_admin(&self, signup: Signup) -> Result<Ensured, AccountsError> {
        let name = signup.username.clone();
        if let Some(account) = self.store.account_by_name(&name).await? {
            return Ok(Ensured::Existing(account.user.clone()));
        }
        let password = self.hasher.hash(signup.password.clone()).await?;
        match self.write_admin(self.account_of(signup, password, Role::Admin)).await {
            // Another server made it at the same time.
            Err(AccountsError::UsernameTaken) => match self.store.account_by_name(&name).await? {
                Some(account) => Ok(Ensured::Existing(account.user.clone())),
                None => Err(AccountsError::UsernameTaken),
            },
            created => created.map(|account| Ensured::Created(account.user.clone())),
        }
    }

    /// Keeps the account of an admin, and says so in the trail.
    async fn write_admin(&self, account: Account) -> Result<Arc<Account>, AccountsError> {
        let changes = differences(None, Some(&account.user));
        let entry = self.trail.entry(Action::UserCreated, &account.user, changes.clone());
        let store = Arc::clone(&self.store);
        let write = async move { store.insert_account(account).await };
        Ok(self.trail.around(entry, write, |_| Some(changes)).await?)
    }

    /// Deletes an account, and says so in the trail.
    async fn write_deletion(&self, user: User) -> Result<(), UserWriteError> {
        let (store, id) = (Arc::clone(&self.store), user.id);
        let entry = self.trail.entry(Action::UserDeleted, &user, what_goes(&user));
        let write = async move { store.delete_account(id).await };
        let changes = |gone: &Arc<Account>| Some(what_goes(&gone.user));
        self.trail.around(entry, write, changes).await.map(drop)
    }
}

/// What the trail keeps of a user who goes: whoever asks to be forgotten has their address forgotten.
fn what_goes(user: &User) -> Vec<AuditChange> {
    let all = differences(Some(user), None).into_iter();
    all.filter(|change| change.field != "email").collect()
}
