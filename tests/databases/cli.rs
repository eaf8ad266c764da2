//! The command line straight on a database: the same as on a server, and heard of by every server.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result};
use bookhub_tests::{
    Database, Finished, Server, Socket, ferret, java_server, run_cli, run_cli_on_database,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is said where no server hears of a change.
const UNHEARD: &str = "warning: this database has no change streams";

/// A database of one test, and the home of who works on it.
struct Shop {
    uri: String,
    home: TempDir,
    /// Whether servers hear of what is written.
    is_heard: bool,
}

impl Shop {
    fn on(database: &Database, is_heard: bool) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let uri = database.uri(&format!("cli_{}_{number}", std::process::id()));
        Ok(Self { uri, home: tempfile::tempdir()?, is_heard })
    }

    async fn server(&self) -> Result<Server> {
        Server::with(&[], &[("MONGODB_URI", &self.uri)]).await
    }

    async fn run(&self, args: &[&str]) -> Finished {
        run_cli_on_database(&self.uri, self.home.path(), args, "").await
    }

    /// Runs a command that must succeed, and answers its JSON.
    async fn json(&self, args: &[&str]) -> Result<Value> {
        let done = self.run(&[&["--output", "json"], args].concat()).await;
        anyhow::ensure!(done.code == Some(0), "{args:?}: {done:?}");
        Ok(serde_json::from_str(&done.stdout)?)
    }

    async fn add(&self, title: &str, isbn: Option<&str>) -> Result<String> {
        let mut add = vec!["books", "add", "--title", title, "--author", "Émile Zola"];
        add.extend(["--genre", "Classics", "--year", "1885", "--price", "199.50", "--stock", "3"]);
        add.extend(isbn.map(|isbn| ["--isbn", isbn]).into_iter().flatten());
        let book = self.json(&add).await?;
        Ok(book["id"].as_str().context("an id")?.to_owned())
    }

    /// A file with a book that is there, one that is not, and one that makes no sense.
    fn file(&self, isbn: &str) -> Result<String> {
        let file = self.home.path().join("books.csv");
        let rows = format!("There,A,G,2000,1,{isbn}\nNew,A,G,2000,1,\nBad,A,G,0,1,\n");
        std::fs::write(&file, format!("title,author,genre,year,price,isbn\n{rows}"))?;
        Ok(file.to_str().context("a path")?.to_owned())
    }

    /// Runs a command that must fail with this exit code; answers what it said.
    async fn refusal(&self, code: i32, args: &[&str]) -> Result<Value> {
        let done = self.run(&[&["--output", "json"], args].concat()).await;
        anyhow::ensure!(done.code == Some(code) && done.stdout.is_empty(), "{args:?}: {done:?}");
        let last = done.stderr.lines().last().context("an error")?;
        Ok(serde_json::from_str(last)?)
    }
}

#[tokio::test]
async fn an_admin_keeps_the_catalogue_on_a_database_with_change_streams() -> Result<()> {
    keep(&Shop::on(java_server(), true)?).await
}

#[tokio::test]
async fn an_admin_keeps_the_catalogue_on_a_database_without() -> Result<()> {
    keep(&Shop::on(ferret(), false)?).await
}

async fn keep(shop: &Shop) -> Result<()> {
    let id = &*shop.add("Germinal", Some("9780140447422")).await?;
    let other = &*shop.add("Nana", None).await?;

    let edit = ["books", "edit", id, "--price", "249", "--if-version"];
    let edited = shop.json(&[&edit[..], &["1"]].concat()).await?;
    assert_eq!((&edited["price"], &edited["version"]), (&json!(249), &json!(2)));
    let stale = shop.refusal(5, &[&edit[..], &["1"]].concat()).await?;
    assert_eq!(stale["code"], "version_conflict", "{stale}");
    let taken = shop.refusal(5, &["books", "edit", other, "--isbn", "0140447423"]).await?;
    assert_eq!(
        (&taken["code"], &taken["details"][0]["flag"]),
        (&json!("isbn_taken"), &json!("--isbn"))
    );
    let wrong = shop.run(&["books", "edit", id, "--price", "-1", "--cover-url", "x"]).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("error: Invalid book data\n  --price: "), "{wrong:?}");
    assert!(wrong.stderr.contains("\n  --cover-url: "), "{wrong:?}");
    let wrong = shop.refusal(1, &["books", "list", "--year-min", "123456"]).await?;
    assert_eq!(wrong["details"][0]["flag"], "--year-min", "{wrong}");
    for id in ["01890a5d-ac96-774b-bcce-b302099a8057", "no/id"] {
        assert_eq!(shop.refusal(4, &["books", "get", id]).await?["code"], "not_found");
        assert_eq!(shop.refusal(4, &["books", "rm", id, "--yes"]).await?["code"], "not_found");
    }

    let table = shop.run(&["books", "list", "--search", "emile germ"]).await;
    assert!(table.stdout.contains("Germinal") && table.stdout.contains("₹249"), "{table:?}");
    // Who only looks is warned of nothing, and who changes something once.
    assert_eq!(table.stderr, "");
    let removed = shop.run(&["books", "rm", id, other, "--yes", "--quiet"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let warnings = removed.stderr.matches(UNHEARD).count();
    assert_eq!(warnings, usize::from(!shop.is_heard), "{removed:?}");
    assert_eq!(removed.stderr.lines().count(), warnings, "{removed:?}");
    assert_eq!(shop.run(&["books", "list"]).await.stdout, "No books.\n");
    Ok(())
}

#[tokio::test]
async fn a_seed_fills_a_database_with_change_streams() -> Result<()> {
    seed(&Shop::on(java_server(), true)?).await
}

#[tokio::test]
async fn a_seed_fills_a_database_without() -> Result<()> {
    seed(&Shop::on(ferret(), false)?).await
}

async fn seed(shop: &Shop) -> Result<()> {
    let foreseen = shop.json(&["seed", "--dry-run"]).await?;
    assert_eq!(shop.run(&["books", "list"]).await.stdout, "No books.\n");
    let done = shop.run(&["seed"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.stderr.contains(UNHEARD), !shop.is_heard, "{done:?}");
    let count = usize::try_from(foreseen["created"].as_u64().context("a number")?)?;
    assert!(count >= 500 && done.stdout.starts_with(&format!("{count} created, 0 ")), "{done:?}");

    let all = shop.run(&["books", "list", "--all", "--output", "ndjson"]).await;
    let ids = all.stdout.lines().map(|line| {
        let book: Value = serde_json::from_str(line)?;
        Ok(book["id"].as_str().context("an id")?.to_owned())
    });
    assert_eq!(ids.collect::<Result<HashSet<_>>>()?.len(), count);
    // Of a file, what is there already is skipped, and what makes no sense is named.
    let newest = shop.json(&["books", "list", "--limit", "1"]).await?;
    let isbn = newest[0]["isbn"].as_str().context("an ISBN")?;
    let file = shop.file(isbn)?;
    let seed = ["seed", "--file", &file];
    for (args, begin) in [(&["--dry-run"][..], "Would be: "), (&[], "")] {
        let done = shop.run(&[&seed[..], args].concat()).await;
        let counts = format!("\n{begin}1 created, 1 skipped (there already), 1 failed.\n");
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stdout.starts_with("line 4, “Bad”: year: Must not be 0"), "{done:?}");
        assert!(done.stdout.ends_with(&counts), "{done:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_and_its_database_show_the_same_in_every_format() -> Result<()> {
    let shop = Shop::on(java_server(), true)?;
    let server = shop.server().await?;
    let id = &*shop.add("Germinal", Some("9780140447422")).await?;
    let file = shop.file("9780140447422")?;
    for number in 0..120 {
        server.admin().await?.create(&format!("Book {number}")).await?;
    }
    for args in [
        &["books", "get", id][..],
        &["books", "get", "gone"],
        &["books", "list"],
        &["books", "list", "--all", "--sort", "-title"],
        &["books", "list", "--limit", "101", "--search", "book 1"],
        &["books", "list", "--genre", "classics", "--year-max", "1900"],
        &["books", "list", "--search", "nothing"],
        &["seed", "--dry-run", "--file", &file],
    ] {
        for format in ["table", "json", "ndjson"] {
            let args = [&["--output", format][..], args].concat();
            let over_http = run_cli(&server.url, shop.home.path(), &args, "").await;
            let straight = shop.run(&args).await;
            assert_eq!(straight.stdout, over_http.stdout, "{args:?}");
            assert_eq!(straight.code, over_http.code, "{args:?}: {straight:?}");
            // Only a server has a status and a name for the request.
            if format == "table" || straight.code == Some(0) {
                assert_eq!(straight.stderr, over_http.stderr, "{args:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_straight_on_the_database_reaches_the_clients_of_every_server_alike() -> Result<()>
{
    let shop = Shop::on(java_server(), true)?;
    let (one, other) = (shop.server().await?, shop.server().await?);
    let (mut near, mut far) = (one.socket().await?, other.socket().await?);

    let first = shop.add("By the command line", None).await?;
    let second = one.admin().await?.create("By a server").await?;
    let second = second["id"].as_str().context("an id")?;
    shop.json(&["books", "edit", second, "--price", "249", "--stock", "5"]).await?;
    other.admin().await?.patch(&first, &json!({ "title": "By a server, too" })).await?;
    shop.json(&["books", "rm", "--yes", &first, second]).await?;

    let (heard, heard_too) = (take(&mut near, 6).await?, take(&mut far, 6).await?);
    assert_eq!(heard, heard_too);
    let told: Vec<_> = heard.iter().map(|event| (&event["event"], &event["data"]["id"])).collect();
    let [created, updated, deleted] =
        ["created", "updated", "deleted"].map(|what| json!(format!("book:{what}")));
    let [first, second] = [json!(first), json!(second)];
    assert_eq!(
        told,
        [
            (&created, &first),
            (&created, &second),
            (&updated, &second),
            (&updated, &first),
            (&deleted, &first),
            (&deleted, &second),
        ]
    );
    assert_eq!((&heard[2]["data"]["price"], &heard[2]["data"]["stock"]), (&json!(249), &json!(5)));

    // Who it was is told alike.
    let trail = one.admin().await?.get("/api/audit?limit=7").await?;
    let told = trail.as_array().context("entries")?.iter().rev();
    let told: Vec<_> = told.map(|entry| (&entry["action"], &entry["actor"]["kind"])).collect();
    let [line, user] = [json!("command_line"), json!("user")];
    let [created, updated, deleted] =
        ["created", "updated", "deleted"].map(|what| json!(format!("book.{what}")));
    assert_eq!(
        told[1..],
        [
            (&created, &line),
            (&created, &user),
            (&updated, &line),
            (&updated, &user),
            (&deleted, &line),
            (&deleted, &line),
        ]
    );
    assert_eq!(trail[0]["actor"], json!({ "kind": "command_line", "user": "asha" }));
    Ok(())
}

async fn take(socket: &mut Socket, count: usize) -> Result<Vec<Value>> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(socket.next().await?);
    }
    Ok(events)
}

#[tokio::test]
async fn a_database_that_goes_away_is_missed_soon() -> Result<()> {
    let mut database = Database::ferretdb();
    let shop = Shop::on(&database, false)?;
    shop.add("Germinal", None).await?;
    database.kill()?;
    let begun = std::time::Instant::now();
    let lost = shop.refusal(6, &["--timeout", "1", "books", "list"]).await?;
    assert_eq!(lost["code"], "database_unavailable", "{lost}");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    database.restart();
    let found = shop.json(&["books", "list"]).await?;
    assert_eq!(found[0]["title"], "Germinal");
    Ok(())
}
