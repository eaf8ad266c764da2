//! An order that is sent again is placed once.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    concurrent::together,
    orders::{buyer, copies, listed, moved, now, order, shortages, stock},
    samples::{all_fed, any_book, insert, retitle},
};
use crate::{
    BookId, Fingerprint, IdempotencyKey, NewOrder, OrderId, OrderQuery, OrderStatus,
    OrderWriteError, Store, UserId,
};

/// A repeat gets the order as it was placed, whatever became of it, and takes nothing.
pub async fn a_repeat_gets_the_order_as_it_was_placed(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let new = keyed(buyer(), "one", &[(emma.id, 2)]);
    let placed = store.place_order(new.clone()).await.expect("placed");
    let before = store.head().await.expect("a head");
    assert_eq!(store.place_order(again(&new)).await.expect("repeated"), placed);
    assert_eq!(all_fed(&*store, before).await, []);
    assert_eq!(stock(&*store, emma.id).await, 3);
    moved(&*store, &placed, OrderStatus::Cancelled).await.expect("cancelled");
    store.delete_book(emma.id, None).await.expect("deleted");
    assert_eq!(store.place_order(again(&new)).await.expect("repeated"), placed);
    assert_eq!(listed(&*store, &OrderQuery::default()).await.len(), 1);
}

/// A repeat of what was refused is refused in the same words, though it could be had by now.
pub async fn a_repeat_gets_the_same_refusal(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let user = buyer();
    let much = keyed(user, "much", &[(emma.id, 6)]);
    let refused = shortages(store.place_order(much.clone()).await.expect_err("too few"));
    let mut cheap = keyed(user, "cheap", &[(emma.id, 1)]);
    cheap.lines[0].expected_price = "1".parse().ok();
    let Err(OrderWriteError::PriceChanged(changed)) = store.place_order(cheap.clone()).await else {
        panic!("the price is another one");
    };
    store.adjust_stock(emma.id, 10).await.expect("filled");
    let mut update = retitle(&emma, "Emma");
    update.content = update.content.map(|mut content| {
        content.price = "1".parse().expect("a price");
        content
    });
    store.update_book(emma.id, 1, update).await.expect("updated");
    let repeated = store.place_order(again(&much)).await.expect_err("a repeat");
    assert_eq!(shortages(repeated), refused);
    let repeated = store.place_order(again(&cheap)).await;
    let same = matches!(&repeated, Err(OrderWriteError::PriceChanged(told)) if *told == changed);
    assert!(same, "{repeated:?}");
    assert_eq!(stock(&*store, emma.id).await, 15);
    let anew = keyed(user, "another", &[(emma.id, 6)]);
    store.place_order(anew).await.expect("placed");
}

/// A key that is used for something else is refused, and takes nothing.
pub async fn a_key_is_not_used_for_something_else(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let new = keyed(buyer(), "one", &[(emma.id, 1)]);
    let placed = store.place_order(new.clone()).await.expect("placed");
    let mut other = again(&new);
    other.lines[0].quantity = copies(2);
    other.idempotency = other.idempotency.map(|(key, _)| (key, Fingerprint::from_bytes([2; 32])));
    let refused = store.place_order(other).await;
    assert!(matches!(refused, Err(OrderWriteError::KeyReused)), "{refused:?}");
    assert_eq!(stock(&*store, emma.id).await, 4);
    assert_eq!(store.place_order(again(&new)).await.expect("repeated"), placed);
}

/// Keys of different users are different keys, and an order without one is never a repeat.
pub async fn keys_of_different_users_never_meet(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let (alice, bob) = (buyer(), buyer());
    let orders = [
        keyed(alice, "one", &[(emma.id, 1)]),
        keyed(bob, "one", &[(emma.id, 1)]),
        keyed(alice, "One", &[(emma.id, 1)]),
        order(alice, &[(emma.id, 1)]),
        order(alice, &[(emma.id, 1)]),
    ];
    for new in orders {
        let (id, user) = (new.id, new.user);
        let placed = store.place_order(new).await.expect("placed");
        assert_eq!((placed.id, placed.user), (id, user));
    }
    assert_eq!(stock(&*store, emma.id).await, 0);
}

/// A key that is a day old is a new one.
pub async fn a_key_is_forgotten_after_its_lifetime(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let new = keyed(buyer(), "one", &[(emma.id, 1)]);
    let first = store.place_order(new.clone()).await.expect("placed");
    let mut later = again(&new);
    later.created_at += IdempotencyKey::LIFETIME - SignedDuration::from_millis(1);
    assert_eq!(store.place_order(later.clone()).await.expect("repeated"), first);
    later.created_at += SignedDuration::from_millis(1);
    let second = store.place_order(later.clone()).await.expect("placed");
    assert_eq!(second.id, later.id);
    assert_eq!(store.place_order(again(&later)).await.expect("repeated"), second);
    assert_eq!(stock(&*store, emma.id).await, 3);
    assert_eq!(listed(&*store, &OrderQuery::default()).await, [second, first]);
}

/// Of many repeats at once one places the order; each of the others gets it, or is told to wait.
pub async fn repeats_at_once_place_one_order(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let new = keyed(buyer(), "one", &[(emma.id, 2)]);
    let results = together(16, |_| {
        let (store, new) = (Arc::clone(&store), again(&new));
        async move { store.place_order(new).await }
    });
    let results = results.await;
    let placed = store.place_order(again(&new)).await.expect("repeated");
    assert!(results.iter().any(Result::is_ok));
    for result in results {
        match result {
            Ok(told) => assert_eq!(told, placed),
            Err(OrderWriteError::InFlight) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(stock(&*store, emma.id).await, 3);
    assert_eq!(listed(&*store, &OrderQuery::default()).await, [placed]);
}

/// An order with this key.
fn keyed(user: UserId, key: &str, lines: &[(BookId, i64)]) -> NewOrder {
    let key = key.parse().expect("a key");
    let idempotency = Some((key, Fingerprint::from_bytes([1; 32])));
    NewOrder { idempotency, ..order(user, lines) }
}

/// The same order, sent again.
fn again(order: &NewOrder) -> NewOrder {
    NewOrder { id: OrderId::generate(now()), ..order.clone() }
}
