//! What [`Accounts`](crate::Accounts) answers when it cannot do what was asked.

use super::{Invalid, StoreError, UserWriteError};
use crate::user::UserId;

/// Why an account could not be made, used or changed.
///
/// ```
/// use bookhub_core::{Accounts, AccountsError, Login, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let accounts = Accounts::new(MemoryStore::shared());
/// let refused = accounts.login(Login::new("nobody", "whatever")).await.unwrap_err();
/// assert!(matches!(refused, AccountsError::WrongCredentials));
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The caller's request is wrong in one or more fields. Correct them.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The caller chose a name that somebody has, perhaps in other letter case. Choose another.
    #[error("This username is taken: choose another.")]
    UsernameTaken,
    /// The caller gave an address that another account has. Log in to that one, or use another.
    #[error("This email address belongs to another account.")]
    EmailTaken,
    /// The caller's name and password do not belong together. Whether the name exists is not said.
    #[error("Wrong username or password.")]
    WrongCredentials,
    /// The caller is logged in and wants to change the password, but gave a wrong current one.
    #[error("The current password is wrong.")]
    WrongPassword,
    /// The caller's session never was, has expired, was logged out, or ended with a change of
    /// password. Log in again.
    #[error("The session has ended: log in again.")]
    SessionEnded,
    /// The account was changed by somebody else at the same time. Try again.
    #[error("The account was changed in the meantime: try again.")]
    Conflict,
    /// The caller named an account that does not exist. Nothing to retry.
    #[error("There is no user {0}.")]
    NotFound(UserId),
    /// The caller would leave the shop without an administrator. Make another one first.
    #[error("This is the last administrator: make another one first.")]
    LastAdmin,
    /// The caller would make the first administrator, but there is one. Ask that one.
    #[error("There is an administrator already: ask them to make another one.")]
    AdminExists,
    /// Too many passwords are being checked at this moment. Wait a second and try again.
    #[error("Too many logins at this moment: try again in a second.")]
    Busy,
    /// A password could not be hashed: a fault of this program or this machine. Logged; try again.
    #[error("The password could not be checked: {0}")]
    Hashing(String),
    /// The store failed; the caller is not at fault and may retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<UserWriteError> for AccountsError {
    fn from(error: UserWriteError) -> Self {
        match error {
            UserWriteError::UsernameTaken => Self::UsernameTaken,
            UserWriteError::EmailTaken => Self::EmailTaken,
            UserWriteError::NotFound => Self::SessionEnded,
            UserWriteError::VersionConflict => Self::Conflict,
            UserWriteError::LastAdmin => Self::LastAdmin,
            UserWriteError::Store(error) => Self::Store(error),
        }
    }
}
