//! An account as a store keeps it: the user and what only the login may see.

use std::fmt;

use crate::user::{Session, SessionId, User};

/// A user with what proves who they are.
///
/// ```
/// use bookhub_core::{Accounts, Login, MemoryStore, Signup, UserStore};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::shared();
/// let accounts = Accounts::new(store.clone());
/// # let json = json!({"username": "alice", "password": "correct horse"});
/// # let signup = Signup::from_json(json.as_object().unwrap()).unwrap();
/// let (user, session) = accounts.signup(signup).await.unwrap();
///
/// let account = store.account(user.id).await.unwrap().unwrap();
/// assert!(account.admits(&session));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who it is.
    pub user: User,
    /// Proves the password.
    pub password: PasswordHash,
    /// Counts the writes of this account; 1 at first.
    pub version: u64,
    /// Counts the passwords: a new one adds 1, and with the same write shuts out every session
    /// that was opened with an older one.
    pub generation: u64,
    /// The one session of an older password that goes on: the one that changed it.
    pub kept_session: Option<SessionId>,
}

impl Account {
    /// Whether a session of this user was opened with the current password, or is the one that
    /// set it. When it expires is not looked at.
    #[must_use]
    pub fn admits(&self, session: &Session) -> bool {
        session.user == self.user.id
            && (session.generation == self.generation || self.kept_session == Some(session.id))
    }
}

/// What is kept of a password: a PHC string of Argon2id. `Debug` does not show it.
///
/// ```
/// use bookhub_core::PasswordHash;
///
/// let hash = PasswordHash::from_phc("$argon2id$v=19$...".to_owned());
/// assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Takes a PHC string as it was kept.
    #[must_use]
    pub fn from_phc(text: String) -> Self {
        Self(text.into())
    }

    /// The PHC string, to keep.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
