//! Changes are fed.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;

use super::samples::{all_fed, any_book, book, insert, isbn, next, rename, retitle, take};
use crate::{ChangeKind, Position, Store};

/// Each write is one change, in the order of the writes, with the book as it was after it.
pub async fn changes_are_fed_in_order_and_once(store: Arc<dyn Store>) {
    let before = store.head().await.expect("a head");
    let emma = insert(&*store, any_book()).await;
    let many = store.insert_books(vec![any_book(), any_book()]).await.expect("inserted");
    let renamed = rename(&*store, &emma, "Emma, revised").await;
    let sold = store.adjust_stock(emma.id, -1).await.expect("sold");
    store.delete_book(emma.id, None).await.expect("deleted");
    let mut expected = vec![ChangeKind::BookCreated(emma)];
    expected.extend(many.into_iter().map(|book| ChangeKind::BookCreated(book.expect("inserted"))));
    expected.extend([ChangeKind::BookUpdated(renamed), ChangeKind::BookUpdated(Arc::clone(&sold))]);
    expected.push(ChangeKind::BookDeleted(sold.id));

    let fed = all_fed(&*store, before).await;
    let kinds: Vec<_> = fed.iter().map(|change| change.kind.clone()).collect();
    assert_eq!(kinds, expected);
    assert!(fed.is_sorted_by(|one, next| one.position < next.position));
    assert!(before < fed[0].position);
    assert!(store.head().await.expect("a head") > fed[fed.len() - 1].position);
}

/// From behind any change the rest follows, without gap or repeat.
pub async fn a_reader_goes_on_from_any_position(store: Arc<dyn Store>) {
    for number in 0..10 {
        insert(&*store, book("Emma", "Jane Austen", number)).await;
    }
    let all = take(&mut store.changes(Position::START), 10).await;
    for (index, change) in all.iter().enumerate() {
        let rest = take(&mut store.changes(change.position), 9 - index).await;
        assert_eq!(rest, all[index + 1..]);
    }
}

/// A reader who has read everything waits, and then gets what is new.
pub async fn a_waiting_reader_hears_of_the_next_change(store: Arc<dyn Store>) {
    insert(&*store, any_book()).await;
    let mut changes = store.changes(Position::START);
    next(&mut changes).await;
    let waited = tokio::time::timeout(Duration::from_millis(50), changes.next()).await;
    assert!(waited.is_err(), "there is nothing new: {waited:?}");
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { insert(&*store, any_book()).await }
    });
    let change = next(&mut changes).await;
    assert_eq!(change.kind, ChangeKind::BookCreated(writing.await.expect("written")));
}

/// What failed, or changed nothing, is not told to anybody.
pub async fn a_failed_write_is_not_fed(store: Arc<dyn Store>) {
    let mut emma = any_book();
    emma.content.isbn = Some(isbn(1));
    let emma = insert(&*store, emma).await;
    let (before, gone) = (store.head().await.expect("a head"), any_book());
    let mut twin = any_book();
    twin.content.isbn = Some(isbn(1));
    store.insert_book(twin.clone()).await.expect_err("taken");
    let many = store.insert_books(vec![twin]).await.expect("tried");
    assert!(many[0].is_err());
    store.update_book(emma.id, 7, retitle(&emma, "Lost")).await.expect_err("stale");
    store.update_book(gone.id, 1, retitle(&gone, "Lost")).await.expect_err("missing");
    store.adjust_stock(emma.id, -6).await.expect_err("below zero");
    store.delete_book(emma.id, Some(7)).await.expect_err("stale");
    store.delete_book(gone.id, None).await.expect_err("missing");
    assert!(!store.end_session(crate::SessionId::generate()).await.expect("tried"));
    assert_eq!(all_fed(&*store, before).await, []);
}

/// A feed has one life while its store lives.
pub async fn the_epoch_stays(store: Arc<dyn Store>) {
    let epoch = store.epoch().await.expect("an epoch");
    insert(&*store, any_book()).await;
    assert_eq!(store.epoch().await.expect("an epoch"), epoch);
    assert!(!epoch.as_str().is_empty());
}
