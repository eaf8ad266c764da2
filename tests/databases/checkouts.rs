//! Checkouts whose server is killed at any moment: no copy is lost or sold twice, no order stays
//! undecided, and no key has two orders.

use std::{env, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bookhub_core::{BookDraft, BookQuery, Catalog, MongoConfig, MongoStore, Store};
use bookhub_tests::{Database, PATIENCE, Relay, ferret, java_server, program};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use mongodb::{
    Client,
    bson::{Document, doc},
};
use rand::RngExt as _;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::{sleep, timeout},
};

const BOOKS: usize = 12;

/// So many that they last, and of some so few that orders are refused with others in hand.
const fn copies(number: usize) -> i64 {
    if number < 3 { 60 } else { 50_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_a_copy_with_change_streams() -> Result<()> {
    kill_among_checkouts(java_server()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_a_copy_on_disk() -> Result<()> {
    kill_among_checkouts(ferret()).await
}

async fn kill_among_checkouts(server: &Database) -> Result<()> {
    let kills = env::var("BOOKHUB_TEST_KILLS").map_or(Ok(20), |kills| kills.parse())?;
    let (uri, database) = (server.uri(""), format!("checkouts_{}", std::process::id()));
    let store = stocked(&uri, &database).await?;
    // The next one begins when the database is done with what the dead one had sent: FerretDB may
    // lose one of two updates of a document that come at the same time.
    let relay = Relay::to(server.address()).await?;
    let way = format!("mongodb://{}/", relay.address());
    for _ in 0..kills {
        let mut checkouts = Command::new(program("checkouts"))
            .args([&way, &database])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = checkouts.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        // It says that it is open, and then a line for each order that is placed or cancelled.
        for _ in 0..=rand::rng().random_range(0..16) {
            timeout(PATIENCE, lines.next_line()).await??.context("it goes on")?;
        }
        sleep(Duration::from_millis(rand::rng().random_range(0..20))).await;
        checkouts.kill().await?;
        relay.is_left().await?;
    }
    // What was given back is marked until the next time, and what came back for an hour.
    for later in [1, 2, 2 * 60 * 60] {
        store.settle_orders(Timestamp::now() + Duration::from_secs(later)).await?;
    }
    check(&uri, &database).await
}

/// A shop with so many copies of so many books.
async fn stocked(uri: &str, database: &str) -> Result<Arc<dyn Store>> {
    let config = MongoConfig { database: database.to_owned(), ..MongoConfig::default() };
    let store: Arc<dyn Store> = Arc::new(MongoStore::connect(uri, config).await?);
    let draft = |number: usize| {
        let book = json!({
            "title": format!("Book {number}"), "author": "Ada", "genre": "Tests", "year": 2020,
            "price": 100, "stock": copies(number),
        });
        BookDraft::from_json(book.as_object().expect("an object"))
    };
    let drafts = (0..BOOKS).map(draft).collect::<Result<Vec<_>, _>>()?;
    for created in Catalog::new(Arc::clone(&store)).create_many(drafts).await? {
        created?;
    }
    assert_eq!(store.books(&BookQuery::default()).await?.total.count, BOOKS as u64);
    Ok(store)
}

async fn check(uri: &str, database: &str) -> Result<()> {
    let database = Client::with_uri_str(uri).await?.database(database);
    let all = async |name: &str, filter: Document| {
        database.collection::<Document>(name).find(filter).await?.try_collect::<Vec<_>>().await
    };
    let placed = all("orders", doc! { "status": "placed" }).await?;
    let orders = all("orders", doc! {}).await?;
    let cancelled = all("orders", doc! { "status": "cancelled" }).await?;
    assert!(!placed.is_empty() && !cancelled.is_empty());
    for book in all("books", doc! {}).await? {
        let (id, stock) = (book.get("_id"), book.get_i64("stock")?);
        let items = placed.iter().flat_map(|order| order.get_array("items").into_iter().flatten());
        let items =
            items.filter_map(|item| item.as_document()).filter(|item| item.get("book") == id);
        let sold: i64 = items.filter_map(|item| item.get_i64("quantity").ok()).sum();
        let number = book.get_str("title")?.trim_start_matches("Book ").parse()?;
        assert_eq!(stock + sold, copies(number), "{book}");
        for marks in ["holds", "returns"] {
            let is_marked = book.get_document(marks).is_ok_and(|marks| !marks.is_empty());
            assert!(!is_marked, "{book}");
        }
    }
    assert!(
        orders.iter().all(|order| order.get_str("status").is_ok_and(|status| status != "pending"))
    );
    assert!(orders.iter().all(|order| !order.contains_key("todo")));
    let mut keys: Vec<_> = orders.iter().filter_map(|order| order.get_str("key").ok()).collect();
    assert_eq!(keys.len(), orders.len());
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), orders.len(), "a key has two orders");
    Ok(())
}
