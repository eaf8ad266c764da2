//! `/api/dashboard/stats`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bookhub_tests::{PATIENCE, Person, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{answer, fields, header, is_refused, sent};

const STATS: &str = "/api/dashboard/stats";

/// What the dashboard shows once it shows this at a place; what was committed comes to it a moment later.
pub(crate) async fn shown(
    admin: &Person,
    query: &str,
    pointer: &str,
    expected: &Value,
) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let stats = admin.get(&format!("{STATS}{query}")).await?;
        if stats.pointer(pointer) == Some(expected) {
            return Ok(stats);
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "{pointer} is not {expected}: {stats:#}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn place(who: &Person, items: &[(&Value, u32)]) -> Result<Value> {
    let item = |(book, quantity): &(&Value, u32)| {
        let id = book["id"].clone();
        json!({ "bookId": id, "quantity": quantity })
    };
    let items: Vec<_> = items.iter().map(item).collect();
    let order = json!({ "items": items, "customer": { "name": "Asha" } });
    let (status, body) = sent(who, Method::POST, "/api/orders", &order).await?;
    anyhow::ensure!(status == 201, "{body}");
    Ok(body)
}

async fn moved(admin: &Person, order: &Value, status: &str) -> Result<()> {
    let path = format!("/api/orders/{}", order["id"].as_str().context("an id")?);
    let (answered, body) = sent(admin, Method::PATCH, &path, &json!({ "status": status })).await?;
    anyhow::ensure!(answered == 200, "{body}");
    Ok(())
}

pub(crate) async fn the_dashboard_tells_what_was_sold(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    let stats = admin.get(STATS).await?;
    let none = json!({ "orders": 0, "revenue": 0, "copies": 0 });
    assert_eq!((&stats["days"], &stats["period"]), (&json!(30), &none), "{stats:#}");
    for list in ["topBooks", "byGenre", "lowStock"] {
        assert_eq!(stats[list], json!([]));
    }
    let (emma, persuasion) = (admin.create("Emma").await?, admin.create("Persuasion").await?);
    let id = persuasion["id"].as_str().context("an id")?;
    admin.patch(id, &json!({ "genre": "Classics", "price": 99.5 })).await?;

    place(&asha, &[(&emma, 1), (&persuasion, 4)]).await?;
    let cancelled = place(&asha, &[(&emma, 5)]).await?;
    moved(&admin, &cancelled, "cancelled").await?;
    let delivered = place(&admin, &[(&emma, 2)]).await?;
    moved(&admin, &delivered, "shipped").await?;
    moved(&admin, &delivered, "delivered").await?;

    let sold = json!({ "orders": 2, "revenue": 1148, "copies": 7 });
    let stats = shown(&admin, "?days=2", "/period", &sold).await?;
    let totals = json!({ "books": 2, "users": 2, "orders": 2, "revenue": 1148, "copies": 7 });
    assert_eq!(stats["totals"], totals, "{stats:#}");
    let top = json!([
        { "bookId": id, "title": "Persuasion", "author": "Ada Writer", "copies": 4, "revenue": 398 },
        {
            "bookId": emma["id"], "title": "Emma", "author": "Ada Writer", "copies": 3,
            "revenue": 750,
        },
    ]);
    assert_eq!(stats["topBooks"], top);
    let genres = json!([
        { "genre": "Classics", "books": 1, "copies": 4, "revenue": 398 },
        { "genre": "Tests", "books": 1, "copies": 3, "revenue": 750 },
    ]);
    assert_eq!(stats["byGenre"], genres);
    // Both began with seven copies.
    let low = json!([
        { "id": id, "title": "Persuasion", "author": "Ada Writer", "stock": 3 },
        { "id": emma["id"], "title": "Emma", "author": "Ada Writer", "stock": 4 },
    ]);
    assert_eq!((&stats["lowStock"], &stats["lowStockCount"]), (&low, &json!(2)));

    // A day that is over while the test runs is still in the period.
    let days = stats["revenueByDay"].as_array().context("a list")?;
    assert_eq!((&days[0]["date"], &days[1]["date"]), (&stats["from"], &stats["to"]));
    let copies: u64 = days.iter().filter_map(|day| day["copies"].as_u64()).sum();
    assert_eq!((days.len(), copies), (2, 7), "{stats:#}");
    let year = shown(&admin, "?days=365", "/period", &sold).await?;
    assert_eq!(year["revenueByDay"].as_array().map(Vec::len), Some(365));
    let read = admin.send(Method::GET, STATS, &Value::Null).await?;
    assert_eq!(header(&read, "cache-control")?, "no-store");
    Ok(())
}

pub(crate) async fn a_book_that_is_gone_is_still_told_of(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    let (emma, persuasion) = (admin.create("Emma").await?, admin.create("Persuasion").await?);
    place(&admin, &[(&emma, 3), (&persuasion, 2)]).await?;
    shown(&admin, "", "/period/copies", &json!(5)).await?;
    let [emma, persuasion] = [&emma, &persuasion].map(|book| book["id"].as_str());
    admin.delete(emma.context("an id")?).await?;
    admin.patch(persuasion.context("an id")?, &json!({ "title": "Persuasion, revised" })).await?;
    let genres = json!([{ "genre": "Tests", "books": 1, "copies": 5, "revenue": 1250 }]);
    let stats = shown(&admin, "", "/byGenre", &genres).await?;
    let titles: Vec<_> = stats["topBooks"].as_array().context("a list")?.iter().collect();
    let titles: Vec<_> = titles.iter().map(|book| &book["title"]).collect();
    assert_eq!(titles, ["Emma", "Persuasion, revised"]);
    assert_eq!((&stats["lowStockCount"], &stats["totals"]["books"]), (&json!(1), &json!(1)));
    Ok(())
}

pub(crate) async fn who_is_connected_is_counted(shop: &Server) -> Result<()> {
    let admin = shop.admin().await?;
    assert_eq!(admin.get(STATS).await?["connectedClients"], 0);
    let sockets = [shop.socket().await?, shop.socket().await?];
    assert_eq!(admin.get(STATS).await?["connectedClients"], 2);
    drop(sockets);
    shown(&admin, "", "/connectedClients", &json!(0)).await?;
    Ok(())
}

pub(crate) async fn admins_alone_see_the_dashboard(shop: &Server) -> Result<()> {
    let (admin, asha) = (shop.admin().await?, shop.user("asha").await?);
    is_refused(&answer(asha.request(Method::GET, STATS)).await?, 403, "admin_required");
    let guest = reqwest::Client::new().get(format!("{}{STATS}", shop.url));
    is_refused(&answer(guest).await?, 401, "login_required");
    for wrong in
        ["days=0", "days=366", "days=-1", "days=x", "days=", "days=1.5", "days=7&days=7", "user=me"]
    {
        let refused = answer(admin.request(Method::GET, &format!("{STATS}?{wrong}"))).await?;
        is_refused(&refused, 400, "invalid");
        assert_eq!(fields(&refused.1), [wrong.split('=').next().unwrap_or_default()], "{wrong}");
    }
    let refused = answer(admin.request(Method::POST, STATS)).await?;
    is_refused(&refused, 405, "method_not_allowed");
    Ok(())
}
