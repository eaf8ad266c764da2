//! The command line against a real server.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result};
use bookhub_tests::{Finished, PATIENCE, Server, program, run_cli};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

/// A server and a folder with the login of its admin.
struct Shop {
    server: Server,
    home: TempDir,
}

impl Shop {
    async fn open() -> Result<Self> {
        let shop = Self { server: Server::empty().await?, home: tempfile::tempdir()? };
        let login = ["login", "--user", "admin", "--password-stdin"];
        let done = run_cli(&shop.server.url, shop.home.path(), &login, "admin123\n").await;
        anyhow::ensure!(done.code == Some(0), "{done:?}");
        Ok(shop)
    }

    async fn run(&self, args: &[&str]) -> Finished {
        run_cli(&self.server.url, self.home.path(), args, "").await
    }

    /// Runs a command that must succeed, and answers its JSON.
    async fn json(&self, args: &[&str]) -> Result<Value> {
        let done = self.run(&[&["--output", "json"], args].concat()).await;
        anyhow::ensure!(done.code == Some(0), "{args:?}: {done:?}");
        Ok(serde_json::from_str(&done.stdout)?)
    }
}

#[tokio::test]
async fn an_admin_keeps_the_catalogue_from_a_terminal() -> Result<()> {
    let shop = Shop::open().await?;
    let add = ["books", "add", "--title", "Emma", "--author", "Jane Austen"];
    let more = ["--genre", "Classics", "--year", "1815", "--price", "199.50", "--stock", "3"];
    let book = shop.json(&[&add[..], &more].concat()).await?;
    let id = book["id"].as_str().context("an id")?;
    assert_eq!(book["price"], 199.5);

    let edited = shop.json(&["books", "edit", id, "--price", "249", "--if-version", "1"]).await?;
    assert_eq!((&edited["price"], &edited["version"]), (&json!(249), &json!(2)));
    let stale = shop.run(&["books", "edit", id, "--price", "1", "--if-version", "1"]).await;
    assert_eq!(stale.code, Some(5), "{stale:?}");
    let wrong = shop.run(&["books", "edit", id, "--price", "-1"]).await;
    assert!(wrong.code != Some(0) && wrong.stderr.contains("price"), "{wrong:?}");

    let table = shop.run(&["books", "list", "--search", "aust"]).await;
    assert!(table.stdout.contains("Emma") && table.stdout.contains("₹249"), "{table:?}");
    let unasked = shop.run(&["books", "rm", id]).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert_eq!(shop.run(&["books", "rm", id, "--yes"]).await.code, Some(0));
    assert_eq!(shop.run(&["books", "get", id]).await.code, Some(4));
    Ok(())
}

#[tokio::test]
async fn a_seed_fills_the_shop_and_a_second_one_changes_nothing() -> Result<()> {
    let shop = Shop::open().await?;
    let first = shop.run(&["seed"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let all = shop.json(&["books", "list", "--all"]).await?;
    let count = all.as_array().context("a list")?.len();
    assert!(count >= 500, "{count}");
    assert_eq!(shop.run(&["seed"]).await.code, Some(0));
    let again = shop.json(&["books", "list", "--all"]).await?;
    assert_eq!(again, all);
    Ok(())
}

#[tokio::test]
async fn without_a_login_nothing_changes_and_the_way_is_told() -> Result<()> {
    let server = Server::empty().await?;
    let home = tempfile::tempdir()?;
    let add = [
        "books", "add", "--title", "x", "--author", "y", "--genre", "z", "--year", "1", "--price",
        "1",
    ];
    let refused = run_cli(&server.url, home.path(), &add, "").await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("bookhub login"), "{refused:?}");
    Ok(())
}

/// A `watch` that runs.
struct Watch {
    lines: Lines<BufReader<ChildStdout>>,
    /// What it says on the side, kept open for it.
    _notes: ChildStderr,
    _child: Child,
}

impl Watch {
    fn start(url: &str, home: &Path) -> Result<Self> {
        let mut child = Command::new(program("bookhub"))
            .args(["--server", url, "--output", "ndjson", "watch"])
            .env("BOOKHUB_CONFIG_DIR", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let notes = child.stderr.take().context("stderr is piped")?;
        Ok(Self { lines: BufReader::new(stdout).lines(), _notes: notes, _child: child })
    }

    async fn next(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await??;
        Ok(serde_json::from_str(&line.context("watch has ended")?)?)
    }

    /// Waits until it follows: until it shows one of the books that are created meanwhile.
    async fn until_it_follows(&mut self, admin: &bookhub_tests::Person) -> Result<()> {
        let creating = async {
            loop {
                admin.create("Are you there?").await?;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let marker = tokio::select! {
            created = creating => return created,
            event = self.next() => event?,
        };
        anyhow::ensure!(
            marker["event"] == "book:created" || marker["event"] == "resync",
            "{marker}"
        );
        // The last of the markers that are still on their way.
        let end = admin.create("Now").await?;
        while self.next().await?["data"]["id"] != end["id"] {}
        Ok(())
    }
}

#[tokio::test]
async fn watch_prints_each_event_and_says_when_a_restart_lost_some() -> Result<()> {
    let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = probe.local_addr()?.port().to_string();
    drop(probe);
    let home = tempfile::tempdir()?;
    let first = Server::with(&["--port", &port], &[]).await?;
    let admin = first.admin().await?;
    let mut watch = Watch::start(&first.url, home.path())?;
    watch.until_it_follows(&admin).await?;
    let id = admin.create("Seen").await?["id"].clone();
    admin.delete(id.as_str().context("an id")?).await?;
    assert_eq!(watch.next().await?["data"]["title"], "Seen");
    assert_eq!(watch.next().await?["event"], "book:deleted");

    first.kill().await?;
    let second = Server::with(&["--port", &port], &[]).await?;
    let resync = watch.next().await?;
    assert_eq!((&resync["event"], resync.get("id")), (&json!("resync"), None));
    let admin = second.admin().await?;
    admin.create("After").await?;
    assert_eq!(watch.next().await?["data"]["title"], "After");
    Ok(())
}
