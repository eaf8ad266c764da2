//! The audit trail outlives whoever writes it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bookhub_tests::{Database, Server};
use futures_util::{TryStreamExt as _, future::join_all};
use mongodb::{
    Client,
    bson::{Document, Uuid, doc},
};
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

/// However a server dies among edits: each one that was made has an entry, and what the trail says was
/// done was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_server_that_is_killed_no_change_lacks_an_entry() -> Result<()> {
    let database = Database::ferretdb();
    let uri = database.uri("killed");
    let kept = Client::with_uri_str(&uri).await?.default_database().context("a name")?;
    let mut books = Vec::new();
    for round in 0..3 {
        let server = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
        let admin = server.admin().await?;
        while books.len() < 4 {
            books.push(admin.create("Emma").await?["id"].as_str().context("an id")?.to_owned());
        }
        let editors = books.iter().map(|id| {
            let (admin, path) = (admin.clone(), format!("/api/books/{id}"));
            tokio::spawn(async move {
                // Until there is no server any more.
                for price in 0.. {
                    let price = json!({ "price": price % 1_000 });
                    if admin.send(Method::PATCH, &path, &price).await.is_err() {
                        break;
                    }
                }
            })
        });
        let editors: Vec<_> = editors.collect();
        sleep(Duration::from_millis(400 + 130 * round)).await;
        server.kill().await?;
        join_all(editors).await;
    }
    // What was sent before a death may still arrive.
    sleep(Duration::from_secs(1)).await;
    let mut all = 0;
    for id in books {
        let id = Uuid::parse_str(&id)?;
        let book = kept.collection::<Document>("books").find_one(doc! { "_id": id }).await?;
        let edits = usize::try_from(book.context("the book is there")?.get_i64("version")? - 1)?;
        let about = doc! { "target.id": id, "action": "book.updated" };
        let entries = kept.collection::<Document>("audit").find(about).await?;
        let entries: Vec<_> = entries.try_collect().await?;
        let is_done = |entry: &&Document| entry.get_str("outcome").is_ok_and(|is| is == "done");
        let done = entries.iter().filter(is_done).count();
        assert!(done <= edits && edits <= entries.len(), "{done}, {edits}, {}", entries.len());
        all += edits;
    }
    assert!(all > 0, "nobody has edited anything");
    Ok(())
}
