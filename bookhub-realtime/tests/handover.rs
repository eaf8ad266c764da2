//! Connections that go from hand to hand all the time: their sockets stall and take again, and their
//! topics change, while events of all topics come as fast as they can. What each client hears is held
//! against the list of what was published.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bookhub_realtime::{EventId, Hub, HubConfig, Position, SUBPROTOCOL, Topic, TopicPattern};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use tokio::{
    io::{DuplexStream, duplex},
    runtime::{Builder, Handle, Runtime},
    task::{JoinSet, spawn_blocking, yield_now},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

const PATIENCE: Duration = Duration::from_secs(60);
const CLIENTS: usize = 24;
const EVENTS: usize = 6000;

/// How many runtimes there are, of which all but the last one end.
const RUNTIMES: usize = 12;

/// What clients follow now and then.
const PATTERNS: [&str; 6] = ["a", "b", "*", "c.1", "c.*", "*.2"];
const TOPICS: [&str; 5] = ["a", "b", "c.1", "c.2", "d.2"];
/// What all follow all the time, and what comes last.
const ALWAYS: &str = "a";
const END: &str = "end";

/// What a client was told.
#[derive(Debug)]
enum Heard {
    Event(Position),
    /// What it follows now, and how many events had been published when it heard so.
    Subscribed {
        topics: Vec<TopicPattern>,
        position: Position,
        published: usize,
    },
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_a_session_and_its_writer() {
    let (hub, published) = (hub(), Arc::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = connect(&hub, number, &Handle::current()).await;
        clients.spawn(timeout(PATIENCE, listen(client, Arc::clone(&published))));
    }
    let log = publish_all(&hub, published).await;
    while let Some(heard) = clients.join_next().await {
        check(&log, &heard.unwrap().expect("a client waits for what was published"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_writers_end_with_their_runtimes() {
    let (hub, published) = (hub(), Arc::default());
    // With one worker each: there, writers are tasks, and begin on whichever needs them.
    let mut one = Builder::new_multi_thread();
    let mut runtimes: Vec<Runtime> =
        (0..RUNTIMES).map(|_| one.worker_threads(1).enable_all().build().unwrap()).collect();
    let (mut passing, mut staying) = (JoinSet::new(), JoinSet::new());
    for number in 0..CLIENTS / 4 {
        for (place, runtime) in runtimes.iter().enumerate() {
            let client = connect(&hub, number, runtime.handle()).await;
            let stays = place + 1 == RUNTIMES;
            let clients = if stays { &mut staying } else { &mut passing };
            clients.spawn(timeout(PATIENCE, listen(client, Arc::clone(&published))));
        }
    }
    let ending = spawn_blocking(move || {
        while runtimes.len() > 1 {
            thread::sleep(Duration::from_millis(10));
            drop(runtimes.remove(0));
        }
        runtimes
    });
    let log = publish_all(&hub, published).await;
    let runtimes = ending.await.unwrap();
    while let Some(heard) = staying.join_next().await {
        check(&log, &heard.unwrap().expect("a client waits for what was published"));
    }
    runtimes.into_iter().for_each(Runtime::shutdown_background);
}

fn hub() -> Hub {
    let config = HubConfig::new().writers(2).message_rate(1_000_000, 1_000_000);
    Hub::new(config.history(1_000_000, 1 << 30))
}

async fn publish_all(hub: &Hub, published: Arc<AtomicUsize>) -> Vec<(Position, Topic)> {
    let hub = hub.clone();
    spawn_blocking(move || publish(&hub, &published)).await.expect("all is published")
}

/// Publishes everything, and answers what in which order.
fn publish(hub: &Hub, published: &AtomicUsize) -> Vec<(Position, Topic)> {
    let topics = TOPICS.map(|name| name.parse::<Topic>().expect("a topic"));
    let mut log = Vec::new();
    let mut say = |topic: &Topic, data: &str| {
        // Counted first: at no time are there more than were counted.
        published.fetch_add(1, Ordering::SeqCst);
        log.push((hub.publish(topic, "said", &data).expect("it comes next"), topic.clone()));
    };
    let text = "x".repeat(600);
    for _ in 0..EVENTS {
        say(&topics[rand::random_range(0..topics.len())], &text[..rand::random_range(0..600)]);
        match rand::random_range(0..100) {
            0 => thread::sleep(Duration::from_millis(2)),
            1..20 => thread::yield_now(),
            _ => {}
        }
    }
    say(&END.parse().expect("a topic"), "");
    log
}

/// Connects a client whose session is a task of that runtime.
async fn connect(hub: &Hub, number: usize, runtime: &Handle) -> WebSocketStream<DuplexStream> {
    // Some sockets stall at each event, some hardly ever.
    let (ours, theirs) = duplex(256 << (number % 8));
    let mut request = Request::new(());
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    runtime.spawn(hub.serve_stream(theirs, request));
    let mut client = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    let hello = json!({ "type": "hello", "topics": [ALWAYS, END] });
    client.send(Message::text(hello.to_string())).await.expect("the connection stands");
    client
}

/// Hears everything, with pauses, and meanwhile follows other topics again and again.
async fn listen(client: WebSocketStream<DuplexStream>, published: Arc<AtomicUsize>) -> Vec<Heard> {
    let (mut asking, mut hearing) = client.split();
    let asker = tokio::spawn(async move {
        loop {
            let topics = [PATTERNS[rand::random_range(1..PATTERNS.len())]];
            let kind = if rand::random() { "subscribe" } else { "unsubscribe" };
            let message = json!({ "type": kind, "topics": topics }).to_string();
            if asking.send(Message::text(message)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(rand::random_range(0..4))).await;
        }
    });
    let mut heard = Vec::new();
    while let Some(message) = hearing.next().await {
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(_) => continue,
            // Its runtime has ended.
            Err(_) => break,
        };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        let position = |id: &Value| -> Position {
            id.as_str().and_then(|id| id.parse::<EventId>().ok()).expect("an id").position
        };
        match message["event"].as_str() {
            Some("said") => heard.push(Heard::Event(position(&message["id"]))),
            Some("subscribed") => heard.push(Heard::Subscribed {
                topics: serde_json::from_value(message["data"]["topics"].clone())
                    .expect("patterns"),
                position: position(&message["data"]["position"]),
                published: published.load(Ordering::SeqCst),
            }),
            Some("connection:success" | "ping") => {}
            _ => panic!("unexpected: {message}"),
        }
        if message["topic"] == END {
            break;
        }
        match rand::random_range(0..200) {
            0 => sleep(Duration::from_millis(3)).await,
            1..10 => yield_now().await,
            _ => {}
        }
    }
    asker.abort();
    heard
}

/// Holds what was heard against what was published: each event of a topic that was followed, once
/// and in order. A topic that is new begins at some time before its client heard of it.
fn check(log: &[(Position, Topic)], heard: &[Heard]) {
    let mut next = 0;
    let mut followed: Vec<TopicPattern> = Vec::new();
    // Topics that may not have begun, each with the number of events up to which that is so.
    let mut beginning: Vec<(TopicPattern, usize)> = Vec::new();
    let mut pass = |upto: Position, followed: &[TopicPattern], beginning: &mut Vec<_>| {
        while let Some((position, topic)) = log.get(next).filter(|(at, _)| *at < upto) {
            beginning.retain(|(_, until): &(TopicPattern, usize)| next < *until);
            let due = followed.iter().any(|pattern| {
                pattern.matches(topic) && beginning.iter().all(|(begins, _)| begins != pattern)
            });
            assert!(!due, "{topic} at {position} was not heard, of {followed:?}");
            next += 1;
        }
    };
    for heard in heard {
        match heard {
            Heard::Event(position) => {
                pass(*position, &followed, &mut beginning);
                pass_one(log, *position, &followed, &mut beginning);
                pass(position.next(), &[], &mut beginning);
            }
            Heard::Subscribed { topics, position, published } => {
                pass(position.next(), &followed, &mut beginning);
                for topic in topics.iter().filter(|topic| !followed.contains(topic)) {
                    beginning.push((topic.clone(), *published));
                }
                followed.clone_from(topics);
                beginning.retain(|(topic, _)| topics.contains(topic));
            }
        }
    }
    pass(Position::new(u128::MAX), &followed, &mut beginning);
}

/// An event that was heard: it was followed, and from now on its topic has begun.
fn pass_one(
    log: &[(Position, Topic)],
    position: Position,
    followed: &[TopicPattern],
    beginning: &mut Vec<(TopicPattern, usize)>,
) {
    let (_, topic) = log.iter().find(|(at, _)| *at == position).expect("it was published");
    let stands = |pattern: &TopicPattern| pattern.matches(topic);
    assert!(followed.iter().any(stands), "{topic} at {position} is not in {followed:?}");
    let sure = followed
        .iter()
        .any(|pattern| stands(pattern) && beginning.iter().all(|(begins, _)| begins != pattern));
    if !sure {
        // Of several that may have brought it, one has begun: which, nobody can tell.
        let several = followed.iter().filter(|pattern| stands(pattern)).count() > 1;
        beginning.retain(|(begins, _)| several || !stands(begins));
    }
}
