//! A change stream that loses its place: clients are told to fetch anew, once, and everything goes on.
//! These tests take servers of their own, since they take the history from all who share one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bookhub_tests::{Database, PATIENCE, Server, Socket};
use mongodb::{
    Client,
    bson::{DateTime, Document, Timestamp, Uuid, doc},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// The database server of one test, and the one database on it.
struct Shop {
    server: Database,
    client: Client,
}

impl Shop {
    async fn new() -> Result<Self> {
        let server = Database::java_server();
        let client = Client::with_uri_str(server.uri("")).await?;
        Ok(Self { server, client })
    }

    async fn server(&self) -> Result<Server> {
        Server::with(&[], &[("MONGODB_URI", &self.server.uri("shop"))]).await
    }

    fn database(&self) -> mongodb::Database {
        self.client.database("shop")
    }

    /// Adds a book as any other program would.
    async fn add(&self, title: &str) -> Result<()> {
        let book = doc! {
            "_id": Uuid::new(), "title": title, "author": "Ada", "genre": "Tests", "year": 2020,
            "price": 100, "stock": 1, "createdAt": DateTime::now(),
        };
        self.database().collection::<Document>("books").insert_one(book).await?;
        Ok(())
    }

    /// Has the server close its streams and forget what they have told.
    async fn forget_history(&self) -> Result<()> {
        self.client.database("admin").run_command(doc! { "forgetHistory": 1 }).await?;
        Ok(())
    }

    /// Adds books until one is heard of by all, alike: those before it fell into what is lost.
    async fn add_until_heard(&self, sockets: &mut [&mut Socket]) -> Result<()> {
        let begun = Instant::now();
        for number in 0.. {
            ensure!(begun.elapsed() < PATIENCE, "nothing is heard any more");
            let title = format!("After {number}");
            self.add(&title).await?;
            let mut heard = Vec::new();
            for socket in &mut *sockets {
                heard.push(hear(socket, &title).await?);
            }
            if let Some(heard) = heard.into_iter().collect::<Option<Vec<_>>>() {
                ensure!(heard.windows(2).all(|pair| pair[0] == pair[1]), "not alike: {heard:?}");
                break;
            }
        }
        Ok(())
    }
}

/// The event of a book of this title, if it comes soon.
async fn hear(socket: &mut Socket, title: &str) -> Result<Option<Value>> {
    loop {
        match timeout(Duration::from_millis(500), socket.next()).await {
            Ok(event) => {
                let event = event?;
                if event["data"]["title"] == title {
                    return Ok(Some(event));
                }
                let is_known = event["event"] == "resync" || event["event"] == "book:created";
                ensure!(is_known, "neither news nor a resync: {event}");
            }
            Err(_) => return Ok(None),
        }
    }
}

/// The reason of a resync, which has to be next.
async fn resync(socket: &mut Socket) -> Result<String> {
    let mut event = socket.next().await?;
    if event["event"] == "subscribed" {
        event = socket.next().await?;
    }
    ensure!(event["event"] == "resync", "no resync: {event}");
    Ok(event["data"]["reason"].as_str().context("a reason")?.to_owned())
}

/// Connects to go on from an event. Answers the welcome, and the socket.
async fn resume(url: &str, last: &Value) -> Result<(Value, Socket)> {
    let mut socket = Socket::open(url, true).await?;
    let resume = json!({ "last_id": last["id"] });
    socket.say(&json!({ "type": "hello", "topics": ["books"], "resume": resume })).await?;
    Ok((socket.next().await?, socket))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_that_is_dropped_or_renamed_is_no_silent_hole() -> Result<()> {
    let shop = Shop::new().await?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let (mut near, mut far) = (one.socket().await?, other.socket().await?);
    for end in ["drop", "rename"] {
        shop.add("Lost").await?;
        assert_eq!(near.next().await?["data"]["title"], "Lost");
        let told = far.next().await?;
        match end {
            "drop" => shop.database().collection::<Document>("books").drop().await?,
            _ => {
                let rename = doc! { "renameCollection": "shop.books", "to": "shop.old" };
                shop.client.database("admin").run_command(rename).await?;
            }
        }
        assert_eq!(resync(&mut near).await?, "history_expired", "{end}");
        assert_eq!(resync(&mut far).await?, "history_expired", "{end}");
        let (welcome, mut late) = resume(&one.url, &told).await?;
        assert_eq!(welcome["data"]["recovered"], false, "{end}: {welcome}");
        // The new one is as good as the old one was.
        let admin = one.admin().await?;
        let book = admin.create(&format!("After the {end}")).await?;
        assert_eq!(near.next().await?["data"]["id"], book["id"]);
        assert_eq!(far.next().await?["data"]["id"], book["id"]);
        while late.next().await?["data"]["id"] != book["id"] {}
        assert_eq!(admin.get("/api/books?q=after").await?[0]["id"], book["id"]);
        let begun = Instant::now();
        while !names(&shop, "books").await?.iter().any(|name| name.starts_with("isbn")) {
            assert!(begun.elapsed() < PATIENCE, "the new collection has no indexes: {end}");
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_trail_that_is_dropped_nobody_hears_and_the_new_one_is_as_good() -> Result<()> {
    let shop = Shop::new().await?;
    let server = shop.server().await?;
    let (admin, mut socket) = (server.admin().await?, server.socket().await?);
    shop.database().collection::<Document>("audit").drop().await?;
    let begun = Instant::now();
    while names(&shop, "audit").await?.len() < 4 {
        assert!(begun.elapsed() < PATIENCE, "the new collection has no indexes");
        sleep(Duration::from_millis(20)).await;
    }
    let book = admin.create("After the drop").await?;
    assert_eq!(socket.next().await?["data"]["id"], book["id"]);
    assert_eq!(admin.get("/api/audit").await?[0]["target"]["id"], book["id"]);
    Ok(())
}

/// The names of the indexes of a collection.
async fn names(shop: &Shop, collection: &str) -> Result<Vec<String>> {
    Ok(shop.database().collection::<Document>(collection).list_index_names().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_dropped_begins_anew() -> Result<()> {
    let shop = Shop::new().await?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let (mut near, mut far) = (one.socket().await?, other.socket().await?);
    shop.add("Lost").await?;
    assert_eq!(near.next().await?, far.next().await?);
    shop.database().drop().await?;
    shop.add_until_heard(&mut [&mut near, &mut far]).await?;
    // The log goes on with the epoch that it had: who comes later hears the same.
    let late = shop.server().await?;
    let mut latest = late.socket().await?;
    shop.add_until_heard(&mut [&mut near, &mut far, &mut latest]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_history_is_lost_goes_on_from_the_present() -> Result<()> {
    let shop = Shop::new().await?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let (mut near, mut far) = (one.socket().await?, other.socket().await?);
    shop.add("Before").await?;
    let told = near.next().await?;
    assert_eq!(told, far.next().await?);
    shop.forget_history().await?;
    shop.add_until_heard(&mut [&mut near, &mut far]).await?;
    for server in [&one, &other] {
        let (welcome, _) = resume(&server.url, &told).await?;
        assert_eq!(welcome["data"]["recovered"], false, "{welcome}");
    }

    // A server that starts now finds nothing of the past, and is soon ready all the same.
    shop.add("Before the start").await?;
    let before = near.next().await?;
    assert_eq!(before, far.next().await?);
    shop.forget_history().await?;
    let late = shop.server().await?;
    let (welcome, _) = resume(&late.url, &before).await?;
    assert_eq!(welcome["data"]["recovered"], false, "{welcome}");
    let mut latest = late.socket().await?;
    shop.add_until_heard(&mut [&mut near, &mut far, &mut latest]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_another_deployment_are_another_log() -> Result<()> {
    for how in ["its clock was ahead", "restored into another collection"] {
        let shop = Shop::new().await?;
        let one = shop.server().await?;
        let mut near = one.socket().await?;
        shop.add("Before").await?;
        let told = near.next().await?;
        one.kill().await?;
        let notes = shop.database().collection::<Document>("feed");
        if how == "its clock was ahead" {
            let ahead = Timestamp { time: u32::MAX / 2, increment: 1 };
            notes.update_one(doc! { "_id": "feed" }, doc! { "$set": { "time": ahead } }).await?;
        } else {
            let noted = notes.find_one(doc! { "_id": "feed" }).await?.context("the notes")?;
            notes.drop().await?;
            notes.insert_one(noted).await?;
        }
        // The first to come finds out, and says so for all.
        for number in 1..=2 {
            let again = shop.server().await?;
            let (welcome, mut back) = resume(&again.url, &told).await?;
            assert_eq!(welcome["data"]["recovered"], false, "{how}: {welcome}");
            assert_eq!(resync(&mut back).await?, "epoch_changed", "{how}");
            let title = format!("After {number}");
            shop.add(&title).await?;
            while back.next().await?["data"]["title"] != title {}
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_end_in_what_is_lost_end_all_the_same() -> Result<()> {
    let shop = Shop::new().await?;
    let server = shop.server().await?;
    let admin = server.admin().await?;
    let mut guest = server.socket().await?;
    let mut own = Socket::open(&server.url, true).await?;
    let topics = ["books", "admin"];
    own.say(&json!({ "type": "hello", "topics": topics, "auth": admin.token })).await?;
    for event in ["connection:success", "subscribed"] {
        assert_eq!(own.next().await?["event"], event);
    }

    // Whoever is still logged in stays.
    shop.forget_history().await?;
    shop.add_until_heard(&mut [&mut guest, &mut own]).await?;
    sleep(Duration::from_secs(1)).await;
    shop.add_until_heard(&mut [&mut guest, &mut own]).await?;
    // No event says of each session that it is gone.
    shop.database().collection::<Document>("sessions").drop().await?;
    assert_eq!(own.close_code().await?, 4401);
    shop.add_until_heard(&mut [&mut guest]).await
}

/// Quiet is not the same as standing still: the servers see to it that something comes by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_shop_stays_ready() -> Result<()> {
    let shop = Shop::new().await?;
    let alone = shop.server().await?;
    let other = shop.server().await?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(50) {
        sleep(Duration::from_secs(5)).await;
        for server in [&alone, &other] {
            let ready = reqwest::get(format!("{}/health/ready", server.url)).await?;
            assert_eq!(ready.status(), 200, "after {:?}", begun.elapsed());
        }
    }
    let notes = shop.database().collection::<Document>("feed");
    let noted = notes.find_one(doc! { "_id": "feed" }).await?.context("the notes")?;
    let age =
        DateTime::now().timestamp_millis() / 1_000 - i64::from(noted.get_timestamp("time")?.time);
    assert!(age < 30, "the place was noted {age} s ago");
    Ok(())
}
