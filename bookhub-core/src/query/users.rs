//! Which accounts an admin asks for ([`UserQuery`]), and what they get ([`UserPage`]).

use super::{PageSize, read_query, unknown};
use crate::{
    error::{BadValue, Invalid},
    user::{Role, User, Username},
};

/// Which accounts an admin wants to see, by their usernames: with which role, how many, and behind
/// which name.
///
/// ```
/// use bookhub_core::{Role, UserQuery};
///
/// let query = UserQuery::parse([("role", "admin"), ("cursor", "asha")]).unwrap();
/// assert_eq!(query.role(), Some(Role::Admin));
/// assert_eq!(query.after().map(|name| name.key()), Some("asha".to_owned()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserQuery {
    role: Option<Role>,
    limit: PageSize,
    after: Option<Username>,
}

impl UserQuery {
    /// Reads the parameters of a query: `role`, `limit` and `cursor`, each at most once. A blank
    /// `role` asks for nothing.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        read_query(parameters, Self::read)
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), BadValue> {
        match name {
            "role" => {
                let said = !value.trim().is_empty();
                self.role = said.then(|| value.parse()).transpose()?;
            }
            "limit" => self.limit = value.parse()?,
            "cursor" => self.after = Some(value.parse()?),
            _ => return Err(unknown("role, limit, cursor")),
        }
        Ok(())
    }

    /// This query, but only users with this role.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// This query with pages of this size.
    #[must_use]
    pub fn with_limit(mut self, limit: PageSize) -> Self {
        self.limit = limit;
        self
    }

    /// This query from behind a name on.
    #[must_use]
    pub fn after_name(mut self, name: Username) -> Self {
        self.after = Some(name);
        self
    }

    /// With which role; `None` for any.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// At most how many.
    #[must_use]
    pub fn limit(&self) -> PageSize {
        self.limit
    }

    /// Behind which name.
    #[must_use]
    pub fn after(&self) -> Option<&Username> {
        self.after.as_ref()
    }
}

/// One page of the answer to a [`UserQuery`].
///
/// ```
/// use bookhub_core::{MemoryStore, UserQuery, UserStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let page = MemoryStore::new().users(&UserQuery::default()).await.unwrap();
/// assert!(page.users.is_empty() && page.next.is_none());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// The users, by [`Username::key`].
    pub users: Vec<User>,
    /// The name behind which the next page begins; `None` if this is the last one.
    pub next: Option<Username>,
}

impl UserPage {
    /// The first `most` of these users, of which there may be more.
    pub(crate) fn of(mut users: Vec<User>, most: usize) -> Self {
        let more = users.len() > most;
        users.truncate(most);
        let next = users.last().filter(|_| more).map(|user| user.username.clone());
        Self { users, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_parameter_is_named() {
        for (name, value) in
            [("role", "king"), ("limit", "0"), ("cursor", "al"), ("cursor", "a b"), ("q", "alice")]
        {
            let invalid = UserQuery::parse([(name, value)]).unwrap_err();
            assert_eq!(invalid.errors()[0].field, name, "{value}");
        }
        assert!(UserQuery::parse([("limit", "1"), ("limit", "1")]).is_err());
        assert_eq!(UserQuery::parse([("role", " ")]), Ok(UserQuery::default()));
    }
}
