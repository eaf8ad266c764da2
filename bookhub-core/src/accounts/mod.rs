//! Accounts: the rules by which people sign up, log in and out, and change what they are known by.
//! Must not know cookies, tokens or how often somebody may try.

mod guessable;
mod hasher;
mod requests;

use std::{num::NonZeroUsize, sync::Arc, thread};

use jiff::{SignedDuration, Timestamp};

pub use guessable::refuse_guessable;
pub use hasher::HashCost;
use hasher::Hasher;
pub use requests::{Login, ProfileUpdate, RolePatch, Signup};

use crate::{
    clock::Clock,
    error::{AccountsError, UserWriteError},
    query::{PageSize, UserPage, UserQuery},
    store::{Account, PasswordHash, Store},
    user::{Email, Role, Session, SessionId, TypedPassword, User, UserId, Username},
};

/// How accounts are guarded.
///
/// ```
/// use bookhub_core::AccountsConfig;
///
/// assert_eq!(AccountsConfig::default().session_lifetime.as_hours(), 7 * 24);
/// ```
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// How long a session lasts: 7 days.
    pub session_lifetime: SignedDuration,
    /// What hashing one password costs.
    pub hash_cost: HashCost,
    /// How many passwords are hashed at the same time: one for every second processor.
    pub hashers: NonZeroUsize,
    /// How many more may wait for their turn before the answer is
    /// [`Busy`](AccountsError::Busy): 32.
    pub queue: usize,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            session_lifetime: SignedDuration::from_hours(7 * 24),
            hash_cost: HashCost::default(),
            hashers: NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN),
            queue: 32,
        }
    }
}

/// The people of the shop. Cheap to clone; clones share the queue of passwords to hash.
///
/// ```
/// use bookhub_core::{Accounts, AccountsError, Login, MemoryStore, Signup};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), AccountsError> {
/// let accounts = Accounts::new(MemoryStore::shared());
/// let json = json!({"username": "alice", "password": "correct horse"});
/// let (alice, _) = accounts.signup(Signup::from_json(json.as_object().unwrap())?).await?;
///
/// let (user, session) = accounts.login(Login::new("Alice", "correct horse")).await?;
/// assert_eq!(user, alice);
///
/// accounts.logout(session.id).await?;
/// let ended = accounts.authenticate(session.id).await;
/// assert!(matches!(ended, Err(AccountsError::SessionEnded)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Clock,
    session_lifetime: SignedDuration,
    hasher: Hasher,
}

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
    /// The accounts in `store`, guarded as usual, by the clock of this machine.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_config(store, Clock::system(), &AccountsConfig::default())
    }

    /// The accounts in `store`, guarded like this, by this clock.
    #[must_use]
    pub fn with_config(store: Arc<dyn Store>, clock: Clock, config: &AccountsConfig) -> Self {
        let hasher = Hasher::new(config.hash_cost, config.hashers.get(), config.queue);
        Self { store, clock, session_lifetime: config.session_lifetime, hasher }
    }

    /// Makes an account for somebody and logs them in.
    pub async fn signup(&self, signup: Signup) -> Result<(User, Session), AccountsError> {
        let account = self.create(signup, Role::User).await?;
        let session = self.open_session(&account).await?;
        Ok((account.user.clone(), session))
    }

    /// Logs somebody in. An unknown name takes as long, and gets the same answer, as a wrong
    /// password.
    pub async fn login(&self, login: Login) -> Result<(User, Session), AccountsError> {
        let account = match Username::new(&login.username) {
            Ok(name) => self.store.account_by_name(&name).await?,
            Err(_) => None,
        };
        let hash = account.as_ref().map(|account| account.password.clone());
        let right = self.hasher.verify(login.password.clone(), hash).await?;
        let account = account.filter(|_| right).ok_or(AccountsError::WrongCredentials)?;
        let account = self.strengthened(account, login.password).await;
        let session = self.open_session(&account).await?;
        Ok((account.user.clone(), session))
    }

    /// Who is logged in with the session `id`.
    pub async fn authenticate(&self, id: SessionId) -> Result<(User, Session), AccountsError> {
        let (account, session) = self.admitted(id).await?;
        Ok((account.user.clone(), session))
    }

    /// Ends the session `id`; that it had ended before is no error.
    pub async fn logout(&self, id: SessionId) -> Result<(), AccountsError> {
        self.store.end_session(id).await?;
        Ok(())
    }

    /// Changes the account of whoever is logged in with the session `id`. A new password ends
    /// their other sessions.
    pub async fn update_profile(
        &self,
        id: SessionId,
        update: ProfileUpdate,
    ) -> Result<User, AccountsError> {
        let (account, session) = self.admitted(id).await?;
        let mut account = Account::clone(&account);
        if let Some(email) = update.email {
            account.user.email = email;
        }
        let Some((current, new)) = update.password else {
            return Ok(self.store.update_account(account).await?.user.clone());
        };
        if !self.hasher.verify(current, Some(account.password)).await? {
            return Err(AccountsError::WrongPassword);
        }
        let about = about(&account.user.username, account.user.email.as_ref());
        account.password = self.hasher.hash_chosen(new, about).await?;
        account.generation += 1;
        account.kept_session = Some(session.id);
        let account = self.store.update_account(account).await?;
        // From here on the other sessions are shut out; this tells their open connections.
        self.store.end_sessions(session.user, Some(session.id)).await?;
        Ok(account.user.clone())
    }

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
        match self.store.set_role(id, role).await {
            Ok(account) => Ok(account.user.clone()),
            Err(UserWriteError::NotFound) => Err(AccountsError::NotFound(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an account that may run the shop.
    pub async fn create_admin(&self, signup: Signup) -> Result<User, AccountsError> {
        Ok(self.create(signup, Role::Admin).await?.user.clone())
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
        let account = self.create(signup, Role::Admin).await?;
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
        match self.insert(signup, password, Role::Admin).await {
            // Another server made it at the same time.
            Err(AccountsError::UsernameTaken) => match self.store.account_by_name(&name).await? {
                Some(account) => Ok(Ensured::Existing(account.user.clone())),
                None => Err(AccountsError::UsernameTaken),
            },
            created => created.map(|account| Ensured::Created(account.user.clone())),
        }
    }

    async fn create(&self, signup: Signup, role: Role) -> Result<Arc<Account>, AccountsError> {
        // The store has the last word; to ask first saves the work of hashing.
        if self.store.account_by_name(&signup.username).await?.is_some() {
            return Err(AccountsError::UsernameTaken);
        }
        let about = about(&signup.username, signup.email.as_ref());
        let password = self.hasher.hash_chosen(signup.password.clone(), about).await?;
        self.insert(signup, password, role).await
    }

    async fn insert(
        &self,
        signup: Signup,
        password: PasswordHash,
        role: Role,
    ) -> Result<Arc<Account>, AccountsError> {
        let now = self.clock.now();
        let user = User {
            id: UserId::generate(now),
            username: signup.username,
            email: signup.email,
            role,
            created_at: now,
        };
        let account = Account { user, password, version: 1, generation: 1, kept_session: None };
        Ok(self.store.insert_account(account).await?)
    }

    /// The account with its password kept as passwords are kept today. That this fails keeps nobody
    /// out: the next login tries it again.
    async fn strengthened(&self, account: Arc<Account>, right: TypedPassword) -> Arc<Account> {
        let strengthened = async {
            let Some(password) = self.hasher.strengthen(right, &account.password).await? else {
                return Ok(Arc::clone(&account));
            };
            let account = Account { password, ..Account::clone(&account) };
            Ok::<_, AccountsError>(self.store.update_account(account).await?)
        };
        strengthened.await.unwrap_or_else(|error| {
            tracing::warn!(%error, user = %account.user.id, "a password is kept as before");
            account
        })
    }

    async fn open_session(&self, account: &Account) -> Result<Session, AccountsError> {
        let now = self.clock.now();
        let session = Session {
            id: SessionId::generate(),
            user: account.user.id,
            created_at: now,
            expires_at: now.checked_add(self.session_lifetime).unwrap_or(Timestamp::MAX),
            generation: account.generation,
        };
        self.store.open_session(session.clone()).await?;
        Ok(session)
    }

    async fn admitted(&self, id: SessionId) -> Result<(Arc<Account>, Session), AccountsError> {
        let session = self.store.session(id).await?.ok_or(AccountsError::SessionEnded)?;
        if session.expires_at <= self.clock.now() {
            return Err(AccountsError::SessionEnded);
        }
        let account = self.store.account(session.user).await?;
        let account = account.filter(|account| account.admits(&session));
        Ok((account.ok_or(AccountsError::SessionEnded)?, session))
    }
}

/// What whoever knows somebody would try as their password.
fn about(name: &Username, email: Option<&Email>) -> Vec<String> {
    let email = email.map(|email| email.as_str().to_owned());
    [name.as_str().to_owned()].into_iter().chain(email).collect()
}

#[cfg(test)]
mod tests;
