//! People with an account: who they are, what they may do, where they are logged in.
//! Must not know how a password is hashed or where an account is kept.

mod names;
mod password;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use names::{Email, Username};
pub use password::{Password, TypedPassword};

pub use crate::id::{SessionId, UserId};
use crate::{
    error::BadValue,
    json::{self, FromJson},
};

/// What somebody may do.
///
/// ```
/// use bookhub_core::Role;
///
/// assert_eq!("admin".parse(), Ok(Role::Admin));
/// assert_eq!(Role::default().to_string(), "user");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buy books.
    #[default]
    User,
    /// Run the shop.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::User => "user",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            _ => Err(BadValue::new("Must be user or admin.")),
        }
    }
}

impl FromJson for Role {
    const EXPECTED: &'static str = "user or admin";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        json::text::<Self>(value)?.parse()
    }
}

/// Somebody with an account, without anything secret.
///
/// ```
/// use bookhub_core::{Role, User, UserId, Username};
///
/// let now = jiff::Timestamp::now();
/// let user = User {
///     id: UserId::generate(now),
///     username: Username::new("alice").unwrap(),
///     email: None,
///     role: Role::User,
///     created_at: now,
/// };
/// assert!(serde_json::to_string(&user).unwrap().contains(r#""role":"user""#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name for ever.
    pub id: UserId,
    /// The name to log in with, as its owner writes it.
    pub username: Username,
    /// Where to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// What they may do.
    pub role: Role,
    /// Since when they have the account.
    pub created_at: Timestamp,
}

/// A user who is logged in somewhere, until they log out or it expires.
///
/// ```
/// use bookhub_core::{Accounts, Login, MemoryStore, Signup};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let accounts = Accounts::new(MemoryStore::shared());
/// # let json = json!({"username": "alice", "password": "correct horse"});
/// # let signup = Signup::from_json(json.as_object().unwrap()).unwrap();
/// let (user, session) = accounts.signup(signup).await.unwrap();
/// assert_eq!(session.user, user.id);
/// assert!(session.expires_at > session.created_at);
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Whoever knows it is logged in.
    pub id: SessionId,
    /// Who is logged in.
    pub user: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Which of the user's passwords it was opened with: see
    /// [`Account::admits`](crate::Account::admits).
    pub generation: u64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Session");
        shown.field("user", &self.user).field("expires_at", &self.expires_at);
        shown.finish_non_exhaustive()
    }
}
