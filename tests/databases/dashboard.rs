//! The figures of several servers, and of one that begins amid orders.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bookhub_core::{
    BookDraft, Catalog, Dashboard, DashboardQuery, MongoConfig, MongoStore, OrderDraft,
    OrderStatus, Orders, Store, UserId,
};
use bookhub_tests::{Database, PATIENCE, Person, Server, ferret, java_server};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_amid_orders_counts_each_once_with_change_streams() -> Result<()> {
    count_amid_orders(java_server()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_amid_orders_counts_each_once_without_change_streams() -> Result<()> {
    count_amid_orders(ferret()).await
}

/// Several buyers place and cancel orders all the while that dashboards begin.
async fn count_amid_orders(server: &Database) -> Result<()> {
    const BUYERS: u64 = 4;
    const EACH: u64 = 15;
    let database = format!("amid_{}", std::process::id());
    let config = MongoConfig { database, ..MongoConfig::default() };
    let store: Arc<dyn Store> = Arc::new(MongoStore::connect(&server.uri(""), config).await?);
    let book = json!({
        "title": "Emma", "author": "Jane Austen", "genre": "Tests", "year": 1815, "price": 100,
        "stock": 10_000,
    });
    let draft = BookDraft::from_json(book.as_object().context("an object")?)?;
    let book = Catalog::new(Arc::clone(&store)).create(draft).await?.id;
    let order = json!({
        "items": [{ "bookId": book, "quantity": 1 }], "customer": { "name": "Ada" },
    });
    let draft = OrderDraft::from_json(order.as_object().context("an object")?)?;
    let buy = |_| {
        let (orders, draft) = (Orders::new(Arc::clone(&store)), draft.clone());
        async move {
            let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
            for number in 0..EACH {
                let placed = orders.place(user, draft.clone(), None).await?;
                if number % 3 == 0 {
                    orders.set_status(placed.id, OrderStatus::Cancelled).await?;
                }
            }
            anyhow::Ok(())
        }
    };
    let watch = async {
        let mut dashboards = Vec::new();
        for _ in 0..10 {
            let dashboard = Dashboard::new(Arc::clone(&store));
            dashboards.push((tokio::spawn(dashboard.clone().follow()), dashboard));
            sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(dashboards)
    };
    let (_, dashboards) = tokio::try_join!(try_join_all((0..BUYERS).map(buy)), watch)?;
    let left = BUYERS * (EACH - EACH.div_ceil(3));
    for (following, dashboard) in dashboards {
        let is_told = async {
            while dashboard.stats(&DashboardQuery::default()).await?.period.orders != left {
                sleep(std::time::Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        let told = timeout(PATIENCE, is_told).await;
        let stats = dashboard.stats(&DashboardQuery::default()).await?;
        assert!(told.is_ok(), "{left} orders are left: {:?}", stats.period);
        told??;
        assert_eq!((stats.totals.sales, stats.period.copies), (stats.period, left));
        following.abort();
    }
    Ok(())
}
