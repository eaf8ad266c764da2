//! The dashboard over a store, as admins see it.

mod figures;
mod samples;
mod seam;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use super::{Dashboard, PATIENCE};
use crate::{
    BookDraft, BookId, BookPatch, BookStore, Catalog, Clock, DashboardError, DashboardQuery,
    MemoryConfig, MemoryStore, Order, OrderDraft, OrderStatus, Orders, Stock, UserId,
};

/// A shop with a clock that tests set, and its dashboard.
struct Shop {
    store: Arc<MemoryStore>,
    catalog: Catalog,
    orders: Orders,
    dashboard: Dashboard,
    second: Arc<AtomicI64>,
    following: Option<JoinHandle<()>>,
}

impl Shop {
    /// One whose feed remembers so many changes, at noon of 28 November 2026.
    fn new(history: usize) -> Self {
        let noon: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let second = Arc::new(AtomicI64::new(noon.as_second()));
        let shown = Arc::clone(&second);
        let clock =
            Clock::from_fn(move || Timestamp::from_second(shown.load(Ordering::Relaxed)).unwrap());
        let config = MemoryConfig { history, clock: clock.clone(), ..MemoryConfig::default() };
        let store = Arc::new(MemoryStore::with_config(config));
        let catalog = Catalog::with_clock(store.clone(), clock.clone());
        let orders = Orders::with_clock(store.clone(), clock.clone());
        let dashboard = Dashboard::with_clock(store.clone(), clock);
        Self { store, catalog, orders, dashboard, second, following: None }
    }

    fn follow(&mut self) {
        self.following = Some(tokio::spawn(self.dashboard.clone().follow()));
    }

    fn pass(&self, time: SignedDuration) {
        self.second.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    async fn book(&self, title: &str, genre: &str, stock: i64) -> BookId {
        let json = json!({
            "title": title, "author": "Jane Austen", "genre": genre, "year": 1815, "price": 199.5,
            "stock": stock,
        });
        let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
        self.catalog.create(draft).await.unwrap().id
    }

    async fn place(&self, items: &[(BookId, u32)]) -> Arc<Order> {
        let item = |(book, quantity): &(BookId, u32)| json!({"bookId": book, "quantity": quantity});
        let items: Vec<_> = items.iter().map(item).collect();
        let json = json!({"items": items, "customer": {"name": "Alice"}});
        let draft = OrderDraft::from_json(json.as_object().unwrap()).unwrap();
        let alice = UserId::from_uuid(uuid::Uuid::from_u128(1));
        self.orders.place(alice, draft, None).await.unwrap()
    }

    async fn cancel(&self, order: &Order) {
        self.orders.set_status(order.id, OrderStatus::Cancelled).await.unwrap();
    }

    /// What the dashboard shows of so many days once there is nothing more to hear.
    async fn stats(&self, days: u16) -> Value {
        // Time stands still until nobody has anything to do.
        sleep(Duration::from_secs(10)).await;
        let query = DashboardQuery::parse([("days", days.to_string())]).unwrap();
        serde_json::to_value(self.dashboard.stats(&query).await.unwrap()).unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

fn sales(orders: u64, copies: u64) -> Value {
    let revenue = json!(copies as f64 * 199.5);
    let is_whole = copies.is_multiple_of(2);
    let revenue = if is_whole { json!(copies * 399 / 2) } else { revenue };
    json!({ "orders": orders, "revenue": revenue, "copies": copies })
}

#[tokio::test(start_paused = true)]
async fn what_was_sold_before_and_after_the_start_counts_and_what_was_cancelled_does_not() {
    let mut shop = Shop::new(1_000);
    let emma = shop.book("Emma", "Classics", 100).await;
    let before = shop.place(&[(emma, 3)]).await;
    let other = shop.place(&[(emma, 5)]).await;
    shop.cancel(&other).await;
    shop.follow();
    assert_eq!(shop.stats(30).await["period"], sales(1, 3));
    let after = shop.place(&[(emma, 4)]).await;
    assert_eq!(shop.stats(30).await["period"], sales(2, 7));
    shop.cancel(&before).await;
    shop.orders.set_status(after.id, OrderStatus::Shipped).await.unwrap();
    shop.orders.set_status(after.id, OrderStatus::Delivered).await.unwrap();
    let stats = shop.stats(30).await;
    assert_eq!(stats["period"], sales(1, 4));
    let mut totals = sales(1, 4);
    totals
        .as_object_mut()
        .unwrap()
        .extend([("books".to_owned(), json!(1)), ("users".to_owned(), json!(0))]);
    assert_eq!(stats["totals"], totals);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_before_the_orders_are_counted_waits_for_a_while() {
    let mut shop = Shop::new(1_000);
    let query = DashboardQuery::default();
    let begun = tokio::time::Instant::now();
    let refused = shop.dashboard.stats(&query).await;
    assert!(matches!(refused, Err(DashboardError::Counting)), "{refused:?}");
    assert_eq!(begun.elapsed(), PATIENCE);
    let dashboard = shop.dashboard.clone();
    let asked = tokio::spawn(async move { dashboard.stats(&DashboardQuery::default()).await });
    sleep(Duration::from_secs(1)).await;
    shop.follow();
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_the_feed_has_lost_is_counted_anew() {
    let mut shop = Shop::new(4);
    let emma = shop.book("Emma", "Classics", 1_000).await;
    shop.follow();
    assert_eq!(shop.stats(1).await["period"], sales(0, 0));
    // Nobody else has a turn in between: more than the feed remembers.
    for _ in 0..50 {
        shop.place(&[(emma, 2)]).await;
    }
    let query = DashboardQuery::default();
    sleep(Duration::from_millis(100)).await;
    let meanwhile = shop.dashboard.stats(&query).await.unwrap();
    assert_eq!(meanwhile.period.orders, 0, "the older figures");
    assert_eq!(shop.stats(1).await["period"], sales(50, 100));
    shop.place(&[(emma, 1)]).await;
    assert_eq!(shop.stats(1).await["period"], sales(51, 101));
}

#[tokio::test(start_paused = true)]
async fn an_order_belongs_to_the_day_on_which_it_was_placed() {
    let mut shop = Shop::new(1_000);
    let emma = shop.book("Emma", "Classics", 100).await;
    shop.follow();
    shop.pass(SignedDuration::new(12 * 60 * 60 - 1, 0));
    let late = shop.place(&[(emma, 1)]).await;
    shop.pass(SignedDuration::from_secs(1));
    shop.place(&[(emma, 2)]).await;
    let stats = shop.stats(3).await;
    assert_eq!((&stats["from"], &stats["to"]), (&json!("2026-11-27"), &json!("2026-11-29")));
    let day = |date: &str, mut sales: Value| {
        sales["date"] = json!(date);
        sales
    };
    let days = [
        day("2026-11-27", sales(0, 0)),
        day("2026-11-28", sales(1, 1)),
        day("2026-11-29", sales(1, 2)),
    ];
    assert_eq!(stats["revenueByDay"], json!(days));
    assert_eq!(shop.stats(1).await["period"], sales(1, 2));

    // The last day on which it is in the longest period, and the next one.
    shop.pass(SignedDuration::from_hours(24 * 363));
    assert_eq!(shop.stats(365).await["period"], sales(2, 3));
    shop.pass(SignedDuration::from_hours(24));
    let stats = shop.stats(365).await;
    assert_eq!((&stats["period"], &stats["totals"]["copies"]), (&sales(1, 2), &json!(3)));
    shop.pass(SignedDuration::from_hours(24 * 30));
    shop.cancel(&late).await;
    let stats = shop.stats(365).await;
    assert_eq!((&stats["period"], &stats["totals"]["copies"]), (&sales(0, 0), &json!(2)));
    assert_eq!((&stats["topBooks"], &stats["byGenre"][0]["copies"]), (&json!([]), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn the_best_books_are_named_as_they_are_now() {
    let mut shop = Shop::new(1_000);
    let mut books = Vec::new();
    for number in 0..12 {
        books.push(shop.book(&format!("Book {number:02}"), "Classics", 100).await);
    }
    shop.follow();
    for (number, book) in (1..).zip(&books) {
        shop.place(&[(*book, number)]).await;
    }
    let title = Some("The best".parse().unwrap());
    let patch = BookPatch { title, ..BookPatch::default() };
    shop.catalog.update(books[11], &patch, None).await.unwrap();
    shop.catalog.delete(books[10], None).await.unwrap();
    let top = &shop.stats(30).await["topBooks"];
    let named: Vec<_> = top
        .as_array()
        .unwrap()
        .iter()
        .map(|book| (book["title"].as_str().unwrap(), book["copies"].as_u64().unwrap()))
        .collect();
    assert_eq!(named[..3], [("The best", 12), ("Book 10", 11), ("Book 09", 10)]);
    assert_eq!((named.len(), named[9]), (10, ("Book 02", 3)));
    assert_eq!((&top[0]["bookId"], &top[0]["revenue"]), (&json!(books[11]), &json!(2394)));
    assert_eq!(top[0]["author"], "Jane Austen");
}

#[tokio::test(start_paused = true)]
async fn genres_are_those_of_the_catalogue_and_of_what_was_sold() {
    let mut shop = Shop::new(1_000);
    let emma = shop.book("Emma", "Classics", 100).await;
    shop.book("Sanditon", "CLASSICS", 6).await;
    let dune = shop.book("Dune", "Sci-Fi", 100).await;
    shop.follow();
    let genre = |genre: &str, books: u64, copies: u64| {
        json!({
            "genre": genre, "books": books, "copies": copies, "revenue": sales(0, copies)["revenue"],
        })
    };
    shop.place(&[(emma, 2), (dune, 1)]).await;
    let expected = json!([genre("Classics", 2, 2), genre("Sci-Fi", 1, 1)]);
    assert_eq!(shop.stats(30).await["byGenre"], expected);
    // What was sold stays on its shelf; what is there moves, long after the shelves were counted too.
    shop.pass(SignedDuration::from_hours(1));
    let patch = BookPatch { genre: Some("Space".parse().unwrap()), ..BookPatch::default() };
    shop.catalog.update(dune, &patch, None).await.unwrap();
    let expected = json!([genre("Classics", 2, 2), genre("Sci-Fi", 0, 1), genre("Space", 1, 0)]);
    assert_eq!(shop.stats(30).await["byGenre"], expected);
    shop.catalog.delete(emma, None).await.unwrap();
    shop.place(&[(dune, 3)]).await;
    let expected = json!([genre("CLASSICS", 1, 2), genre("Sci-Fi", 0, 1), genre("Space", 1, 3)]);
    assert_eq!(shop.stats(30).await["byGenre"], expected);
}

#[tokio::test(start_paused = true)]
async fn books_that_are_soon_sold_out_are_listed_to_a_limit() {
    let mut shop = Shop::new(1_000);
    let emma = shop.book("Emma", "Classics", i64::from(Stock::LOW) + 2).await;
    for number in 0..20 {
        shop.book(&format!("Book {number:02}"), "Classics", 5).await;
    }
    shop.follow();
    let stats = shop.stats(30).await;
    assert_eq!(stats["lowStockCount"], 20);
    assert_eq!(stats["lowStock"][0]["title"], "Book 00");
    shop.place(&[(emma, 3)]).await;
    let stats = shop.stats(30).await;
    assert_eq!((&stats["lowStockCount"], &stats["totals"]["books"]), (&json!(21), &json!(21)));
    let low = stats["lowStock"].as_array().unwrap();
    let first = json!({ "id": emma, "title": "Emma", "author": "Jane Austen", "stock": 4 });
    assert_eq!((low.len(), &low[0], &low[19]["title"]), (20, &first, &json!("Book 18")));
    assert!(shop.store.book(emma).await.is_ok());
}
