//! Accounts and sessions are kept.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    concurrent::together,
    samples::{all_fed, epoch},
};
use crate::{
    Account, ChangeKind, Email, PageSize, PasswordHash, Role, Session, SessionId, Store, User,
    UserId, UserQuery, UserWriteError, Username,
};

/// Names that differ in letter case only are the same name.
pub async fn a_username_belongs_to_one_account(store: Arc<dyn Store>) {
    let alice = store.insert_account(account("Alice", None)).await.expect("inserted");
    let twin = store.insert_account(account("aLICE", None)).await;
    assert!(matches!(twin, Err(UserWriteError::UsernameTaken)));
    let name = Username::new("ALICE").expect("a name");
    let found = store.account_by_name(&name).await.expect("read").expect("an account");
    assert_eq!(found, alice);
    assert_eq!(found.user.username.as_str(), "Alice");
    assert_eq!(store.account(alice.user.id).await.expect("read"), Some(found));
    let missing = Username::new("bob").expect("a name");
    assert_eq!(store.account_by_name(&missing).await.expect("read"), None);
    assert_eq!(store.account(UserId::generate(epoch())).await.expect("read"), None);
}

/// Addresses are unique too, where there are any, and free again when they are given up.
pub async fn an_email_address_belongs_to_one_account(store: Arc<dyn Store>) {
    let address = Some("Alice@example.org");
    let alice = store.insert_account(account("alice", address)).await.expect("inserted");
    let twin = store.insert_account(account("bob", Some("alice@EXAMPLE.org"))).await;
    assert!(matches!(twin, Err(UserWriteError::EmailTaken)));
    let bob = store.insert_account(account("bob", None)).await.expect("inserted");
    store.insert_account(account("carol", None)).await.expect("inserted");
    let mut claim = Account::clone(&bob);
    claim.user.email.clone_from(&alice.user.email);
    let taken = store.update_account(claim.clone()).await;
    assert!(matches!(taken, Err(UserWriteError::EmailTaken)));
    let mut without = Account::clone(&alice);
    without.user.email = None;
    store.update_account(without).await.expect("updated");
    store.update_account(claim).await.expect("updated");
}

/// An account is replaced only by someone who has seen it as it is.
pub async fn an_account_is_updated_from_its_current_version(store: Arc<dyn Store>) {
    let alice = store.insert_account(account("alice", None)).await.expect("inserted");
    let mut update = Account::clone(&alice);
    update.generation = 2;
    update.kept_session = Some(SessionId::generate());
    update.password = PasswordHash::from_phc("$other".to_owned());
    let updated = store.update_account(update.clone()).await.expect("updated");
    assert_eq!(*updated, Account { version: 2, ..update.clone() });
    assert_eq!(store.account(alice.user.id).await.expect("read"), Some(updated));
    let stale = store.update_account(update).await;
    assert!(matches!(stale, Err(UserWriteError::VersionConflict)));
    let missing = store.update_account(account("bob", None)).await;
    assert!(matches!(missing, Err(UserWriteError::NotFound)));
}

/// Who may do more or less than before is told; other changes of an account are not.
pub async fn a_change_of_role_is_fed(store: Arc<dyn Store>) {
    let before = store.head().await.expect("a head");
    let alice = store.insert_account(account("alice", None)).await.expect("inserted");
    let mut update = Account::clone(&alice);
    update.user.email = Email::new("alice@example.org").ok();
    let mut update = Account::clone(&*store.update_account(update).await.expect("updated"));
    update.user.role = Role::Admin;
    store.update_account(update).await.expect("updated");
    let fed = all_fed(&*store, before).await;
    let kinds: Vec<_> = fed.iter().map(|change| &change.kind).collect();
    assert_eq!(kinds, [&ChangeKind::RoleChanged { user: alice.user.id, role: Role::Admin }]);
}

/// Accounts are listed by their names, in whatever letter case, and a walk meets each once.
pub async fn accounts_are_listed_by_their_names(store: Arc<dyn Store>) {
    let names = ["carol", "Alice", "bob", "dave.2", "dave-1", "Dave_3"];
    for name in names {
        let mut account = account(name, None);
        if name.len() == 5 {
            account.user.role = Role::Admin;
        }
        store.insert_account(account).await.expect("inserted");
    }
    let mut all = UserQuery::default().with_limit(PageSize::new(2).expect("a size"));
    let mut met = Vec::new();
    loop {
        let page = store.users(&all).await.expect("a page");
        assert!(page.users.len() <= 2);
        met.extend(page.users.into_iter().map(|user| user.username.as_str().to_owned()));
        let Some(next) = page.next else { break };
        all = all.after_name(next);
    }
    assert_eq!(met, ["Alice", "bob", "carol", "dave-1", "dave.2", "Dave_3"]);
    let admins = store.users(&UserQuery::default().with_role(Role::Admin)).await.expect("a page");
    let admins: Vec<_> = admins.users.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(admins, ["Alice", "carol"]);
}

/// Each account counts, whatever becomes of it.
pub async fn accounts_are_counted(store: Arc<dyn Store>) {
    assert_eq!(store.count_users().await.expect("counted"), 0);
    let alice = store.insert_account(account("alice", None)).await.expect("inserted");
    store.insert_account(account("Alice", None)).await.expect_err("taken");
    store.insert_account(account("bob", None)).await.expect("inserted");
    store.update_account(Account::clone(&alice)).await.expect("updated");
    assert_eq!(store.count_users().await.expect("counted"), 2);
}

/// A role is given and taken, which is told; who has it already has it.
pub async fn a_role_is_given_and_taken(store: Arc<dyn Store>) {
    let [alice, bob] = two_admins(&*store).await;
    let before = store.head().await.expect("a head");
    for role in [Role::User, Role::User, Role::Admin, Role::Admin] {
        let before = store.account(bob).await.expect("read");
        let changed = store.set_role(bob, role).await.expect("changed");
        assert_eq!(changed.after.user.role, role);
        assert_eq!(Some(changed.before), before);
        assert_eq!(store.account(bob).await.expect("read"), Some(changed.after));
    }
    let version = store.account(bob).await.expect("read").map(|account| account.version);
    assert_eq!(version, Some(3));
    let told = all_fed(&*store, before).await;
    let changed = |role| ChangeKind::RoleChanged { user: bob, role };
    let kinds: Vec<_> = told.iter().map(|change| change.kind.clone()).collect();
    assert_eq!(kinds, [changed(Role::User), changed(Role::Admin)]);

    store.set_role(bob, Role::User).await.expect("taken");
    let last = store.set_role(alice, Role::User).await;
    assert!(matches!(last, Err(UserWriteError::LastAdmin)), "{last:?}");
    store.set_role(alice, Role::Admin).await.expect("she has it");
    let missing = store.set_role(UserId::generate(epoch()), Role::User).await;
    assert!(matches!(missing, Err(UserWriteError::NotFound)), "{missing:?}");
}

/// However many take the role from each other at the same time, one admin stays.
pub async fn one_admin_stays(store: Arc<dyn Store>) {
    let admins = two_admins(&*store).await;
    for _ in 0..8 {
        let taken = together(2, |number| {
            let (store, id) = (Arc::clone(&store), admins[usize::from(number > 0)]);
            async move { store.set_role(id, Role::User).await }
        });
        let taken = taken.await;
        let is_last = |taken: &&Result<_, _>| matches!(taken, Err(UserWriteError::LastAdmin));
        assert_eq!(taken.iter().filter(is_last).count(), 1, "{taken:?}");
        let left = store.users(&UserQuery::default().with_role(Role::Admin)).await.expect("a page");
        assert_eq!(left.users.len(), 1);
        for admin in admins {
            store.set_role(admin, Role::Admin).await.expect("given");
        }
    }
}

pub(super) async fn two_admins(store: &dyn Store) -> [UserId; 2] {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let name = format!("a{}", &uuid::Uuid::now_v7().simple().to_string()[..30]);
        let mut account = account(&name, None);
        account.user.role = Role::Admin;
        ids.push(store.insert_account(account).await.expect("inserted").user.id);
    }
    [ids[0], ids[1]]
}

/// A session is there until it is ended, which is told once.
pub async fn a_session_lasts_until_it_is_ended(store: Arc<dyn Store>) {
    let before = store.head().await.expect("a head");
    let session = session(UserId::generate(epoch()), 60);
    store.open_session(session.clone()).await.expect("opened");
    assert_eq!(store.session(session.id).await.expect("read"), Some(session.clone()));
    assert!(store.end_session(session.id).await.expect("ended"));
    assert_eq!(store.session(session.id).await.expect("read"), None);
    assert!(!store.end_session(session.id).await.expect("ended"));
    let fed = all_fed(&*store, before).await;
    let ended = ChangeKind::SessionEnded { session: session.id };
    assert_eq!(fed.iter().map(|change| &change.kind).collect::<Vec<_>>(), [&ended]);
}

/// All sessions of a user but one can be ended, and nobody else's.
pub async fn all_sessions_but_one_can_be_ended(store: Arc<dyn Store>) {
    let (alice, bob) = (UserId::generate(epoch()), UserId::generate(epoch()));
    let sessions = [alice, alice, alice, bob].map(|user| session(user, 60));
    for session in &sessions {
        store.open_session(session.clone()).await.expect("opened");
    }
    let before = store.head().await.expect("a head");
    assert_eq!(store.end_sessions(alice, Some(sessions[1].id)).await.expect("ended"), 2);
    for (session, lasts) in sessions.iter().zip([false, true, false, true]) {
        assert_eq!(store.session(session.id).await.expect("read").is_some(), lasts);
    }
    assert_eq!(all_fed(&*store, before).await.len(), 2);
    assert_eq!(store.end_sessions(alice, None).await.expect("ended"), 1);
    assert_eq!(store.end_sessions(alice, None).await.expect("ended"), 0);
}

/// Expired sessions can be forgotten; that is told to nobody.
pub async fn expired_sessions_can_be_forgotten(store: Arc<dyn Store>) {
    let user = UserId::generate(epoch());
    let (short, long) = (session(user, 60), session(user, 120));
    store.open_session(short.clone()).await.expect("opened");
    store.open_session(long.clone()).await.expect("opened");
    let before = store.head().await.expect("a head");
    let now = epoch() + SignedDuration::from_secs(60);
    store.purge_sessions(now).await.expect("purged");
    assert_eq!(store.session(short.id).await.expect("read"), None);
    assert_eq!(store.session(long.id).await.expect("read"), Some(long));
    assert_eq!(all_fed(&*store, before).await, []);
}

pub(super) fn account(name: &str, email: Option<&str>) -> Account {
    let user = User {
        id: UserId::generate(epoch()),
        username: Username::new(name).expect("a name"),
        email: email.map(|email| Email::new(email).expect("an address")),
        role: Role::User,
        created_at: epoch(),
    };
    let password = PasswordHash::from_phc("$argon2id$".to_owned());
    Account { user, password, version: 1, generation: 1, kept_session: None }
}

pub(super) fn session(user: UserId, seconds: i64) -> Session {
    Session {
        id: SessionId::generate(),
        user,
        created_at: epoch(),
        expires_at: epoch() + SignedDuration::from_secs(seconds),
        generation: 1,
    }
}
