//! Files of books, whose database is killed or out of reach in the middle.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bookhub_tests::{Database, PATIENCE, Person, Relay, Server, java_server};
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

const HEADER: &str = "title,author,genre,year,price,isbn\n";

/// Rows of books with ISBNs of their own.
fn rows(numbers: std::ops::Range<u64>) -> String {
    numbers.fold(String::new(), |mut rows, number| {
        let body = 978_000_000_000 + number;
        let digit = |place: u32| body / 10_u64.pow(11 - place) % 10;
        let sum: u64 = (0..12).map(|place| digit(place) * if place % 2 == 0 { 1 } else { 3 }).sum();
        let check = (10 - sum % 10) % 10;
        let _ = writeln!(rows, "Book {number},Ada Writer,Tests,2000,1,{body}{check}");
        rows
    })
}

fn import(who: &Person, query: &str, kind: &str, file: impl Into<Body>) -> RequestBuilder {
    let request = who.request(Method::POST, &format!("/api/books/import{query}"));
    request.header("content-type", kind).body(file)
}

/// How many books there are, once the database answers again.
async fn count(admin: &Person) -> Result<u64> {
    timeout(PATIENCE, async {
        loop {
            let page = admin.send(Method::GET, "/api/books?limit=1", &Value::Null).await?;
            if page.status() == 200 {
                let total = page.headers().get("x-total-count").context("a total")?;
                return Ok(total.to_str()?.parse()?);
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await?
}

async fn failed(response: Response, code: &str) -> Result<Value> {
    let status = response.status();
    let body: Value = response.json().await?;
    ensure!(status == 503 && body["code"] == code, "{status} {body}");
    Ok(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_whose_database_is_killed_says_how_far_it_came() -> Result<()> {
    let mut database = Database::ferretdb();
    let server = Server::with(&[], &[("MONGODB_URI", &database.uri("shop"))]).await?;
    let admin = server.admin().await?;
    let (pieces, come) = mpsc::channel::<Result<String>>(1);
    let file = stream::unfold(come, async |mut come| Some((come.recv().await?, come)));
    let sending =
        tokio::spawn(import(&admin, "", "text/csv", Body::wrap_stream(file.boxed())).send());
    pieces.send(Ok(format!("{HEADER}{}", rows(0..700)))).await?;
    while !sending.is_finished() && count(&admin).await? < 500 {
        sleep(Duration::from_millis(50)).await;
    }
    database.kill()?;
    pieces.send(Ok(rows(700..1_500))).await?;
    drop(pieces);
    let body = failed(sending.await??, "database_unavailable").await?;
    let created = body["report"]["created"].as_u64().context("a number")?;
    assert_eq!(body["report"]["failed"], 0, "{body}");

    database.restart();
    let there = count(&admin).await?;
    // What it says is there, and of the rows behind it perhaps a batch.
    assert!((created..=created + 500).contains(&there), "{created} {there}");
    let file = format!("{HEADER}{}", rows(0..1_500));
    let again = import(&admin, "?existing=skip", "text/csv", file).send().await?;
    let status = again.status();
    let report: Value = again.json().await?;
    assert_eq!(status, 200, "{report}");
    let expected = [1_500 - there, there, 0].map(Value::from);
    assert_eq!(["created", "skipped", "failed"].map(|kind| report[kind].clone()), expected);
    assert_eq!(count(&admin).await?, 1_500);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_or_nothing_is_nothing_once_the_database_is_back() -> Result<()> {
    let relay = Relay::to(java_server().address()).await?;
    let uri = format!("mongodb://{}/undone_{}", relay.address(), std::process::id());
    let server = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let admin = server.admin().await?;
    let file = format!("{HEADER}{}", rows(0..6_000));
    let sending = tokio::spawn(import(&admin, "?atomic=true", "text/csv", file).send());
    while !sending.is_finished() && count(&admin).await? < 500 {
        sleep(Duration::from_millis(5)).await;
    }
    relay.cut();
    // For longer than a write is waited for.
    sleep(Duration::from_secs(13)).await;
    relay.mend();
    let body = failed(sending.await??, "import_undone").await?;
    assert_eq!(body["report"]["created"], 0, "{body}");
    assert_eq!(count(&admin).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_does_not_look_whole() -> Result<()> {
    let mut database = Database::java_server();
    let server = Server::with(&[], &[("MONGODB_URI", &database.uri("shop"))]).await?;
    let admin = server.admin().await?;
    // More than what the sockets on the way hold.
    let description = "x".repeat(10_000);
    let book = json!({
        "title": "T", "author": "A", "genre": "G", "year": 1, "price": 1, "description": description,
    });
    let file = format!("{book}\n").repeat(3_000);
    let made = import(&admin, "", "application/x-ndjson", file).send().await?;
    let report: Value = made.error_for_status()?.json().await?;
    assert_eq!(report["created"], 3_000, "{report}");
    let whole = admin.send(Method::GET, "/api/books/export", &Value::Null).await?;
    let whole = whole.error_for_status()?;
    assert_eq!(whole.text().await?.lines().count(), 3_001);

    let mut part = admin.send(Method::GET, "/api/books/export", &Value::Null).await?;
    assert_eq!(part.status(), 200);
    assert!(part.chunk().await?.is_some());
    database.kill()?;
    let rest = async {
        while part.chunk().await?.is_some() {}
        anyhow::Ok(())
    };
    assert!(timeout(PATIENCE, rest).await?.is_err(), "it is cut off");
    let refused = admin.send(Method::GET, "/api/books/export", &Value::Null).await?;
    failed(refused, "database_unavailable").await?;
    Ok(())
}
