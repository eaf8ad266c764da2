//! What is left half done of orders, by servers that are slow or dead, is settled once, however many
//! servers settle it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bookhub_core::{
    BookDraft, BookId, BookWriteError, Catalog, FeedError, MongoConfig, MongoStore, Order, Orders,
    Store, StoreError, UserId,
};
use bookhub_tests::{Database, PATIENCE, ferret, java_server};
use futures_util::{StreamExt as _, future::try_join_all};
use jiff::Timestamp;
use mongodb::{
    Client, Collection,
    bson::{Binary, Bson, DateTime, Document, Uuid, doc, spec::BinarySubtype},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::time::timeout;

const COPIES: u32 = 1_000;

/// A shop with one book, on a database of its own.
struct Shop {
    uri: String,
    database: String,
    store: Arc<dyn Store>,
    book: BookId,
}

impl Shop {
    async fn new(server: &Database, name: &str) -> Result<Self> {
        let (uri, database) = (server.uri(""), format!("{name}_{}", std::process::id()));
        let store = connect(&uri, &database).await?;
        let book = json!({
            "title": "Emma", "author": "Jane Austen", "genre": "Tests", "year": 1815, "price": 100,
            "stock": COPIES,
        });
        let draft = BookDraft::from_json(book.as_object().context("an object")?)?;
        let book = Catalog::new(Arc::clone(&store)).create(draft).await?.id;
        Ok(Self { uri, database, store, book })
    }

    async fn place(&self, quantity: u32) -> Result<Arc<Order>> {
        let draft = json!({
            "items": [{ "bookId": self.book, "quantity": quantity }], "customer": { "name": "Ada" },
        });
        let draft = draft.as_object().context("an object")?;
        let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
        let orders = Orders::new(Arc::clone(&self.store));
        Ok(orders.place(user, bookhub_core::OrderDraft::from_json(draft)?, None).await?)
    }

    async fn stock(&self) -> Result<u32> {
        let (book, _) = self.store.book(self.book).await?;
        Ok(book.context("the book")?.stock.count())
    }

    async fn collection(&self, name: &str) -> Result<Collection<Document>> {
        let client = Client::with_uri_str(&self.uri).await?;
        Ok(client.database(&self.database).collection(name))
    }

    /// Has several servers settle at once, and then again for what is kept until the next time, and for
    /// what is kept for an hour.
    async fn settle(&self, servers: usize) -> Result<()> {
        let connecting = (0..servers).map(|_| connect(&self.uri, &self.database));
        let servers = try_join_all(connecting).await?;
        for later in [1, 2, 2 * 60 * 60] {
            let before = Timestamp::now() + Duration::from_secs(later);
            try_join_all(servers.iter().map(|server| server.settle_orders(before))).await?;
        }
        Ok(())
    }

    /// Nothing is left to do, and nothing marked.
    async fn is_tidy(&self) -> Result<()> {
        let left = doc! { "todo": { "$exists": true } };
        assert_eq!(self.collection("orders").await?.find_one(left).await?, None);
        let book = self.collection("books").await?.find_one(doc! {}).await?.context("the book")?;
        for marks in ["holds", "returns"] {
            assert!(book.get_document(marks).map_or(true, Document::is_empty), "{book}");
        }
        Ok(())
    }
}

async fn connect(uri: &str, database: &str) -> Result<Arc<dyn Store>> {
    let config = MongoConfig { database: database.to_owned(), ..MongoConfig::default() };
    Ok(Arc::new(MongoStore::connect(uri, config).await?))
}

fn id(uuid: uuid::Uuid) -> Bson {
    Binary { subtype: BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }.into()
}

fn long_ago() -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis() - 60_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_cancelled_orders_come_back_once_however_many_servers_settle() -> Result<()> {
    let shop = Shop::new(java_server(), "returns").await?;
    let mut orders = Vec::new();
    for quantity in 1..=20 {
        orders.push(shop.place(quantity).await?);
    }
    assert_eq!(shop.stock().await?, COPIES - 210);
    // Cancelled by a server that died right after that.
    let kept = shop.collection("orders").await?;
    for order in &orders[..10] {
        let cancel = doc! { "status": "cancelled", "todo": "return", "todoSince": long_ago() };
        kept.update_one(doc! { "_id": id(order.id.uuid()) }, doc! { "$set": cancel }).await?;
    }
    shop.settle(4).await?;
    assert_eq!(shop.stock().await?, COPIES - 210 + 55);
    shop.is_tidy().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undecided_orders_are_decided_once_however_many_servers_settle() -> Result<()> {
    let shop = Shop::new(java_server(), "decides").await?;
    let model = shop.place(1).await?;
    let kept = shop.collection("orders").await?;
    let model = kept.find_one(doc! { "_id": id(model.id.uuid()) }).await?.context("the order")?;
    // Noted by a server that died before it had taken a copy: more than there are.
    for _ in 0..12 {
        let mut order = model.clone();
        order.insert("_id", Uuid::from_bytes(*uuid::Uuid::now_v7().as_bytes()));
        order.insert("status", "pending");
        order.insert("todo", "decide");
        order.insert("todoSince", long_ago());
        let items = order.get_array_mut("items")?;
        items[0].as_document_mut().context("an item")?.insert("quantity", 100_i64);
        kept.insert_one(order).await?;
    }
    shop.settle(4).await?;
    let placed = kept.count_documents(doc! { "status": "placed" }).await?;
    let rejected = kept.count_documents(doc! { "status": "rejected" }).await?;
    assert_eq!((placed, rejected), (10, 3));
    assert_eq!(shop.stock().await?, COPIES - 1 - 900);
    shop.is_tidy().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_makes_no_sense_keeps_no_order_pending() -> Result<()> {
    let shop = Shop::new(java_server(), "broken").await?;
    let placed = shop.place(1).await?;
    let broken = Uuid::new();
    let books = shop.collection("books").await?;
    books.insert_one(doc! { "_id": broken, "title": 7, "stock": 2_i64 }).await?;
    // Left by a server that died, and one book was made unreadable after that.
    let kept = shop.collection("orders").await?;
    let filter = doc! { "_id": id(placed.id.uuid()) };
    let mut order = kept.find_one(filter).await?.context("the order")?;
    order.insert("_id", Uuid::from_bytes(*uuid::Uuid::now_v7().as_bytes()));
    order.extend(doc! { "status": "pending", "todo": "decide", "todoSince": long_ago() });
    let items = order.get_array_mut("items")?;
    let mut item = items[0].clone();
    let fields = item.as_document_mut().context("an item")?;
    fields.extend(doc! { "book": broken, "quantity": 3_i64 });
    items.push(item);
    kept.insert_one(order).await?;
    shop.settle(2).await?;
    let left = doc! { "status": { "$in": ["pending", "rejected"] } };
    let left = kept.find_one(left).await?.context("the order")?;
    assert_eq!(left.get_str("status")?, "rejected");
    assert_eq!(shop.stock().await?, COPIES - 1);

    // Nor is it sold, though it is ordered with others.
    let both = json!({
        "items": [
            { "bookId": shop.book, "quantity": 1 }, { "bookId": broken.to_string(), "quantity": 1 },
        ],
        "customer": { "name": "Ada" },
    });
    let draft = bookhub_core::OrderDraft::from_json(both.as_object().context("an object")?)?;
    let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
    let refused = Orders::new(Arc::clone(&shop.store)).place(user, draft, None).await;
    assert!(matches!(refused, Err(bookhub_core::OrdersError::OutOfStock(_))), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_cancelled_while_its_marks_go_keeps_none() -> Result<()> {
    let shop = Shop::new(java_server(), "cancels").await?;
    let orders = Orders::new(Arc::clone(&shop.store));
    let placed = try_join_all((0..20).map(|_| shop.place(2))).await?;
    // At once: the marks of holding are being taken away.
    let cancel = |order: &Arc<Order>| {
        let (orders, id) = (orders.clone(), order.id);
        async move { orders.set_status(id, bookhub_core::OrderStatus::Cancelled).await }
    };
    try_join_all(placed.iter().map(cancel)).await?;
    shop.settle(2).await?;
    assert_eq!(shop.stock().await?, COPIES);
    shop.is_tidy().await
}

/// Where the server does not tell of changes, and does not say what has become of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_which_nobody_knows_whether_it_was_done_is_no_silent_hole() -> Result<()> {
    let database = Database::ferretdb();
    let shop = Shop::new(&database, "unknown").await?;
    let after = shop.store.head().await?;
    let mut changes = shop.store.changes(after);
    let process = Pid::from_raw(database.id().cast_signed()).context("a process")?;
    kill_process(process, Signal::STOP)?;
    let failed = shop.store.adjust_stock(shop.book, 1).await;
    kill_process(process, Signal::CONT)?;
    assert!(matches!(failed, Err(BookWriteError::Store(StoreError::Unavailable(_)))), "{failed:?}");
    let told = timeout(PATIENCE, changes.next()).await?.context("the feed goes on")?;
    let Err(FeedError::HistoryExpired { oldest }) = told else {
        panic!("told as if nothing were missing: {told:?}");
    };
    // And all goes on from there.
    let mut changes = shop.store.changes(oldest);
    shop.place(1).await?;
    assert!(timeout(PATIENCE, changes.next()).await?.context("the feed goes on")?.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_for_nobody_is_given_back() -> Result<()> {
    for server in [java_server(), ferret()] {
        let shop = Shop::new(server, "strays").await?;
        let order = shop.place(5).await?;
        // Held by a server that was too slow: for an order that is decided, and for one that is gone.
        let books = shop.collection("books").await?;
        for order in [order.id.to_string(), uuid::Uuid::now_v7().to_string()] {
            let hold = doc! {
                "$inc": { "stock": -7_i64, "stockVersion": 1_i64 },
                "$set": { format!("holds.{order}"): 7_i64, "heldAt": long_ago() },
            };
            books.update_one(doc! {}, hold).await?;
        }
        assert_eq!(shop.stock().await?, COPIES - 5 - 14);
        shop.settle(1).await?;
        assert_eq!(shop.stock().await?, COPIES - 5);
        shop.is_tidy().await?;
    }
    Ok(())
}
