//! What a raw WebSocket sees of the catalogue.

use std::collections::HashMap;

use anyhow::Result;
use bookhub_tests::{Server, Socket};
use futures_util::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_raw_client_sees_each_change_in_the_order_of_the_commits() -> Result<()> {
    let server = Server::start().await?;
    let admin = server.admin().await?;
    let mut socket = server.socket().await?;
    let book = admin.create("Live").await?;
    let id = book["id"].as_str().unwrap();
    admin.patch(id, &json!({ "price": 10 })).await?;
    let stock = json!({ "delta": 1, "reason": "found one" });
    admin.send(Method::POST, &format!("/api/books/{id}/stock"), &stock).await?;
    admin.delete(id).await?;

    let created = socket.next().await?;
    assert_eq!((&created["event"], &created["topic"]), (&json!("book:created"), &json!("books")));
    let mut expected = book.clone();
    for absent in ["isNew", "isUpdated"] {
        expected.as_object_mut().unwrap().remove(absent);
    }
    assert_eq!(created["data"], expected);
    let updated = socket.next().await?;
    assert_eq!(
        (&updated["event"], &updated["data"]["price"]),
        (&json!("book:updated"), &json!(10))
    );
    let restocked = socket.next().await?;
    assert_eq!(restocked["data"]["stock"], 8);
    assert_eq!(restocked["data"]["version"], 2, "a sale is no edit");
    let deleted = socket.next().await?;
    assert_eq!(
        (&deleted["event"], &deleted["data"]),
        (&json!("book:deleted"), &json!({ "id": id }))
    );
    let ids = [&created, &updated, &restocked, &deleted].map(|event| event["id"].to_string());
    assert!(ids.is_sorted(), "{ids:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_for_a_write_that_failed() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let mut socket = server.socket().await?;
    let id = admin.create("Only").await?["id"].as_str().unwrap().to_owned();
    assert_eq!(socket.next().await?["data"]["title"], "Only");
    let path = format!("/api/books/{id}");
    let stale = admin.request(Method::PUT, &path).header("If-Match", "\"7.1.0\"");
    let refused = [
        admin.send(Method::POST, "/api/books", &json!({ "title": "" })).await?,
        admin.send(Method::PATCH, &path, &json!({ "price": -1 })).await?,
        admin
            .send(Method::POST, &format!("{path}/stock"), &json!({ "delta": -99, "reason": "x" }))
            .await?,
        admin.send(Method::DELETE, "/api/books/none", &Value::Null).await?,
        stale.json(&json!({ "price": 5 })).send().await?,
    ];
    for answer in refused {
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    // A change that changes nothing is no change either.
    admin.patch(&id, &json!({ "title": "Only" })).await?;
    admin.patch(&id, &json!({ "title": "Marker" })).await?;
    assert_eq!(socket.next().await?["data"]["title"], "Marker");
    Ok(())
}

#[tokio::test]
async fn concurrent_writers_reach_all_clients_in_one_order() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let mut sockets = try_join_all((0..5).map(|_| server.socket())).await?;
    let ids = try_join_all((0..10).map(|n| {
        let admin = admin.clone();
        async move { admin.create(&format!("Book {n}")).await }
    }))
    .await?;
    try_join_all(ids.iter().flat_map(|book| (1..=10).map(move |price| (book, price))).map(
        |(book, price)| {
            let (admin, id) = (admin.clone(), book["id"].as_str().unwrap().to_owned());
            async move { admin.patch(&id, &json!({ "price": price * 100 })).await }
        },
    ))
    .await?;
    let mut histories = Vec::new();
    for socket in &mut sockets {
        let mut history = Vec::new();
        let mut versions: HashMap<String, u64> = HashMap::new();
        // Creations, and a hundred changes: no price is set twice on a book.
        while history.len() < 110 {
            let event = socket.next().await?;
            let version = event["data"]["version"].as_u64().unwrap();
            let before = versions.insert(event["data"]["id"].to_string(), version).unwrap_or(0);
            assert_eq!(version, before + 1, "each version once and in order");
            history.push(event);
        }
        histories.push(history);
    }
    assert!(histories.iter().all(|history| *history == histories[0]));
    Ok(())
}

#[tokio::test]
async fn fetch_and_follow_has_no_gap_and_no_repeat() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    admin.create("Before").await?;
    let answer = admin.send(Method::GET, "/api/books", &Value::Null).await?;
    let position = answer.headers()["x-feed-position"].to_str()?.to_owned();
    admin.create("Between").await?;
    let mut socket = Socket::open(&server.url, true).await?;
    let hello = json!({ "type": "hello", "topics": ["books"], "resume": { "last_id": position } });
    socket.say(&hello).await?;
    assert_eq!(socket.next().await?["data"]["recovered"], true);
    socket.next().await?;
    admin.create("After").await?;
    assert_eq!(socket.next().await?["data"]["title"], "Between");
    assert_eq!(socket.next().await?["data"]["title"], "After");
    Ok(())
}

#[tokio::test]
async fn a_page_fetched_after_a_logout_follows_at_once() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let other = server.admin().await?;
    other.send(Method::POST, "/api/auth/logout", &Value::Null).await?;
    let answer = admin.send(Method::GET, "/api/books", &Value::Null).await?;
    let position = answer.headers()["x-feed-position"].to_str()?.to_owned();
    let mut socket = Socket::open(&server.url, true).await?;
    socket.say(&json!({ "type": "hello", "resume": { "last_id": position } })).await?;
    assert_eq!(socket.next().await?["data"]["recovered"], true);
    Ok(())
}

#[tokio::test]
async fn private_topics_need_a_login_and_a_logout_ends_the_socket() -> Result<()> {
    let server = Server::empty().await?;
    let admin = server.admin().await?;
    let topics = json!(["books", "admin", "orders.somebody"]);
    let mut guest = Socket::open(&server.url, true).await?;
    guest.say(&json!({ "type": "hello", "topics": topics })).await?;
    guest.next().await?;
    assert_eq!(guest.next().await?["data"]["denied"], json!(["admin", "orders.somebody"]));

    let mut own = Socket::open(&server.url, true).await?;
    own.say(&json!({ "type": "hello", "topics": topics, "auth": admin.token })).await?;
    own.next().await?;
    assert_eq!(own.next().await?["data"]["denied"], json!([]));
    let out = admin.send(Method::POST, "/api/auth/logout", &Value::Null).await?;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    assert_eq!(own.close_code().await?, 4401);
    Ok(())
}
