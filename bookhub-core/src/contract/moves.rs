//! Orders are moved along.

use std::sync::Arc;

use super::{
    concurrent::together,
    orders::{buyer, current, later, moved, order, stock, two_books},
    samples::{any_book, epoch, insert},
};
use crate::{OrderId, OrderStatus, OrderWriteError, Store};

/// An order that is cancelled puts its copies back, once, however many cancel it at once.
pub async fn a_cancelled_order_puts_its_copies_back_once(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let new = order(buyer(), &[(emma.id, 2), (emil.id, 1)]);
    let placed = store.place_order(new).await.expect("placed");
    let results = together(8, |_| {
        let (store, placed) = (Arc::clone(&store), Arc::clone(&placed));
        async move { moved(&*store, &placed, OrderStatus::Cancelled).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let is_told = |result: &Result<_, _>| {
        matches!(result, Err(OrderWriteError::VersionConflict { current: 2 }))
    };
    assert!(lost.iter().all(is_told), "{lost:?}");
    let cancelled = won[0].as_ref().expect("won");
    assert_eq!(**cancelled, placed.moved_to(OrderStatus::Cancelled, later(&placed)));
    assert!(moved(&*store, cancelled, OrderStatus::Cancelled).await.is_err());
    for book in [&emma, &emil] {
        let now = current(&*store, book.id).await;
        assert_eq!((now.stock, now.stock_version, now.version), (book.stock, 3, 1));
    }
}

/// An order goes from placed to shipped to delivered, step by step and from its current version.
pub async fn an_order_moves_along_its_statuses(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let missing = OrderId::generate(epoch());
    let missing = store.set_order_status(missing, 1, OrderStatus::Shipped, epoch()).await;
    assert!(matches!(missing, Err(OrderWriteError::NotFound)));
    let new = order(buyer(), &[(emma.id, 1)]);
    let mut now = store.place_order(new).await.expect("placed");
    for next in [OrderStatus::Shipped, OrderStatus::Delivered] {
        for wrong in OrderStatus::ALL.into_iter().filter(|status| !now.status.may_become(*status)) {
            let refused = moved(&*store, &now, wrong).await;
            let told = matches!(refused, Err(OrderWriteError::NotAllowed { from, to })
                if from == now.status && to == wrong);
            assert!(told, "{refused:?}");
        }
        let next = moved(&*store, &now, next).await.expect("moved");
        let stale = moved(&*store, &now, OrderStatus::Cancelled).await;
        let current = next.version;
        assert!(
            matches!(stale, Err(OrderWriteError::VersionConflict { current: told }) if told == current)
        );
        assert_eq!(store.order(now.id).await.expect("read").as_ref(), Some(&next));
        now = next;
    }
    assert_eq!((now.status, now.version), (OrderStatus::Delivered, 3));
    assert_eq!(stock(&*store, emma.id).await, 4);
}

/// An order outlives its books; cancelled, it puts back what still has a place.
pub async fn an_order_outlives_its_books(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let new = order(buyer(), &[(emma.id, 1), (emil.id, 2)]);
    let placed = store.place_order(new).await.expect("placed");
    store.delete_book(emma.id, None).await.expect("deleted");
    assert_eq!(store.order(placed.id).await.expect("read").as_ref(), Some(&placed));
    let cancelled = moved(&*store, &placed, OrderStatus::Cancelled).await.expect("cancelled");
    assert_eq!(cancelled.items, placed.items);
    assert_eq!(store.book(emma.id).await.expect("read").0, None);
    assert_eq!(stock(&*store, emil.id).await, 5);
}
