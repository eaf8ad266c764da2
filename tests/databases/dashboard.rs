//! The figures of several servers, and of one that begins anew.

use anyhow::Result;
use bookhub_tests::{Person, Server, java_server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::dashboard::shown;

async fn place(who: &Person, book: &Value) -> Result<()> {
    let items = json!([{ "bookId": book["id"], "quantity": 1 }]);
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let placed = who.send(Method::POST, "/api/orders", &order).await?;
    anyhow::ensure!(placed.status() == 201, "{}", placed.text().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_every_server_count_also_after_a_restart() -> Result<()> {
    let uri = java_server().uri(&format!("dashboard_{}", std::process::id()));
    // Also where nobody is told of changes.
    let settings = [("MONGODB_URI", &*uri), ("REALTIME_ENABLED", "false")];
    let server = || Server::with(&[], &settings);
    let (one, other) = (server().await?, server().await?);
    let admin = one.admin().await?;
    let book = admin.create("Emma").await?;
    place(&admin, &book).await?;
    place(&admin.at(&other), &book).await?;
    for server in [&one, &other] {
        shown(&admin.at(server), "", "/period/orders", &json!(2)).await?;
    }
    one.kill().await?;
    place(&admin.at(&other), &book).await?;
    let third = server().await?;
    let stats = shown(&admin.at(&third), "", "/totals/orders", &json!(3)).await?;
    assert_eq!(stats["period"], json!({ "orders": 3, "revenue": 750, "copies": 3 }));
    assert_eq!(stats["byGenre"][0]["copies"], 3);
    place(&admin.at(&third), &book).await?;
    for server in [&other, &third] {
        shown(&admin.at(server), "", "/period/orders", &json!(4)).await?;
    }
    Ok(())
}
