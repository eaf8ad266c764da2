//! Accounts are deleted.

use std::sync::Arc;

use super::{
    concurrent::together,
    orders::order,
    people::{account, session, two_admins},
    samples::{all_fed, any_book, insert},
};
use crate::{
    Cart, CartLine, ChangeKind, Quantity, Role, Store, UserId, UserQuery, UserWriteError, Username,
};

/// An account goes with its cart and its sessions, which is one change; its orders stay, and so does all
/// that is others'.
pub async fn a_deleted_account_is_gone_with_what_was_its_own(store: Arc<dyn Store>) {
    let book = insert(&*store, any_book()).await;
    let line = CartLine { book: book.id, quantity: Quantity::new(2).expect("a quantity") };
    let cart = Cart::of([line]);
    let mut people = Vec::new();
    for (name, address) in [("alice", "alice@example.org"), ("bob", "bob@example.org")] {
        let account = store.insert_account(account(name, Some(address))).await.expect("inserted");
        let id = account.user.id;
        let sessions = [session(id, 60), session(id, 60)];
        for session in &sessions {
            store.open_session(session.clone()).await.expect("opened");
        }
        store.put_cart(id, cart.clone()).await.expect("put");
        let order = store.place_order(order(id, &[(book.id, 1)])).await.expect("placed");
        people.push((account, sessions, order));
    }
    let before = store.head().await.expect("a head");
    let [(alice, hers, her_order), (bob, his, his_order)] = &people[..] else { panic!("two") };
    assert_eq!(store.delete_account(alice.user.id).await.expect("deleted"), *alice);
    let again = store.delete_account(alice.user.id).await;
    assert!(matches!(again, Err(UserWriteError::NotFound)), "{again:?}");

    let name = Username::new("alice").expect("a name");
    assert_eq!(store.account(alice.user.id).await.expect("read"), None);
    assert_eq!(store.account_by_name(&name).await.expect("read"), None);
    assert_eq!(store.users(&UserQuery::default()).await.expect("a page").users.len(), 1);
    assert_eq!(store.cart(alice.user.id).await.expect("a cart"), Cart::default());
    assert_eq!(store.cart(bob.user.id).await.expect("a cart"), cart);
    for (sessions, last) in [(hers, false), (his, true)] {
        for session in sessions {
            let read = store.session(session.id).await.expect("read");
            assert_eq!(read.is_some(), last);
        }
    }
    for order in [her_order, his_order] {
        assert_eq!(store.order(order.id).await.expect("read").as_ref(), Some(order));
    }
    let told: Vec<_> = kinds(&*store, before).await;
    assert_eq!(told, [ChangeKind::UserDeleted { user: alice.user.id }]);
    // Another one may have her names, and has nothing else of hers.
    let new = account("Alice", Some("alice@example.org"));
    let new = store.insert_account(new).await.expect("the names are free");
    assert_eq!(store.cart(new.user.id).await.expect("a cart"), Cart::default());
}

/// Of many who delete an account one does; it is told once.
pub async fn an_account_is_deleted_once(store: Arc<dyn Store>) {
    let admins = two_admins(&*store).await;
    let alice = store.insert_account(account("alice", None)).await.expect("inserted").user.id;
    let before = store.head().await.expect("a head");
    for id in [alice, admins[0]] {
        let deleted = together(6, |_| {
            let store = Arc::clone(&store);
            async move { store.delete_account(id).await }
        });
        let deleted = deleted.await;
        let is_gone = |result: &&Result<_, _>| matches!(result, Err(UserWriteError::NotFound));
        assert_eq!(deleted.iter().filter(is_gone).count(), 5, "{deleted:?}");
        assert_eq!(deleted.iter().filter(|result| result.is_ok()).count(), 1);
    }
    let deleted = |user| ChangeKind::UserDeleted { user };
    assert_eq!(kinds(&*store, before).await, [deleted(alice), deleted(admins[0])]);
    let last = store.delete_account(admins[1]).await;
    assert!(matches!(last, Err(UserWriteError::LastAdmin)), "{last:?}");
    let still = store.account(admins[1]).await.expect("read").expect("an account");
    assert_eq!(still.user.role, Role::Admin);
}

/// However many delete and demote each other at the same time, one admin stays.
pub async fn one_admin_stays_whoever_is_deleted(store: Arc<dyn Store>) {
    for round in 0..4 {
        let admins = two_admins(&*store).await;
        for id in all_admins(&*store).await {
            if !admins.contains(&id) {
                store.delete_account(id).await.expect("there are others");
            }
        }
        let gone = together(2, |number| {
            let (store, id) = (Arc::clone(&store), admins[usize::from(number > 0)]);
            async move {
                match round % 2 == 0 && number == 0 {
                    true => store.set_role(id, Role::User).await.map(drop),
                    false => store.delete_account(id).await.map(drop),
                }
            }
        });
        let gone = gone.await;
        let is_last = |gone: &&Result<(), _>| matches!(gone, Err(UserWriteError::LastAdmin));
        assert_eq!(gone.iter().filter(is_last).count(), 1, "{gone:?}");
        assert_eq!(all_admins(&*store).await.len(), 1);
    }
}

async fn all_admins(store: &dyn Store) -> Vec<UserId> {
    let admins = UserQuery::default().with_role(Role::Admin);
    let admins = store.users(&admins).await.expect("a page").users;
    admins.into_iter().map(|user| user.id).collect()
}

async fn kinds(store: &dyn Store, after: crate::Position) -> Vec<ChangeKind> {
    let fed = all_fed(store, after).await;
    fed.iter().map(|change| change.kind.clone()).collect()
}
