use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicI64, Ordering},
};

use futures_util::{StreamExt, future::join_all};

use super::*;
use crate::{
    change::ChangeKind,
    store::{Feed, MemoryStore, UserStore},
    user::{Email, Password, TypedPassword},
};

const PASSWORD: &str = "correct horse";

/// Accounts whose clock shows the second that is in the second part.
fn accounts(config: &AccountsConfig) -> (Accounts, Arc<AtomicI64>, Arc<MemoryStore>) {
    let (second, store) = (Arc::new(AtomicI64::new(1_700_000_000)), MemoryStore::shared());
    let shown = Arc::clone(&second);
    let clock =
        Clock::from_fn(move || Timestamp::from_second(shown.load(Ordering::Relaxed)).unwrap());
    (Accounts::with_config(store.clone(), clock, config), second, store)
}

fn weak() -> AccountsConfig {
    AccountsConfig { hash_cost: HashCost::WEAK, queue: 1000, ..AccountsConfig::default() }
}

fn signup(name: &str) -> Signup {
    Signup {
        username: Username::new(name).unwrap(),
        password: Password::new(PASSWORD).unwrap(),
        email: None,
    }
}

fn new_password(current: &str, new: &str) -> ProfileUpdate {
    let password = Some((TypedPassword::new(current), Password::new(new).unwrap()));
    ProfileUpdate { email: None, password }
}

#[tokio::test]
async fn a_login_needs_the_right_name_and_password() {
    let (accounts, ..) = accounts(&weak());
    let (alice, first) = accounts.signup(signup("Alice")).await.unwrap();
    assert_eq!(alice.role, Role::User);
    let (user, second) = accounts.login(Login::new("aLICE", PASSWORD)).await.unwrap();
    assert_eq!(user, alice);
    assert_ne!(first.id, second.id);
    let long = "x".repeat(1_000_000);
    for (name, password) in [
        ("alice", "correct hors"),
        ("alice", "Correct horse"),
        ("alice", ""),
        ("alice", &long),
        ("bob", PASSWORD),
        ("not a name", PASSWORD),
        ("", ""),
    ] {
        let refused = accounts.login(Login::new(name, password)).await;
        assert!(matches!(refused, Err(AccountsError::WrongCredentials)), "{name}");
    }
}

#[tokio::test]
async fn names_and_addresses_are_taken_once() {
    let (accounts, ..) = accounts(&weak());
    let email = Email::new("alice@example.org").ok();
    let alice = Signup { email: email.clone(), ..signup("alice") };
    accounts.signup(alice.clone()).await.unwrap();
    let again = accounts.signup(signup("ALICE")).await;
    assert!(matches!(again, Err(AccountsError::UsernameTaken)));
    let bob = accounts.signup(Signup { email, ..signup("bob") }).await;
    assert!(matches!(bob, Err(AccountsError::EmailTaken)));
    let carols = join_all((0..8).map(|_| accounts.signup(signup("carol")))).await;
    assert_eq!(carols.iter().filter(|carol| carol.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_session_ends_by_logout_and_by_time() {
    let (accounts, second, _) = accounts(&weak());
    let (alice, one) = accounts.signup(signup("alice")).await.unwrap();
    let (_, two) = accounts.login(Login::new("alice", PASSWORD)).await.unwrap();
    assert_eq!(accounts.authenticate(one.id).await.unwrap(), (alice, one.clone()));
    accounts.logout(one.id).await.unwrap();
    accounts.logout(one.id).await.unwrap();
    let ended = |result| matches!(result, Err(AccountsError::SessionEnded));
    assert!(ended(accounts.authenticate(one.id).await));
    assert!(accounts.authenticate(two.id).await.is_ok());
    let almost = 7 * 24 * 3600 - 1;
    second.fetch_add(almost, Ordering::Relaxed);
    assert!(accounts.authenticate(two.id).await.is_ok());
    second.fetch_add(1, Ordering::Relaxed);
    assert!(ended(accounts.authenticate(two.id).await));
    assert!(ended(accounts.authenticate(SessionId::generate()).await));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_says_so() {
    let (accounts, _, store) = accounts(&weak());
    let (_, kept) = accounts.signup(signup("alice")).await.unwrap();
    let (_, other) = accounts.login(Login::new("alice", PASSWORD)).await.unwrap();
    let wrong = accounts.update_profile(kept.id, new_password("wrong", "battery staple")).await;
    assert!(matches!(wrong, Err(AccountsError::WrongPassword)));
    assert!(accounts.authenticate(other.id).await.is_ok());

    let head = store.head().await.unwrap();
    accounts.update_profile(kept.id, new_password(PASSWORD, "battery staple")).await.unwrap();
    assert!(accounts.authenticate(kept.id).await.is_ok());
    assert!(accounts.authenticate(other.id).await.is_err());
    let told = store.changes(head).next().await.unwrap().unwrap();
    assert_eq!(told.kind, ChangeKind::SessionEnded { session: other.id });

    assert!(accounts.login(Login::new("alice", PASSWORD)).await.is_err());
    let (_, third) = accounts.login(Login::new("alice", "battery staple")).await.unwrap();
    accounts.update_profile(third.id, new_password("battery staple", PASSWORD)).await.unwrap();
    assert!(accounts.authenticate(kept.id).await.is_err(), "only the last one is kept");
    assert!(accounts.authenticate(third.id).await.is_ok());
}

#[tokio::test]
async fn a_session_of_an_old_password_does_not_slip_in_late() {
    let (accounts, _, store) = accounts(&weak());
    let (alice, kept) = accounts.signup(signup("alice")).await.unwrap();
    let before = store.account(alice.id).await.unwrap().unwrap();
    accounts.update_profile(kept.id, new_password(PASSWORD, "battery staple")).await.unwrap();
    // A login that had checked the old password before the change, and opens its session after.
    let late = accounts.open_session(&before).await.unwrap();
    assert!(accounts.authenticate(late.id).await.is_err());
}

#[tokio::test]
async fn an_address_can_be_set_and_removed() {
    let (accounts, ..) = accounts(&weak());
    let (_, session) = accounts.signup(signup("alice")).await.unwrap();
    for email in [Email::new("alice@example.org").ok(), None] {
        let update = ProfileUpdate { email: Some(email.clone()), password: None };
        assert_eq!(accounts.update_profile(session.id, update).await.unwrap().email, email);
    }
}

#[tokio::test]
async fn an_admin_is_made_once() {
    let (accounts, ..) = accounts(&weak());
    let made = accounts.ensure_admin(signup("admin")).await.unwrap();
    let Ensured::Created(admin) = made else { panic!("{made:?}") };
    assert_eq!(admin.role, Role::Admin);
    assert_eq!(accounts.ensure_admin(signup("Admin")).await.unwrap(), Ensured::Existing(admin));
    let again = accounts.create_admin(signup("admin")).await;
    assert!(matches!(again, Err(AccountsError::UsernameTaken)));
}

#[tokio::test]
async fn a_login_at_an_account_that_is_being_deleted_does_not_slip_in_late() {
    let (accounts, _, store) = accounts(&weak());
    let (alice, session) = accounts.signup(signup("alice")).await.unwrap();
    let before = store.account(alice.id).await.unwrap().unwrap();
    let wrong = accounts.delete_own(session.id, TypedPassword::new("wrong")).await;
    assert!(matches!(wrong, Err(AccountsError::WrongPassword)));
    accounts.delete_own(session.id, TypedPassword::new(PASSWORD)).await.unwrap();
    // It had checked the password before, and opens its session after.
    let late = accounts.open_session(&before).await.unwrap();
    for ended in [late.id, session.id] {
        let refused = accounts.authenticate(ended).await;
        assert!(matches!(refused, Err(AccountsError::SessionEnded)));
    }
    let gone = accounts.delete(alice.id).await;
    assert!(matches!(gone, Err(AccountsError::NotFound(id)) if id == alice.id));
}

#[tokio::test]
async fn too_many_logins_at_once_are_told_so() {
    let config = AccountsConfig { hashers: NonZeroUsize::MIN, queue: 2, ..weak() };
    let (accounts, ..) = accounts(&config);
    let logins = join_all((0..10).map(|_| accounts.login(Login::new("alice", PASSWORD)))).await;
    let busy = logins.iter().filter(|login| matches!(login, Err(AccountsError::Busy))).count();
    assert_eq!(busy, 7, "one is checked, two wait");
    let later = accounts.login(Login::new("alice", PASSWORD)).await;
    assert!(matches!(later, Err(AccountsError::WrongCredentials)), "the queue has drained");
}

#[tokio::test]
async fn a_password_is_kept_as_owasp_advises() {
    let config = AccountsConfig::default();
    let (accounts, _, store) = accounts(&config);
    let (alice, _) = accounts.signup(signup("alice")).await.unwrap();
    let account = store.account(alice.id).await.unwrap().unwrap();
    assert!(account.password.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_password_that_is_guessed_soon_is_refused_where_it_is_chosen() {
    let (accounts, ..) = accounts(&weak());
    let weak = |text| Signup { password: Password::new(text).unwrap(), ..signup("alice") };
    for guessable in ["password1", "alicealice"] {
        let refused = accounts.signup(weak(guessable)).await.unwrap_err();
        let AccountsError::Invalid(invalid) = refused else { panic!("{refused}") };
        assert_eq!(invalid.errors()[0].field, "password");
    }
    assert!(matches!(
        accounts.create_admin(weak("password1")).await,
        Err(AccountsError::Invalid(_))
    ));
    let (_, session) = accounts.signup(signup("alice")).await.unwrap();
    let change = accounts.update_profile(session.id, new_password(PASSWORD, "alicealice")).await;
    assert!(matches!(change, Err(AccountsError::Invalid(_))));
    accounts.login(Login::new("alice", PASSWORD)).await.unwrap();
    // The operator's own choice is judged where it is set.
    let development = Signup { password: Password::new("admin123").unwrap(), ..signup("admin") };
    assert!(matches!(accounts.ensure_admin(development).await, Ok(Ensured::Created(_))));
}

#[tokio::test]
async fn a_password_is_kept_as_is_done_today_once_its_owner_logs_in() {
    let (old, _, store) = accounts(&weak());
    let (alice, session) = old.signup(signup("alice")).await.unwrap();
    let kept = async || store.account(alice.id).await.unwrap().unwrap();
    let before = kept().await;
    let hash_cost = HashCost { memory_kib: 16, passes: 2 };
    let config = AccountsConfig { hash_cost, ..weak() };
    let clock = Clock::from_fn(|| Timestamp::from_second(1_700_000_000).unwrap());
    let now = Accounts::with_config(store.clone(), clock, &config);

    now.login(Login::new("alice", "wrong horse")).await.unwrap_err();
    assert_eq!(kept().await, before, "who is not let in changes nothing");
    now.login(Login::new("alice", PASSWORD)).await.unwrap();
    let after = kept().await;
    assert!(after.password.as_phc().contains("m=16,t=2"), "{}", after.password.as_phc());
    now.login(Login::new("alice", PASSWORD)).await.unwrap();
    assert_eq!(kept().await, after, "once is enough");
    // Nobody is logged out by it, and where less is asked for, more stays.
    old.authenticate(session.id).await.unwrap();
    old.login(Login::new("alice", PASSWORD)).await.unwrap();
    assert_eq!(kept().await, after);
}
