//! Watching a real hub: over restarts, from a place in the past, and to an end.

use std::{
    io::{BufRead as _, BufReader, Read},
    net::{SocketAddr, TcpListener as StdListener},
    process::{Child, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Epoch, Hub, HubConfig, Identity, Position,
    TopicPattern,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::support::{Machine, Run, interrupt};

/// A hub on a port.
struct Live {
    hub: Hub,
    address: SocketAddr,
    runtime: Runtime,
}

/// Guests and nobody else; `admin` is not for them.
struct GuestsOnly;

impl Authorizer for GuestsOnly {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        let is_guest = match credential {
            Credential::Request(request) => !request.headers.contains_key("authorization"),
            _ => false,
        };
        Box::pin(async move {
            if is_guest {
                Ok(Identity::guest())
            } else {
                Err(AuthError::new("The session has ended"))
            }
        })
    }

    fn may_follow(&self, _: &Identity, topic: &TopicPattern) -> bool {
        topic.as_str() != "admin"
    }
}

impl Live {
    fn start(epoch: &str, address: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let hub = Hub::new(
            HubConfig::new()
                .epoch(epoch.parse::<Epoch>().unwrap())
                .secret([7; 32])
                .authorizer(GuestsOnly)
                .default_topics(["books".parse().unwrap()]),
        );
        let listener = StdListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let service = TowerToHyperService::new(hub.websocket());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connection.with_upgrades());
            }
        });
        drop(_inside);
        Self { hub, address, runtime }
    }

    fn new(epoch: &str) -> Self {
        Self::start(epoch, "127.0.0.1:0")
    }

    fn publish(&self, position: u128, title: &str) {
        let data = json!({ "id": "b", "title": title, "author": "A", "price": 899, "stock": 4 });
        let topic = "books".parse().unwrap();
        let position = Position::new(position);
        self.hub.publish_at(position, &topic, "book:updated", &data).unwrap();
    }

    /// The whole process is gone, as far as others can see.
    fn stop(self) -> String {
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        self.address.to_string()
    }
}

/// A watch that runs.
struct Watcher {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Watcher {
    fn start(machine: &Machine, live: &Live, args: &[&str]) -> Self {
        let url = format!("http://{}", live.address);
        let mut command = machine.command(&[&["watch", "--server", &url], args].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// The next line on standard output.
    fn shown(&self) -> String {
        self.stdout.recv_timeout(Duration::from_secs(20)).expect("another line")
    }

    /// Waits for a line with this text on standard error.
    fn said(&self, text: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(Duration::from_secs(20));
            let line = line.unwrap_or_else(|_| panic!("nobody said {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        (status, self.stdout.iter().collect())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It has mostly ended.
        let _ = self.child.kill();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn run(live: &Live, args: &[&str]) -> Run {
    let url = format!("http://{}", live.address);
    Machine::new().run(&[&["watch", "--server", &url], args].concat())
}

#[test]
fn events_are_lines_for_people() {
    let (machine, live) = (Machine::new(), Live::new("e"));
    let watcher = Watcher::start(&machine, &live, &["--count", "3"]);
    watcher.said("watching http://");
    live.publish(1, "Emma");
    let line = watcher.shown();
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.chars().filter(|c| *c == ':').count(), 2, "{line}");
    assert_eq!(rest, "book:updated  Emma — A ₹899 stock 4");
    let books = "books".parse().unwrap();
    live.hub.publish(&books, "book:deleted", &json!({ "id": "b-1" })).unwrap();
    assert!(watcher.shown().ends_with("book:deleted  b-1"));
    live.hub.publish(&books, "other", &json!({ "x": "\u{1b}" })).unwrap();
    assert!(watcher.shown().ends_with("other         {\"x\":\"\\u001b\"}"));
    let position = live.hub.id(live.hub.head());
    watcher.said(&format!("bookhub watch --since {position}"));
    assert!(watcher.end().0.success());
}

#[test]
fn events_are_envelopes_for_programs() {
    let live = Live::new("e");
    for position in 1..=3 {
        live.publish(position, "Emma");
    }
    let since = live.hub.id(Position::new(1)).to_string();
    for format in ["json", "ndjson"] {
        let run = run(&live, &["--since", &since, "--count", "2", "-o", format, "-t", "books"]);
        assert_eq!(run.code, 0, "{run:?}");
        let events: Vec<Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0]["id"], live.hub.id(Position::new(2)).to_string());
        assert_eq!(
            (&events[0]["event"], &events[0]["topic"]),
            (&json!("book:updated"), &json!("books"))
        );
        assert_eq!(events[0]["data"]["price"], 899);
        let notes: Vec<Value> =
            run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(notes[1]["position"], events[1]["id"]);
    }
}

#[test]
fn a_restart_of_the_server_loses_and_repeats_nothing() {
    let (machine, live) = (Machine::new(), Live::new("durable"));
    let watcher = Watcher::start(&machine, &live, &["--count", "4", "-o", "ndjson"]);
    watcher.said("watching");
    live.publish(1, "1");
    live.publish(2, "2");
    let titles =
        |line: String| serde_json::from_str::<Value>(&line).unwrap()["data"]["title"].clone();
    assert_eq!([titles(watcher.shown()), titles(watcher.shown())], ["1", "2"]);

    let address = live.stop();
    watcher.said("connection is lost");
    let live = Live::start("durable", &address);
    for position in 1..=4 {
        live.publish(position, &position.to_string());
    }
    watcher.said("nothing was missed");
    assert_eq!([titles(watcher.shown()), titles(watcher.shown())], ["3", "4"]);
    let (status, more) = watcher.end();
    assert!(status.success() && more.is_empty(), "{status} {more:?}");
}

#[test]
fn a_server_that_cannot_resume_is_told_of_clearly() {
    let live = Live::new("new");
    let machine = Machine::new();
    let watcher = Watcher::start(&machine, &live, &["--since", "old-15", "--count", "1"]);
    let line = watcher.said("could not resume");
    assert!(line.contains("epoch_changed") && line.contains("bookhub books list"), "{line}");
    live.publish(1, "Emma");
    assert!(watcher.shown().contains("Emma"));
    assert!(watcher.end().0.success());

    let args = ["--since", "old-15", "--count", "1", "-o", "ndjson", "--quiet"];
    let watcher = Watcher::start(&machine, &live, &args);
    let resync: Value = serde_json::from_str(&watcher.shown()).unwrap();
    assert_eq!(
        (&resync["event"], &resync["data"]["reason"]),
        (&json!("resync"), &json!("epoch_changed"))
    );
    live.publish(2, "Emma");
    assert!(watcher.shown().contains("book:updated"));
}

#[test]
fn topics_that_are_refused_exit_with_3() {
    let live = Live::new("e");
    let run = run(&live, &["--topic", "admin"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("not allowed to follow admin"), "{run:?}");
    let watcher = Watcher::start(&Machine::new(), &live, &["-t", "admin", "-t", "books"]);
    watcher.said("not allowed to follow admin");
    watcher.said("watching");
}

#[test]
fn a_login_that_has_ended_does_not_end_the_watch() {
    let (machine, live) = (Machine::new(), Live::new("e"));
    let url = format!("http://{}", live.address);
    let kept = json!({ "servers": { &url: { "username": "a", "token": "old" } } });
    std::fs::create_dir(machine.path().join("config")).unwrap();
    machine.file("config/credentials.json", &kept.to_string());
    let watcher = Watcher::start(&machine, &live, &["--count", "1"]);
    watcher.said("the login has ended");
    watcher.said("watching");
    live.publish(1, "Emma");
    assert!(watcher.shown().contains("Emma"));
    assert!(watcher.end().0.success());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_cleanly() {
    let (machine, live) = (Machine::new(), Live::new("e"));
    let watcher = Watcher::start(&machine, &live, &[]);
    watcher.said("watching");
    live.publish(5, "Emma");
    watcher.shown();
    interrupt(&watcher.child);
    let position = live.hub.id(Position::new(5));
    watcher.said(&format!("--since {position}"));
    assert_eq!(watcher.end().0.code(), Some(0));
}
