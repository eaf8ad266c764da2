//! What is done to accounts holds on every server of a database.

use anyhow::{Context as _, Result};
use bookhub_tests::{Server, Socket, java_server};
use mongodb::{
    Client,
    bson::{Document, doc},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_deleted_by_any_way_is_gone_on_every_server() -> Result<()> {
    let name = format!("deleted_{}", std::process::id());
    let uri = java_server().uri(&name);
    let one = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let other = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let admin = one.admin().await?;
    for (name, by_a_server) in [("asha", true), ("ravi", false)] {
        let user = one.user(name).await?;
        let mut sockets = Vec::new();
        for server in [&one, &other] {
            let mut socket = Socket::open(&server.url, true).await?;
            socket.say(&json!({ "type": "hello", "topics": [], "auth": user.token })).await?;
            assert_eq!(socket.next().await?["event"], "connection:success");
            sockets.push(socket);
        }
        let id = user.get("/api/auth/profile").await?["id"].clone();
        let id = id.as_str().context("an id")?;
        if by_a_server {
            let path = format!("/api/users/{id}");
            let deleted = admin.send(Method::DELETE, &path, &Value::Null).await?;
            assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        } else {
            let users = Client::with_uri_str(&uri).await?.default_database().context("a name")?;
            let users = users.collection::<Document>("users");
            assert_eq!(users.delete_one(doc! { "username": name }).await?.deleted_count, 1);
        }
        for mut socket in sockets {
            assert_eq!(socket.close_code().await?, 4401, "{name}");
        }
        for server in [&one, &other] {
            let there = user.at(server);
            let refused = there.send(Method::GET, "/api/auth/profile", &Value::Null).await?;
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{name}");
        }
    }
    Ok(())
}
