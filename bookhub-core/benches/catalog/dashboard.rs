//! How quick the dashboard is with a million orders in memory, and how long the first count takes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bookhub_core::{
    BookDraft, BookId, Catalog, Customer, CustomerName, Dashboard, DashboardQuery, MemoryStore,
    NewOrder, OrderId, OrderLine, OrderStore as _, Quantity, Stock, UserId,
};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;

use crate::{
    measure::{Times, resident},
    scenarios::now,
    synthetic::{Library, Random},
};

const ORDERS: usize = 1_000_000;
const BOOKS: usize = 10_000;
const ASKED: usize = 200;

/// The figures of a shop whose orders were placed in the course of so many days.
pub(crate) fn measure(days: u16) -> Vec<(&'static str, String)> {
    let (store, placing) = shop(days);
    let runtime = Runtime::new().expect("a runtime");
    let dashboard = Dashboard::new(store);
    let query = DashboardQuery::parse([("days", days.to_string())]).expect("a period");
    let (before, begun) = (resident(), Instant::now());
    runtime.spawn(dashboard.clone().follow());
    // One who waits for too long asks again.
    while runtime.block_on(dashboard.stats(&query)).is_err() {}
    let first = begun.elapsed();
    let held = resident().saturating_sub(before) >> 20;
    let mut seen = 0;
    let times = Times::of(ASKED, |_| {
        let stats = runtime.block_on(dashboard.stats(&query)).expect("figures");
        seen = stats.period.orders;
    });
    // Some are of the first day's hours before midnight.
    assert!(seen > ORDERS as u64 / 2, "{seen} orders are in the period");
    vec![
        ("one answer, for the whole period", times.cell()),
        ("first count", format!("{:.2} s", first.as_secs_f64())),
        ("memory that the process holds more after it", format!("{held} MiB")),
        ("placing an order", format!("{:.1} µs", placing.as_secs_f64() * 1e6)),
    ]
}

/// A shop with so many orders, and how long one took.
fn shop(days: u16) -> (Arc<MemoryStore>, Duration) {
    let (store, mut library, mut random) = (MemoryStore::shared(), Library::new(), Random(11));
    let stock = Stock::new(Stock::MAX.into()).expect("a stock");
    let drafts = (0..BOOKS).map(|_| BookDraft { stock, ..library.draft() }).collect();
    let created = now(Catalog::new(store.clone()).create_many(drafts)).expect("created");
    let books: Vec<_> = created.into_iter().map(|book| book.expect("a book").id).collect();
    let end = Timestamp::now();
    let span = 24 * 60 * 60 * usize::from(days);
    let begun = Instant::now();
    for _ in 0..ORDERS {
        let placed_at = end - SignedDuration::from_secs(random.below(span) as i64);
        now(store.place_order(order(&books, placed_at, &mut random))).expect("placed");
    }
    (store, begun.elapsed() / ORDERS as u32)
}

/// An order of one to three books.
fn order(books: &[BookId], created_at: Timestamp, random: &mut Random) -> NewOrder {
    let mut lines: Vec<OrderLine> = Vec::new();
    for _ in 0..=random.below(3) {
        let book = books[random.below(books.len())];
        let quantity = Quantity::new(1 + random.below(3) as i64).expect("a quantity");
        if lines.iter().all(|line| line.book != book) {
            lines.push(OrderLine { book, quantity, expected_price: None });
        }
    }
    let name = CustomerName::new("Alice").expect("a name");
    let customer = Customer { name, email: None, phone: None, address: None };
    let (id, user) = (OrderId::generate(created_at), UserId::generate(created_at));
    NewOrder { id, user, lines, customer, idempotency: None, created_at }
}
