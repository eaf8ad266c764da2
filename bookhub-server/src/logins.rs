//! The logins of the hub's connections, looked at anew: what the feed has lost may have ended some.

use std::{cell::RefCell, collections::HashSet, time::Duration};

use bookhub_core::{Accounts, AccountsError, Role, StoreError};
use bookhub_realtime::Hub;
use tokio::time::sleep;

/// How long to wait for a store that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The session of a connection, and whether it has the rights of an administrator.
type Login = (String, bool);

/// Ends every connection whose session has ended, or whose user has another role than when it was
/// opened. Waits for the store as long as it takes.
pub(crate) async fn check(hub: &Hub, accounts: &Accounts) {
    let mut left = open(hub);
    while !left.is_empty() {
        let mut later = HashSet::new();
        for (session, is_admin) in left {
            if let Err(error) = check_one(hub, accounts, &session, is_admin).await {
                tracing::warn!(%error, "it is looked later whether a login has ended");
                later.insert((session, is_admin));
            }
        }
        left = later;
        if !left.is_empty() {
            sleep(RETRY).await;
        }
    }
}

/// What is open. Connections that are just being opened ask for their login once more, as after every
/// revocation.
fn open(hub: &Hub) -> HashSet<Login> {
    let logins = RefCell::new(HashSet::new());
    hub.revoke(|identity| {
        let login = |session: &str| (session.to_owned(), identity.has_role("admin"));
        logins.borrow_mut().extend(identity.session().map(login));
        false
    });
    logins.into_inner()
}

async fn check_one(
    hub: &Hub,
    accounts: &Accounts,
    session: &str,
    is_admin: bool,
) -> Result<(), AccountsError> {
    let still = match session.parse() {
        Ok(id) => match accounts.authenticate(id).await {
            Ok((user, _)) => (user.role == Role::Admin) == is_admin,
            Err(error @ AccountsError::Store(StoreError::Unavailable(_))) => return Err(error),
            // A login of which nobody can say that it lasts does not.
            Err(_) => false,
        },
        Err(_) => false,
    };
    if !still {
        hub.revoke(|open| open.session() == Some(session) && open.has_role("admin") == is_admin);
    }
    Ok(())
}
