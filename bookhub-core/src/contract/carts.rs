//! Carts are their users' own, and merge without a loss.

use std::sync::Arc;

use super::{
    concurrent::together,
    orders::buyer,
    samples::{any_book, book, insert},
};
use crate::{BookId, Cart, CartLine, Position, Quantity, Store};

fn cart(lines: &[(BookId, i64)]) -> Cart {
    Cart::of(lines.iter().map(|(book, copies)| CartLine {
        book: *book,
        quantity: Quantity::new(*copies).expect("a quantity"),
    }))
}

/// The lines by their books, since no order is promised.
fn lines(cart: &Cart) -> Vec<(BookId, u32)> {
    let mut lines: Vec<_> =
        cart.lines().iter().map(|line| (line.book, line.quantity.count())).collect();
    lines.sort_unstable();
    lines
}

/// What is put in is there, in its order, until something else is put in its place.
pub async fn a_cart_is_kept_as_it_was_put(store: Arc<dyn Store>) {
    let (alice, bob) = (buyer(), buyer());
    let [emma, emil] = [any_book().id, book("Emil", "Erich Kästner", 1).id];
    assert_eq!(store.cart(alice).await.expect("a cart"), Cart::default());
    for lines in [&[(emil, 2), (emma, 1)][..], &[(emma, 1_000)], &[(emma, 3), (emil, 1)], &[], &[]]
    {
        store.put_cart(alice, cart(lines)).await.expect("put");
        assert_eq!(store.cart(alice).await.expect("a cart"), cart(lines));
        assert_eq!(store.cart(bob).await.expect("a cart"), Cart::default());
    }
}

/// Of each book the greater number of copies stays, however often a cart is merged.
pub async fn a_merge_keeps_the_greater_number_of_each_book(store: Arc<dyn Store>) {
    let alice = buyer();
    let [emma, emil, ella] = [1, 2, 3].map(|age| book("A book", "Somebody", age).id);
    let brought = cart(&[(emil, 1), (ella, 4)]);
    let merged = store.merge_cart(alice, brought.clone()).await.expect("merged");
    assert_eq!(lines(&merged), lines(&brought), "where there was none");
    store.put_cart(alice, cart(&[(emma, 2), (emil, 3)])).await.expect("put");
    for _ in 0..2 {
        let merged = store.merge_cart(alice, brought.clone()).await.expect("merged");
        assert_eq!(lines(&merged), [(emma, 2), (emil, 3), (ella, 4)]);
        assert_eq!(store.cart(alice).await.expect("a cart"), merged);
    }
    let same = store.merge_cart(alice, Cart::default()).await.expect("merged");
    assert_eq!(lines(&same).len(), 3);
}

/// Of merges at the same time none is lost.
pub async fn merges_at_once_all_count(store: Arc<dyn Store>) {
    let alice = buyer();
    let books: Vec<_> = (0..16).map(|age| book("A book", "Somebody", age).id).collect();
    let merged = together(16, |number| {
        let store = Arc::clone(&store);
        let cart = cart(&[(books[usize::try_from(number).expect("small")], 2)]);
        async move { store.merge_cart(alice, cart).await }
    });
    for merged in merged.await {
        merged.expect("merged");
    }
    let all: Vec<_> = books.into_iter().map(|id| (id, 2)).collect();
    assert_eq!(lines(&store.cart(alice).await.expect("a cart")), all);
}

/// Carts are nobody else's: the feed has none of them.
pub async fn carts_are_not_fed(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let before = store.head().await.expect("a head");
    store.put_cart(buyer(), cart(&[(emma.id, 1)])).await.expect("put");
    store.merge_cart(buyer(), cart(&[(emma.id, 1)])).await.expect("merged");
    assert_eq!(super::samples::all_fed(&*store, before).await, []);
    assert!(before > Position::START);
}

/// Several books at once are found by their ids; those that are not there are left out.
pub async fn books_are_found_by_their_ids(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let emil = insert(&*store, book("Emil", "Erich Kästner", 1)).await;
    let missing = any_book().id;
    let mut found = store.books_by_id(&[emil.id, missing, emma.id]).await.expect("books");
    found.sort_unstable_by_key(|book| book.id);
    let mut both = vec![emma, emil];
    both.sort_unstable_by_key(|book| book.id);
    assert_eq!(found, both);
    assert_eq!(store.books_by_id(&[]).await.expect("books"), []);
}
