//! Who changes something.

use serde::Serialize;

use crate::user::{User, UserId, Username};

/// How much of the name of a machine's user is kept.
const MOST_CHARACTERS: usize = 100;

/// Who makes a change: what the services are told with `by`, as [`Catalog::by`](crate::Catalog::by).
///
/// ```
/// use bookhub_core::Actor;
///
/// let root = Actor::command_line("root");
/// assert_eq!(serde_json::to_string(&root).unwrap(), r#"{"kind":"command_line","user":"root"}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actor {
    /// Somebody who is logged in.
    User {
        /// Their account.
        id: UserId,
        /// What they were called.
        username: Username,
    },
    /// Somebody at a command line, straight on the database.
    CommandLine {
        /// Who they are on their machine, as far as that has said: nothing that was proved.
        user: String,
    },
    /// The shop itself.
    #[default]
    System,
}

impl Actor {
    /// Whoever has this name on the machine where the command line runs.
    #[must_use]
    pub fn command_line(user: &str) -> Self {
        let user = user.trim().chars().filter(|c| !c.is_control()).take(MOST_CHARACTERS);
        Self::CommandLine { user: user.collect() }
    }
}

impl From<&User> for Actor {
    fn from(user: &User) -> Self {
        Self::User { id: user.id, username: user.username.clone() }
    }
}
