//! A server's worth of checkouts on a database, to be killed among them: settles what the last one has
//! left, says so, and places orders, a line for each, until it ends; a third of them is cancelled.
//! `checkouts URI DATABASE`

use std::{env, sync::Arc};

use anyhow::{Context as _, Result};
use bookhub_core::{
    BookId, BookQuery, IdempotencyKey, MongoConfig, MongoStore, OrderDraft, OrderStatus, Orders,
    Store, UserId,
};
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::json;

/// How many orders there are to place, each under a key of its own, again and again.
const ORDERS: u32 = 20_000;

/// How many buy at the same time.
const BUYERS: usize = 6;

#[tokio::main]
async fn main() -> Result<()> {
    let [_, uri, database] = <[String; 3]>::try_from(env::args().collect::<Vec<_>>())
        .map_err(|_| anyhow::anyhow!("checkouts URI DATABASE"))?;
    let config = MongoConfig { database, ..MongoConfig::default() };
    let store: Arc<dyn Store> = Arc::new(MongoStore::connect(&uri, config).await?);
    // Whoever had begun is dead.
    store.settle_orders(Timestamp::now()).await?;
    let mut books = store.books(&BookQuery::default()).await?.books;
    books.sort_by_key(|book| book.id);
    let books: Arc<[BookId]> = books.iter().map(|book| book.id).collect();
    say("open");
    let buyers =
        (0..BUYERS).map(|_| tokio::spawn(buy(Orders::new(Arc::clone(&store)), Arc::clone(&books))));
    for buyer in buyers.collect::<Vec<_>>() {
        buyer.await??;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the test waits for it")]
fn say(what: &str) {
    println!("{what}");
}

async fn buy(orders: Orders, books: Arc<[BookId]>) -> Result<()> {
    let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
    loop {
        let number = rand::rng().random_range(0..ORDERS);
        let at = |shift: u32| books[(number / shift) as usize % books.len()];
        let items = json!([
            { "bookId": at(1), "quantity": 1 + number % 3 },
            { "bookId": at(7), "quantity": 1 },
            { "bookId": at(49), "quantity": 2 },
        ]);
        let draft = json!({ "items": items, "customer": { "name": "Ada" } });
        let draft = OrderDraft::from_json(draft.as_object().context("an object")?)?;
        let key = IdempotencyKey::new(&number.to_string())?;
        // Refusals are part of the game.
        if let Ok(order) = orders.place(user, draft, Some(key)).await {
            say("placed");
            if number.is_multiple_of(3) && order.status == OrderStatus::Placed {
                // It may have been cancelled before: then this was a repeat.
                if orders.set_status(order.id, OrderStatus::Cancelled).await.is_ok() {
                    say("cancelled");
                }
            }
        }
    }
}
