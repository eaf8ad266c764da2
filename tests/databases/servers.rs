//! Several servers on one database: whoever writes, and by whatever way, every client hears of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bookhub_tests::{PATIENCE, Relay, Server, Socket, java_server};
use futures_util::future::try_join_all;
use mongodb::{
    Client, Collection,
    bson::{Document, RawDocumentBuf, Uuid, doc},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

/// A database of one test, and the books in it as any program may write them.
struct Shop {
    uri: String,
    books: Collection<RawDocumentBuf>,
}

impl Shop {
    async fn new(name: &str) -> Result<Self> {
        let name = format!("{name}_{}", std::process::id());
        let uri = java_server().uri(&name);
        let client = Client::with_uri_str(&uri).await?;
        Ok(Self { uri, books: client.database(&name).collection("books") })
    }

    async fn server(&self) -> Result<Server> {
        Server::with(&[], &[("MONGODB_URI", &self.uri)]).await
    }

    async fn update(&self, id: &str, change: Document) -> Result<()> {
        let id = doc! { "_id": Uuid::parse_str(id)? };
        let updated = self.books.update_one(id, change).await?;
        anyhow::ensure!(updated.modified_count == 1, "{updated:?}");
        Ok(())
    }
}

/// A socket that follows on from an event of another.
async fn resumed(url: &str, last: &Value) -> Result<Socket> {
    let mut socket = Socket::open(url, true).await?;
    let resume = json!({ "last_id": last["id"] });
    socket.say(&json!({ "type": "hello", "topics": ["books"], "resume": resume })).await?;
    let welcome = socket.next().await?;
    anyhow::ensure!(welcome["event"] == "connection:success", "no welcome: {welcome}");
    anyhow::ensure!(welcome["data"]["recovered"] == true, "not resumed: {welcome}");
    let subscribed = socket.next().await?;
    anyhow::ensure!(subscribed["event"] == "subscribed", "not subscribed: {subscribed}");
    Ok(socket)
}

async fn take(socket: &mut Socket, count: usize) -> Result<Vec<Value>> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(socket.next().await?);
    }
    Ok(events)
}

fn id(book: &Value) -> Result<&str> {
    book["id"].as_str().context("a book has an id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_by_any_way_reaches_the_clients_of_every_server_alike() -> Result<()> {
    let shop = Shop::new("alike").await?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let (mut near, mut far) = (one.socket().await?, other.socket().await?);

    let first = one.admin().await?.create("By the one").await?;
    let second = other.admin().await?.create("By the other").await?;
    shop.update(
        id(&first)?,
        doc! { "$set": { "price": 12_345, "title": "By hand" }, "$inc": { "version": 1 } },
    )
    .await?;
    // A document that is no book, and one of another program that is.
    shop.books.clone_with_type::<Document>().insert_one(doc! { "_id": 7, "title": "?" }).await?;
    let foreign = doc! {
        "_id": Uuid::new(), "title": "From elsewhere", "author": "Émile Zola", "genre": "Tests",
        "year": 1885.0, "price": 100, "stock": 1, "createdAt": mongodb::bson::DateTime::now(),
    };
    shop.books.clone_with_type::<Document>().insert_one(foreign).await?;
    other.admin().await?.delete(id(&second)?).await?;

    let (heard, heard_too) = (take(&mut near, 5).await?, take(&mut far, 5).await?);
    assert_eq!(heard, heard_too);
    let told: Vec<_> =
        heard.iter().map(|event| (&event["event"], &event["data"]["title"])).collect();
    let (created, updated, deleted) =
        (json!("book:created"), json!("book:updated"), json!("book:deleted"));
    let titles =
        ["By the one", "By the other", "By hand", "From elsewhere"].map(|title| json!(title));
    assert_eq!(
        told,
        [
            (&created, &titles[0]),
            (&created, &titles[1]),
            (&updated, &titles[2]),
            (&created, &titles[3]),
            (&deleted, &Value::Null),
        ]
    );
    assert_eq!(heard[2]["data"]["price"], 123.45);

    // What others wrote is found and sorted like the rest, and what is no book is passed over.
    for server in [&one, &other] {
        let admin = server.admin().await?;
        let all = admin.get("/api/books?sort=title").await?;
        let titles: Vec<_> =
            all.as_array().context("a list")?.iter().map(|b| &b["title"]).collect();
        assert_eq!(titles, ["By hand", "From elsewhere"]);
        assert_eq!(admin.get("/api/genres").await?, json!([{ "genre": "Tests", "count": 2 }]));
        assert_eq!(admin.get("/api/books?q=emile").await?.as_array().map(Vec::len), Some(1));
        assert_eq!(admin.get("/api/books?q=by+han").await?.as_array().map(Vec::len), Some(1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_goes_on_behind_pages_of_nonsense() -> Result<()> {
    let shop = Shop::new("nonsense").await?;
    let server = shop.server().await?;
    let admin = server.admin().await?;
    admin.create("The first").await?;
    let nonsense = (0..150).map(|_| {
        let now = mongodb::bson::DateTime::now();
        doc! { "_id": Uuid::new(), "title": 7, "price": "free", "createdAt": now }
    });
    shop.books.clone_with_type::<Document>().insert_many(nonsense).await?;
    admin.create("The last").await?;
    let (mut path, mut titles) = ("/api/books?limit=1".to_owned(), Vec::new());
    loop {
        let answer = admin.send(Method::GET, &path, &Value::Null).await?.error_for_status()?;
        let link = answer.headers().get("link").map(|link| link.to_str().map(str::to_owned));
        let books: Vec<Value> = answer.json().await?;
        titles.extend(books.into_iter().map(|book| book["title"].clone()));
        let Some(link) = link.transpose()? else { break };
        let next = link.split(['<', '>']).nth(1).context("a link")?;
        path = next.to_owned();
    }
    assert_eq!(titles, ["The last", "The first"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_makes_no_sense_is_not_removed_behind_an_error() -> Result<()> {
    let shop = Shop::new("senseless").await?;
    let server = shop.server().await?;
    let admin = server.admin().await?;
    let id = Uuid::new();
    let books = shop.books.clone_with_type::<Document>();
    books.insert_one(doc! { "_id": id, "title": "Emma", "price": "free" }).await?;
    let path = format!("/api/books/{id}");
    let refused = admin.send(Method::DELETE, &path, &Value::Null).await?;
    assert_eq!(refused.status(), 500);
    assert!(books.find_one(doc! { "_id": id }).await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_begin_one_shop() -> Result<()> {
    let shop = Shop::new("at_once").await?;
    let servers = try_join_all((0..4).map(|_| shop.server())).await?;
    let mut sockets = Vec::new();
    for server in &servers {
        sockets.push(server.socket().await?);
    }
    let book = servers[3].admin().await?.create("By the last").await?;
    let heard = try_join_all(sockets.iter_mut().map(Socket::next)).await?;
    assert_eq!(heard[0]["data"]["id"], book["id"]);
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "{heard:?}");
    // The login of one holds at all.
    let admin = servers[0].admin().await?;
    for server in &servers {
        let there = admin.at(server);
        assert_eq!(there.get("/api/auth/profile").await?["username"], "admin");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_out_of_reach_has_lost_no_change() -> Result<()> {
    let shop = Shop::new("reach").await?;
    let relay = Relay::to(java_server().address()).await?;
    let uri = shop.uri.replace(&java_server().address().to_string(), &relay.address().to_string());
    let far = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let near = shop.server().await?;
    let admin = near.admin().await?;
    let (mut cut, mut whole) = (far.socket().await?, near.socket().await?);
    admin.create("Before").await?;
    assert_eq!(cut.next().await?, whole.next().await?);

    relay.cut();
    for number in 0..10 {
        admin.create(&format!("Meanwhile {number}")).await?;
    }
    let there = admin.at(&far);
    let ready = async || there.send(Method::GET, "/health/ready", &Value::Null).await;
    assert_eq!(ready().await?.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Nobody can say whose login this is; that is no refusal.
    let mut early = Socket::open(&far.url, true).await?;
    early.say(&json!({ "type": "hello", "auth": admin.token })).await?;
    assert_eq!(early.next().await?["data"]["code"], "unavailable");
    assert_eq!(early.close_code().await?, 1013);

    relay.mend();
    assert_eq!(take(&mut cut, 10).await?, take(&mut whole, 10).await?);
    let begun = Instant::now();
    while ready().await?.status() != StatusCode::OK {
        assert!(begun.elapsed() < PATIENCE, "the server does not come back by itself");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_again_and_again_passes_over_nothing() -> Result<()> {
    let shop = Shop::new("cuts").await?;
    let relay = Relay::to(java_server().address()).await?;
    let uri = shop.uri.replace(&java_server().address().to_string(), &relay.address().to_string());
    let far = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let near = shop.server().await?;
    let admin = near.admin().await?;
    let (mut cut, mut whole) = (far.socket().await?, near.socket().await?);
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut books = 0;
            while !stop.load(Ordering::Relaxed) {
                admin.create(&format!("Book {books}")).await?;
                books += 1;
                sleep(Duration::from_millis(5)).await;
            }
            anyhow::Ok(books)
        }
    });
    // Short, and so long that the driver gives up, and whoever opens the stream again once more.
    for millis in [300, 1_000, 2_200, 3_400, 3_800, 4_200] {
        sleep(Duration::from_millis(100)).await;
        // An answer that is on its way now is lost.
        relay.cut();
        sleep(Duration::from_millis(millis)).await;
        relay.mend();
    }
    stop.store(true, Ordering::Relaxed);
    let books = writing.await??;
    for number in 0..books {
        let (heard, expected) = (cut.next().await?, whole.next().await?);
        assert_eq!(heard, expected, "{number} of {books}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_goes_on_at_another_server_and_after_a_restart() -> Result<()> {
    let shop = Shop::new("goes_on").await?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let admin = other.admin().await?;
    let mut whole = other.socket().await?;
    let mut cut = one.socket().await?;
    for number in 0..10 {
        admin.create(&format!("Before {number}")).await?;
    }
    let before = take(&mut cut, 4).await?;
    drop(cut);
    one.kill().await?;
    for number in 0..10 {
        admin.create(&format!("Meanwhile {number}")).await?;
    }
    let expected = take(&mut whole, 20).await?;
    assert_eq!(before, expected[..4]);

    let mut elsewhere = resumed(&other.url, &before[3]).await?;
    assert_eq!(take(&mut elsewhere, 16).await?, expected[4..]);
    // A server that comes back has read again what it missed, and what it had told.
    let again = shop.server().await?;
    let mut back = resumed(&again.url, &before[3]).await?;
    assert_eq!(take(&mut back, 16).await?, expected[4..]);
    // Nothing comes twice: the next is the next.
    admin.create("After").await?;
    let next = whole.next().await?;
    assert_eq!(elsewhere.next().await?, next);
    assert_eq!(back.next().await?, next);
    Ok(())
}
