//! A database that goes away: nothing acknowledged is lost, nobody hangs, and all goes on by itself.

use std::time::{Duration, Instant};

use anyhow::Result;
use bookhub_tests::{Database, PATIENCE, Person, Server, java_server};
use mongodb::{
    Client,
    bson::{Document, doc},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Generous: an answer is due in two seconds.
const PROMPT: Duration = Duration::from_secs(10);

async fn ready(admin: &Person) -> Result<StatusCode> {
    Ok(admin.send(Method::GET, "/health/ready", &Value::Null).await?.status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_among_writes_has_all_that_was_acknowledged() -> Result<()> {
    let mut database = Database::ferretdb();
    let server = Server::with(&[], &[("MONGODB_URI", &database.uri("shop"))]).await?;
    let admin = server.admin().await?;
    let mut socket = server.socket().await?;

    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let admin = admin.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..200 {
                    match admin.create(&format!("Book {writer} {number}")).await {
                        Ok(book) => acknowledged.push(book),
                        Err(_) => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    let first = socket.next().await?;
    assert_eq!(first["event"], "book:created");
    sleep(Duration::from_millis(300)).await;
    database.kill()?;
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await?);
    }
    assert!(!acknowledged.is_empty());

    // Reads, writes and the health checks say so, soon and with a time to come back.
    for (method, path, body) in [
        (Method::GET, "/api/books", Value::Null),
        (Method::PATCH, "/api/books/01890a5d-ac96-774b-bcce-b302099a8057", json!({ "price": 1 })),
    ] {
        let begun = Instant::now();
        let answer = admin.send(method, path, &body).await?;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    }
    assert_eq!(ready(&admin).await?, StatusCode::SERVICE_UNAVAILABLE);
    // The hub stays: a client can wait for better times.
    let mut waiting = server.socket().await?;

    database.restart();
    let begun = Instant::now();
    while ready(&admin).await? != StatusCode::OK {
        assert!(begun.elapsed() < PATIENCE, "the server does not come back by itself");
        sleep(Duration::from_millis(50)).await;
    }
    for book in &acknowledged {
        let id = book["id"].as_str().unwrap_or_default();
        assert_eq!(admin.get(&format!("/api/books/{id}")).await?["title"], book["title"]);
    }
    let late = admin.create("Better times").await?;
    assert_eq!(waiting.next().await?["data"]["id"], late["id"]);
    Ok(())
}

#[tokio::test]
async fn a_server_without_its_database_says_so_and_ends() -> Result<()> {
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let uri = format!("mongodb://shop:s3cret@{free}/shop");
    let environment = [("MONGODB_URI", &*uri), ("MONGODB_PATIENCE", "2")];
    let output = Server::command(&[], &environment).output().await?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(5), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("bookhub-server: The database cannot be reached"), "{last}");
    assert!(last.contains(&free.to_string()) && !said.contains("s3cret"), "{said}");

    let unreadable = [("MONGODB_URI", "mongodb://shop:s3c/ret@host/shop")];
    let output = Server::command(&[], &unreadable).output().await?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("percent-encoded") && !said.contains("s3c"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_catalogue_that_the_shop_cannot_keep_in_order_is_told_with_the_way_out() -> Result<()> {
    let name = format!("twins_{}", std::process::id());
    let uri = java_server().uri(&name);
    let books = Client::with_uri_str(&uri).await?.database(&name).collection::<Document>("books");
    books.insert_many([1, 2].map(|id| doc! { "_id": id, "isbn": "9780141439587" })).await?;
    let output = Server::command(&[], &[("MONGODB_URI", &*uri)]).output().await?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(3), "{said}");
    for part in ["isbn", "of books", "9780141439587", "change one"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    Ok(())
}
