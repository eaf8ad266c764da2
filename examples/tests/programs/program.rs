//! A running example, and its HTTP side.

use std::process::Stdio;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::PATIENCE;

/// Ends with its handle.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it prints something");
        line.expect("its output is text").expect("it runs on")
    }

    /// As `kill -9` does: it has no time for anything.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it runs until now");
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: String,
    pub(crate) http: reqwest::Client,
}

impl Server {
    pub(crate) async fn start(program: &str) -> Self {
        Self::start_with(program, &[]).await
    }

    /// Starts it on a free port, with arguments after the address.
    pub(crate) async fn start_with(program: &str, args: &[&str]) -> Self {
        let mut program = Program::start(program, &[&["127.0.0.1:0"], args].concat());
        let line = program.line().await;
        let address = line.strip_prefix("listening on ").expect("the address comes first");
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("plain settings");
        Self { program, address: address.to_owned(), http }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("http://{}{path}", self.address))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("http://{}{path}", self.address))
    }

    /// The events after this id, by polling.
    pub(crate) async fn poll(&self, topics: &str, after: &str) -> Value {
        let path = format!("/poll?topics={topics}&after={after}");
        json(self.get(&path).send().await.expect("an answer")).await
    }
}

/// The text of a request that succeeds, without its line's end.
pub(crate) async fn text(request: RequestBuilder) -> String {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a text");
    assert!(status.is_success(), "{status}: {text}");
    text.trim_end().to_owned()
}

pub(crate) async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.expect("a text")).expect("JSON")
}

/// An event stream, block by block.
pub(crate) struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The data of the next block that has some; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|data| serde_json::from_str(data).expect("JSON"));
                self.read = rest.to_owned();
                if data.is_some() {
                    return data;
                }
            }
            let chunk = self.response.chunk().await.expect("a stream ends in order")?;
            self.read.push_str(std::str::from_utf8(&chunk).expect("ASCII in these tests"));
        }
    }

    /// The next event of this name; others are passed over.
    pub(crate) async fn next_named(&mut self, name: &str) -> Value {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message["event"] == name {
                return message;
            }
        }
    }
}
