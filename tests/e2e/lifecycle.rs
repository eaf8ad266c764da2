//! How the server starts, refuses to start, and stops.

use std::time::Instant;

use anyhow::{Context as _, Result};
use bookhub_tests::{PATIENCE, Server, Socket};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    time::timeout,
};

/// Flags, variables, the exit code, and a word of the sentence.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

/// Runs the server to its end, which must come, and answers its exit code and complaint.
async fn refusal(args: &[&str], environment: &[(&str, &str)]) -> Result<(Option<i32>, String)> {
    let child = Server::command(args, environment).spawn()?;
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    Ok((output.status.code(), String::from_utf8(output.stderr)?))
}

#[tokio::test]
async fn what_the_operator_did_wrong_is_one_sentence_and_an_exit_code() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let port = taken.local_addr()?.port().to_string();
    let cases: [Case; 7] = [
        (&["--port", &port], &[], 4, "is in use"),
        (&["--prot", "1"], &[], 2, "--port"),
        (&["--config", "/no/such/file.toml"], &[], 3, "/no/such/file.toml"),
        (&[], &[("PORT", "many")], 3, "port"),
        (&[], &[("LOG", "a=b=c")], 3, "LOG"),
        (&[], &[("BOOKHUB_ENV", "production")], 3, "--allow-memory"),
        (&[], &[("ADMIN_PASSWORD", "short")], 1, "password"),
    ];
    for (args, environment, code, word) in cases {
        let (ended, complaint) = refusal(args, environment).await?;
        assert_eq!(ended, Some(code), "{args:?} {environment:?}: {complaint}");
        assert!(complaint.contains(word), "{complaint}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stop_tells_each_socket_when_to_come_back_and_takes_less_than_ten_seconds() -> Result<()>
{
    let server = Server::empty().await?;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(server.socket().await?);
    }
    let begun = Instant::now();
    let stopping = tokio::spawn(server.terminate());
    let mut delays = Vec::new();
    for socket in &mut sockets {
        let last = socket.next().await?;
        assert_eq!(last["event"], "server:draining");
        delays.push(last["data"]["retry_after_ms"].as_u64().unwrap());
        assert_eq!(socket.close_code().await?, 1001);
    }
    assert_eq!(stopping.await??, Some(0));
    assert!(begun.elapsed().as_secs() < 10);
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 10, "the delays are spread: {delays:?}");
    Ok(())
}

#[tokio::test]
async fn the_shop_works_on_without_live_updates() -> Result<()> {
    let server = Server::with(&[], &[("REALTIME_ENABLED", "false")]).await?;
    let admin = server.admin().await?;
    admin.create("Quiet").await?;
    assert_eq!(admin.get("/health").await?["websocket"], "inactive");
    assert!(Socket::open(&server.url, false).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_restart_of_the_memory_store_is_a_new_epoch_and_clients_are_told() -> Result<()> {
    let secret = [("JWT_SECRET", "0123456789abcdefghijklmnopqrstuv")];
    let first = Server::with(&[], &secret).await?;
    let mut socket = Socket::open(&first.url, true).await?;
    socket.say(&json!({ "type": "hello" })).await?;
    let welcome = socket.next().await?;
    first.kill().await?;
    let second = Server::with(&[], &secret).await?;
    let mut socket = Socket::open(&second.url, true).await?;
    let resume = json!({ "token": welcome["data"]["token"] });
    socket.say(&json!({ "type": "hello", "resume": resume })).await?;
    assert_eq!(socket.next().await?["data"]["recovered"], false);
    assert_eq!(socket.next().await?["event"], "subscribed");
    assert_eq!(socket.next().await?["data"]["reason"], "epoch_changed");
    Ok(())
}

/// Lines wait for each other a little, but no longer, and not at the end.
#[tokio::test]
async fn the_log_is_whole_in_order_and_soon_there() -> Result<()> {
    let mut child = Server::command(&[], &[("LOG", "info")]).spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
    // Read all the time: a pipe that is full would stop the server.
    let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = sender.send(line);
        }
    });
    let mut line = async || timeout(PATIENCE, said.recv()).await.context("no line comes");
    let url = loop {
        let said = line().await?.context("the server has ended")?;
        if let Some((_, url)) = said.split_once("open at ") {
            break url.split_whitespace().next().unwrap_or_default().to_owned();
        }
    };
    let http = reqwest::Client::new();
    for _ in 0..300 {
        http.get(format!("{url}/health/live")).send().await?.error_for_status()?;
    }
    http.get(format!("{url}/covers/last")).send().await?;
    let mut answered = 0;
    loop {
        let said = line().await?.context("the server has ended")?;
        if said.contains("/covers/last") {
            break;
        }
        answered += usize::from(said.contains("request answered") && said.contains("/health/live"));
    }
    assert_eq!(answered, 300);

    let process = Pid::from_raw(child.id().context("it runs")?.cast_signed()).context("an id")?;
    kill_process(process, Signal::TERM)?;
    let mut last = String::new();
    while let Some(said) = line().await? {
        last = said;
    }
    assert!(last.contains("stopped"), "{last}");
    Ok(())
}
