//! The HTTP API on a database, and what only that can bring about.

use anyhow::{Context as _, Result};
use bookhub_tests::{Server, java_server};
use mongodb::{
    Client,
    bson::{DateTime, Document, doc},
};
use reqwest::Method;
use serde_json::{Value, json};

fn database(name: &str) -> String {
    format!("api_{}_{}", std::process::id(), &name[..name.len().min(30)])
}

async fn open(name: &str) -> Result<Server> {
    Server::with(&[], &[("MONGODB_URI", &java_server().uri(&database(name)))]).await
}

crate::api::cases!(open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_an_order_that_is_being_placed_is_told_to_ask_again() -> Result<()> {
    let shop = open("in_flight").await?;
    let asha = shop.user("asha").await?;
    let book = shop.admin().await?.create("Emma").await?;
    let items = json!([{ "bookId": book["id"], "quantity": 1 }]);
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let place = || {
        let request = asha.request(Method::POST, "/api/orders").header("idempotency-key", "one");
        request.json(&order).send()
    };
    assert_eq!(place().await?.status(), 201);
    // As it was a moment before.
    let client = Client::with_uri_str(java_server().uri("")).await?;
    let orders = client.database(&database("in_flight")).collection::<Document>("orders");
    let pending = doc! { "status": "pending", "todo": "decide", "todoSince": DateTime::now() };
    orders.update_one(doc! {}, doc! { "$set": pending }).await?;
    let refused = place().await?;
    assert_eq!(refused.status(), 409);
    let after = refused.headers().get("retry-after").context("a time to come back")?;
    assert_eq!(after, "1");
    assert_eq!(refused.json::<Value>().await?["code"], "order_in_flight");
    Ok(())
}
