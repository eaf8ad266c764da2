//! Accounts: the rules by which people sign up, log in and out, and change what they are known by.
//! Must not know cookies, tokens or how often somebody may try.

mod admin;
mod guessable;
mod hasher;
mod requests;

use std::{num::NonZeroUsize, sync::Arc, thread};

use jiff::{SignedDuration, Timestamp};

pub use admin::Ensured;
pub use guessable::refuse_guessable;
pub use hasher::HashCost;
use hasher::Hasher;
pub use requests::{AccountDeletion, Login, ProfileUpdate, RolePatch, Signup};

use crate::{
    audit::{Action, Actor, Trail, differences},
    clock::Clock,
    error::AccountsError,
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

/// The people of the shop. Cheap to clone; clones share the queue of passwords to hash. What admins do
/// to accounts, and each change of a password, is in the audit trail.
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
    trail: Trail,
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
        let trail = Trail::new(store.clone(), clock.clone());
        Self { store, clock, session_lifetime: config.session_lifetime, hasher, trail }
    }

    /// The same accounts as `actor` changes them; else the shop itself does. What people do to their
    /// own accounts, they do themselves.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { trail: self.trail.by(actor), ..self.clone() }
    }

    /// Makes an account for somebody and logs them in.
    pub async fn signup(&self, signup: Signup) -> Result<(User, Session), AccountsError> {
        let account = self.new_account(signup, Role::User).await?;
        let account = self.store.insert_account(account).await?;
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
        let (before, session) = self.admitted(id).await?;
        let mut account = Account::clone(&before);
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
        let account = self.write_password(&before.user, account).await?;
        // From here on the other sessions are shut out; this tells their open connections.
        self.store.end_sessions(session.user, Some(session.id)).await?;
        Ok(account.user.clone())
    }

    /// The account that somebody wants, not kept yet, unless its password is guessed soon.
    async fn new_account(&self, signup: Signup, role: Role) -> Result<Account, AccountsError> {
        // The store has the last word; to ask first saves the work of hashing.
        if self.store.account_by_name(&signup.username).await?.is_some() {
            return Err(AccountsError::UsernameTaken);
        }
        let about = about(&signup.username, signup.email.as_ref());
        let password = self.hasher.hash_chosen(signup.password.clone(), about).await?;
        Ok(self.account_of(signup, password, role))
    }

    fn account_of(&self, signup: Signup, password: PasswordHash, role: Role) -> Account {
        let now = self.clock.now();
        let user = User {
            id: UserId::generate(now),
            username: signup.username,
            email: signup.email,
            role,
            created_at: now,
        };
        Account { user, password, version: 1, generation: 1, kept_session: None }
    }

    /// Writes an account with a new password, which its owner has set.
    async fn write_password(
        &self,
        before: &User,
        account: Account,
    ) -> Result<Arc<Account>, AccountsError> {
        let changes = differences(Some(before), Some(&account.user));
        let trail = self.trail.by(before.into());
        let entry = trail.entry(Action::UserPasswordChanged, before, changes.clone());
        let store = Arc::clone(&self.store);
        let write = async move { store.update_account(account).await };
        Ok(trail.around(entry, write, |_| Some(changes)).await?)
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
