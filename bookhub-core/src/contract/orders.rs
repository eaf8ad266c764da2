//! Orders are placed, listed and fed.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::{
    concurrent::together,
    samples::{all_fed, any_book, book, epoch, insert, rename},
};
use crate::{
    Book, BookId, Change, ChangeKind, Customer, CustomerName, Fingerprint, IdempotencyKey,
    NewOrder, Order, OrderCursor, OrderId, OrderItem, OrderLine, OrderQuery, OrderStatus,
    OrderWriteError, PageSize, Position, PriceChange, Quantity, Settled, Shortage, Stock, Store,
    UserId,
};

/// An order takes its copies, keeps its books as they are, and is read as it was written.
pub async fn an_order_takes_its_copies_and_freezes_prices(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let new = order(buyer(), &[(emma.id, 2), (emil.id, 5)]);
    let placed = store.place_order(new.clone()).await.expect("placed");
    let items = [(&emma, 2), (&emil, 5)].map(|(book, count)| OrderItem::of(book, copies(count)));
    assert_eq!(*placed, new.placed(items.into()));
    assert_eq!((placed.status, placed.version), (OrderStatus::Placed, 1));
    assert_eq!(placed.total.paise(), 7 * 19_900);
    rename(&*store, &emma, "Emma, revised").await;
    assert_eq!(store.order(new.id).await.expect("read"), Some(placed));
    let now = current(&*store, emma.id).await;
    assert_eq!((now.stock.count(), now.stock_version, now.version), (3, 2, 2));
    assert_eq!(stock(&*store, emil.id).await, 0);
    assert_eq!(store.order(OrderId::generate(epoch())).await.expect("read"), None);
}

/// If one book falls short no copy of any is taken, and every short book is named.
pub async fn an_order_takes_all_copies_or_none(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let (other, gone) = (insert(&*store, any_book()).await, any_book());
    let before = store.head().await.expect("a head");
    let lines = [(other.id, 1), (emma.id, 6), (gone.id, 1), (emil.id, 1_000)];
    let new = order(buyer(), &lines);
    let refused = store.place_order(new.clone()).await.expect_err("too few");
    let short = |book: &Book, wanted| Shortage {
        book: book.id,
        title: Some(book.content.title.clone()),
        wanted: copies(wanted),
        available: book.stock,
    };
    let missing = Shortage { title: None, available: Stock::default(), ..short(&gone, 1) };
    assert_eq!(shortages(refused), [short(&emma, 6), missing, short(&emil, 1_000)]);
    for book in [&emma, &emil, &other] {
        assert_eq!(current(&*store, book.id).await, **book);
    }
    assert_eq!(store.order(new.id).await.expect("read"), None);
    assert_eq!(listed(&*store, &OrderQuery::default()).await, []);
    assert_eq!(all_fed(&*store, before).await, []);
}

/// Whoever saw another price than that of today is told before anything is taken.
pub async fn a_price_that_changed_is_told_first(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let (seen, today) = ("150".parse().expect("a price"), emma.content.price);
    let mut new = order(buyer(), &[(emma.id, 1), (emil.id, 6)]);
    new.lines[0].expected_price = Some(seen);
    new.lines[1].expected_price = Some(today);
    let refused = store.place_order(new.clone()).await;
    let change = PriceChange { book: emma.id, expected: seen, current: today };
    let told =
        matches!(&refused, Err(OrderWriteError::PriceChanged(changes)) if *changes == [change]);
    assert!(told, "{refused:?}");
    assert_eq!(stock(&*store, emma.id).await, 5);
    new.lines[0].expected_price = Some(today);
    new.lines[1].quantity = copies(5);
    store.place_order(new).await.expect("placed");
}

/// However many buy at once, the copies are sold once each, and everybody else is told.
pub async fn the_last_copies_are_sold_once_each(store: Arc<dyn Store>) {
    let emma = insert(&*store, Book { stock: Stock::new(10).expect("10"), ..any_book() }).await;
    let results = together(100, |_| {
        let (store, new) = (Arc::clone(&store), order(buyer(), &[(emma.id, 1)]));
        async move { store.place_order(new).await }
    });
    let (placed, refused): (Vec<_>, Vec<_>) = results.await.into_iter().partition(Result::is_ok);
    assert_eq!((placed.len(), refused.len()), (10, 90));
    let is_short = |result: &Result<_, _>| matches!(result, Err(OrderWriteError::OutOfStock(_)));
    assert!(refused.iter().all(is_short), "{refused:?}");
    assert_eq!(stock(&*store, emma.id).await, 0);
    assert_eq!(listed(&*store, &OrderQuery::default()).await.len(), 10);
}

/// Pages show the newest orders first, of one user or of all, with one status or with any.
pub async fn orders_are_listed_newest_first(store: Arc<dyn Store>) {
    let full = Stock::new(100).expect("a stock");
    let emma = insert(&*store, Book { stock: full, ..any_book() }).await;
    let (alice, bob, start) = (buyer(), buyer(), now());
    let mut all = Vec::new();
    for number in 0..23_i64 {
        let user = if number % 3 == 0 { bob } else { alice };
        let mut new = order(user, &[(emma.id, 1)]);
        // Several within a millisecond, and not in the order of time.
        new.created_at = start + SignedDuration::from_millis(number * 7 % 10);
        let mut placed = store.place_order(new).await.expect("placed");
        if number % 4 == 0 {
            placed = moved(&*store, &placed, OrderStatus::Shipped).await.expect("shipped");
        }
        all.push(placed);
    }
    all.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    for user in [None, Some(alice), Some(bob), Some(buyer())] {
        for status in [None, Some(OrderStatus::Placed), Some(OrderStatus::Shipped)] {
            for limit in [1, 5, 23, 100] {
                let mut query =
                    OrderQuery::default().with_limit(PageSize::new(limit).expect("a limit"));
                query = user.into_iter().fold(query, OrderQuery::with_user);
                query = status.into_iter().fold(query, OrderQuery::with_status);
                let expected: Vec<_> =
                    all.iter().filter(|order| query.matches(order)).cloned().collect();
                assert_eq!(listed(&*store, &query).await, expected, "{query:?}");
            }
        }
    }
}

/// A walk over all orders finds each that was placed, once, as it is; none that was refused.
pub async fn every_order_is_found_once(store: Arc<dyn Store>) {
    let full = Stock::new(10_000).expect("a stock");
    let emma = insert(&*store, Book { stock: full, ..any_book() }).await;
    assert_eq!(walked(&*store).await, []);
    let mut all = Vec::new();
    for number in 0..25 {
        let mut placed = store.place_order(order(buyer(), &[(emma.id, 1)])).await.expect("placed");
        for next in OrderStatus::ALL.into_iter().take(number % 4 + 1) {
            if placed.status.may_become(next) {
                placed = moved(&*store, &placed, next).await.expect("moved");
            }
        }
        if number % 3 == 0 {
            let mut refused = order(buyer(), &[(emma.id, 1), (BookId::generate(epoch()), 1)]);
            let key = IdempotencyKey::new("one").expect("a key");
            refused.idempotency = Some((key, Fingerprint::from_bytes([0; 32])));
            store.place_order(refused).await.expect_err("refused");
        }
        all.push(placed);
    }
    all.sort_by_key(|order| order.id);
    let mut found = walked(&*store).await;
    found.sort_by_key(|order| order.id);
    assert_eq!(found, all);
}

async fn walked(store: &dyn Store) -> Vec<Arc<Order>> {
    store.all_orders().try_collect().await.expect("found")
}

/// The feed tells each order that was placed or moved and each book whose stock moved, once.
pub async fn orders_and_their_books_are_fed(store: Arc<dyn Store>) {
    let (emma, emil) = two_books(&*store).await;
    let before = store.head().await.expect("a head");
    let new = order(buyer(), &[(emma.id, 1), (emil.id, 2)]);
    let placed = store.place_order(new).await.expect("placed");
    let cancelled = moved(&*store, &placed, OrderStatus::Cancelled).await.expect("cancelled");
    let fed = all_fed(&*store, before).await;
    let is_about_orders = |change: &&Arc<Change>| {
        matches!(change.kind, ChangeKind::OrderPlaced(_) | ChangeKind::OrderUpdated(_))
    };
    let (orders, books): (Vec<_>, Vec<_>) = fed.iter().partition(is_about_orders);
    let told: Vec<_> = orders.iter().map(|change| change.kind.clone()).collect();
    assert_eq!(told, [ChangeKind::OrderPlaced(placed), ChangeKind::OrderUpdated(cancelled)]);
    assert_eq!(books.len(), 4);
    for (book, left) in [(&emma, 4), (&emil, 3)] {
        let told = books.iter().filter_map(|change| match &change.kind {
            ChangeKind::BookUpdated(told) if told.id == book.id => {
                Some((told.stock.count(), told.stock_version, told.version))
            }
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [(left, 2, 1), (5, 3, 1)]);
    }
}

/// Where nobody died there is nothing to settle, and nothing is told.
pub async fn an_idle_store_has_nothing_to_settle(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let placed = store.place_order(order(buyer(), &[(emma.id, 1)])).await.expect("placed");
    let before = store.head().await.expect("a head");
    for _ in 0..2 {
        let settled = store.settle_orders(later(&placed)).await.expect("settled");
        assert_eq!(settled, Settled::default());
    }
    assert_eq!(store.order(placed.id).await.expect("read"), Some(placed));
    assert_eq!(stock(&*store, emma.id).await, 4);
    assert_eq!(all_fed(&*store, before).await, []);
}

/// This moment in whole milliseconds: a key of long ago could be forgotten at any time.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).expect("a moment")
}

/// Somebody who orders.
pub(super) fn buyer() -> UserId {
    UserId::generate(now())
}

/// So many copies.
pub(super) fn copies(count: i64) -> Quantity {
    Quantity::new(count).expect("a quantity")
}

/// An order of so many copies of these books.
pub(super) fn order(user: UserId, lines: &[(BookId, i64)]) -> NewOrder {
    let line = |(book, count)| OrderLine { book, quantity: copies(count), expected_price: None };
    let name = CustomerName::new("Alice").expect("a name");
    let customer = Customer {
        name,
        email: "alice@example.org".parse().ok(),
        phone: "+91 98765 43210".parse().ok(),
        address: "1 Hill Road\nMumbai".parse().ok(),
    };
    let (id, lines) = (OrderId::generate(now()), lines.iter().copied().map(line).collect());
    NewOrder { id, user, lines, customer, idempotency: None, created_at: now() }
}

/// How many copies of a book there are.
pub(super) async fn stock(store: &dyn Store, id: BookId) -> u32 {
    current(store, id).await.stock.count()
}

/// The shortages that somebody was told.
pub(super) fn shortages(error: OrderWriteError) -> Vec<Shortage> {
    match error {
        OrderWriteError::OutOfStock(shortages) => shortages,
        error => panic!("{error}"),
    }
}

/// All pages of a query, one after the other; cursors go through their texts.
pub(super) async fn listed(store: &dyn Store, query: &OrderQuery) -> Vec<Arc<Order>> {
    let (mut query, mut orders) = (query.clone(), Vec::new());
    loop {
        let page = store.orders(&query).await.expect("listed");
        assert!(page.orders.len() <= query.limit().get());
        assert!(page.next.is_none() || page.orders.len() == query.limit().get());
        orders.extend(page.orders);
        let Some(next) = page.next else {
            return orders;
        };
        query = query.after_cursor(OrderCursor::parse(&next.to_string()).expect("a cursor"));
    }
}

/// Moves an order from what it was.
pub(super) async fn moved(
    store: &dyn Store,
    order: &Order,
    status: OrderStatus,
) -> Result<Arc<Order>, OrderWriteError> {
    store.set_order_status(order.id, order.version, status, later(order)).await
}

/// A moment after the last change of an order.
pub(super) fn later(order: &Order) -> Timestamp {
    order.updated_at + SignedDuration::from_secs(1)
}

/// Two books with five copies each.
pub(super) async fn two_books(store: &dyn Store) -> (Arc<Book>, Arc<Book>) {
    (insert(store, any_book()).await, insert(store, book("Emil", "Erich Kästner", 1)).await)
}

/// A book as it is.
pub(super) async fn current(store: &dyn Store, id: BookId) -> Book {
    let (book, position) = store.book(id).await.expect("read");
    assert!(position > Position::START);
    Book::clone(&book.expect("a book"))
}
