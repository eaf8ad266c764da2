//! The session over in-memory streams, with a paused clock.

mod credentials;
mod slow;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, DuplexStream, duplex},
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::*;
use crate::{Hub, HubConfig, Position, SUBPROTOCOL, Topic};

struct Peer(WebSocketStream<DuplexStream>);

impl Peer {
    /// A client that has asked for the subprotocol, or not.
    async fn connect(hub: &Hub, awaits_hello: bool) -> Self {
        Self::with_buffer(hub, awaits_hello, 1 << 20).await
    }

    async fn with_buffer(hub: &Hub, awaits_hello: bool, buffer: usize) -> Self {
        let (ours, theirs) = duplex(buffer);
        let mut request = Request::new(());
        if awaits_hello {
            let protocol = HeaderValue::from_static(SUBPROTOCOL);
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        tokio::spawn(hub.serve_stream(theirs, request));
        Self(WebSocketStream::from_raw_socket(ours, Role::Client, None).await)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message, as JSON.
    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("the connection stands").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message that is no heartbeat.
    async fn news(&mut self) -> Value {
        loop {
            let message = self.hear().await;
            if message["event"] != "ping" {
                return message;
            }
        }
    }

    /// The code with which the hub closes; what comes before is passed over.
    async fn close_code(&mut self) -> u16 {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }

    /// Lets the server's pings be answered, without waiting for a message.
    async fn live(&mut self) {
        let _ = timeout(Duration::from_millis(1), self.0.next()).await;
        let _ = self.0.flush().await;
    }
}

fn topic(name: &str) -> Topic {
    name.parse().unwrap()
}

fn hub() -> Hub {
    Hub::new(config())
}

fn config() -> HubConfig {
    HubConfig::new().epoch("e".parse().unwrap()).default_topics([topic("books").into()])
}

fn publish(hub: &Hub, data: impl serde::Serialize) {
    hub.publish(&topic("books"), "book:created", &data).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_subprotocol_is_live_at_once_on_the_default_topics() {
    let hub = hub();
    publish(&hub, 0);
    let mut peer = Peer::connect(&hub, false).await;
    let welcome = peer.hear().await;
    assert_eq!(welcome["event"], "connection:success");
    assert_eq!(welcome["data"]["position"], "e-11");
    assert_eq!(welcome["data"]["recovered"], false);
    assert_eq!(welcome["data"]["heartbeat"], 25_000);
    publish(&hub, json!({ "title": "Middlemarch" }));
    let event = peer.hear().await;
    assert_eq!(
        event,
        json!({ "id": "e-12", "event": "book:created", "topic": "books", "data": { "title": "Middlemarch" } })
    );
}

#[tokio::test(start_paused = true)]
async fn a_hello_chooses_topics_and_hears_nothing_of_others() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "topics": ["orders.*", "orders.*"] })).await;
    assert_eq!(peer.hear().await["event"], "connection:success");
    assert_eq!(peer.hear().await["data"]["topics"], json!(["orders.*"]));
    publish(&hub, 1);
    hub.publish(&topic("orders.7"), "order:placed", &1).unwrap();
    assert_eq!(peer.hear().await["topic"], "orders.7");
}

#[tokio::test(start_paused = true)]
async fn a_resume_gets_exactly_what_was_missed_and_then_what_is_new() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    let token = peer.hear().await["data"]["token"].clone();
    (1..=3).for_each(|n| publish(&hub, n));
    assert_eq!(peer.hear().await["data"], 1);
    drop(peer);
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "resume": { "token": token, "last_id": "e-11" } })).await;
    let welcome = again.hear().await;
    assert_eq!(welcome["data"]["recovered"], true);
    assert_eq!(welcome["data"]["position"], "e-11", "where the replay starts");
    assert_eq!(again.hear().await["event"], "subscribed");
    publish(&hub, 4);
    for expected in 2..=4 {
        assert_eq!(again.hear().await["data"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_welcome_costs_nothing() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    let token = peer.hear().await["data"]["token"].clone();
    (1..=3).for_each(|n| publish(&hub, n));
    drop(peer);
    let hello = json!({ "type": "hello", "resume": { "token": token, "last_id": "e-11" } });
    // The first ones are cut before anything has come back.
    for _ in 0..3 {
        let mut lost = Peer::connect(&hub, true).await;
        lost.say(hello.clone()).await;
        drop(lost);
    }
    let mut again = Peer::connect(&hub, true).await;
    again.say(hello).await;
    assert_eq!(again.hear().await["data"]["recovered"], true);
    again.hear().await;
    for expected in 2..=3 {
        assert_eq!(again.hear().await["data"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_was_cut_goes_on_where_it_was_cut() {
    let hub = hub();
    (1..=500).for_each(|n| publish(&hub, json!([n, "x".repeat(300)])));
    let (mut last_id, mut seen) = ("e-10".to_owned(), 0);
    while seen < 500 {
        let mut peer = Peer::with_buffer(&hub, true, 5000).await;
        peer.say(json!({ "type": "hello", "topics": ["books"], "resume": { "last_id": last_id } }))
            .await;
        assert_eq!(peer.hear().await["data"]["recovered"], true);
        peer.hear().await;
        for _ in 0..37.min(500 - seen) {
            let event = peer.news().await;
            seen += 1;
            assert_eq!(event["data"][0], seen);
            last_id = event["id"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_added_at_the_resume_starts_live() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    let token = peer.hear().await["data"]["token"].clone();
    publish(&hub, "books, missed");
    hub.publish(&topic("news"), "news", &"before it was followed").unwrap();
    drop(peer);
    let mut again = Peer::connect(&hub, true).await;
    let resume = json!({ "token": token });
    again.say(json!({ "type": "hello", "topics": ["books", "news"], "resume": resume })).await;
    assert_eq!(again.hear().await["data"]["recovered"], true);
    again.hear().await;
    hub.publish(&topic("news"), "news", &"after").unwrap();
    assert_eq!(again.hear().await["data"], "books, missed");
    assert_eq!(again.hear().await["data"], "after");
}

async fn resync_of(hub: &Hub, resume: Value) -> String {
    let mut peer = Peer::connect(hub, true).await;
    peer.say(json!({ "type": "hello", "resume": resume })).await;
    assert_eq!(peer.hear().await["data"]["recovered"], false);
    peer.hear().await;
    let resync = peer.hear().await;
    assert_eq!(resync["event"], "resync");
    assert_eq!(resync["data"]["position"], hub.id(hub.head()).to_string());
    publish(hub, "live again");
    assert_eq!(peer.hear().await["data"], "live again");
    resync["data"]["reason"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_be_resumed_is_told_so_and_goes_on_live() {
    let hub = Hub::new(config().history(2, 1 << 20));
    (0..4).for_each(|n| publish(&hub, n));
    assert_eq!(resync_of(&hub, json!({ "last_id": "e-11" })).await, "history_expired");
    assert_eq!(resync_of(&hub, json!({ "last_id": "f-14" })).await, "epoch_changed");
    assert_eq!(resync_of(&hub, json!({ "last_id": "nonsense" })).await, "epoch_changed");
    assert_eq!(resync_of(&hub, json!({ "token": "r1.x.y.z" })).await, "token_invalid");
    assert_eq!(resync_of(&hub, json!({ "last_id": "e-2ff" })).await, "not_available");
}

#[tokio::test(start_paused = true)]
async fn a_position_ahead_of_the_log_waits_for_it() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "resume": { "last_id": "e-12" } })).await;
    sleep(Duration::from_secs(2)).await;
    (1..=3).for_each(|n| publish(&hub, n));
    assert_eq!(peer.hear().await["data"]["recovered"], true);
    peer.hear().await;
    assert_eq!(peer.hear().await["data"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_used_again_ends_its_older_holder() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    let welcome = peer.hear().await["data"].clone();
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "resume": { "token": welcome["token"] } })).await;
    assert_eq!(again.hear().await["data"]["id"], welcome["id"], "the same connection goes on");
    assert_eq!(peer.close_code().await, 4409);
    assert_eq!(hub.inspect().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_is_read_late_does_not_end_the_connection_that_came_after() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    let token = peer.hear().await["data"]["token"].clone();
    drop(peer);
    let resume = json!({ "type": "hello", "resume": { "token": token } });
    let mut lost = Peer::connect(&hub, true).await;
    let mut back = Peer::connect(&hub, true).await;
    back.say(resume.clone()).await;
    assert_eq!(back.hear().await["data"]["recovered"], true);
    back.hear().await;
    lost.say(resume).await;
    assert_eq!(lost.close_code().await, 4409);
    publish(&hub, "still here");
    assert_eq!(back.hear().await["data"], "still here");
    assert_eq!(hub.inspect().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_no_hello_is_closed() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, true).await;
    assert_eq!(peer.close_code().await, 4408);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_carry_the_position_and_silence_ends_the_connection() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    hub.publish(&topic("other"), "e", &1).unwrap();
    let ping = peer.hear().await;
    assert_eq!(ping, json!({ "event": "ping", "data": { "position": "e-11" } }));
    for _ in 0..10 {
        sleep(Duration::from_secs(10)).await;
        peer.live().await;
    }
    assert_eq!(hub.inspect().connections, 1, "who answers pings stays");
    sleep(Duration::from_secs(40)).await;
    assert_eq!(hub.inspect().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn draining_tells_each_client_when_to_come_back_and_closes_it() {
    let hub = hub();
    let mut peers = [
        Peer::connect(&hub, false).await,
        Peer::connect(&hub, false).await,
        Peer::connect(&hub, false).await,
    ];
    for peer in &mut peers {
        peer.hear().await;
    }
    let draining = tokio::spawn({
        let hub = hub.clone();
        async move { hub.drain(Duration::from_secs(1000)).await }
    });
    let mut delays = Vec::new();
    for peer in &mut peers {
        let last = peer.hear().await;
        assert_eq!(last["event"], "server:draining");
        delays.push(last["data"]["retry_after_ms"].as_u64().unwrap());
        assert_eq!(peer.close_code().await, 1001);
    }
    draining.await.unwrap();
    assert!(delays.iter().all(|delay| *delay <= 1_000_000));
    delays.dedup();
    assert_eq!(delays.len(), 3, "each has its own");
    assert_eq!(hub.inspect().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn subscribing_later_starts_live_and_unsubscribing_ends_it() {
    let hub = hub();
    hub.publish(&topic("news"), "e", &"before").unwrap();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    peer.say(json!({ "type": "subscribe", "topics": ["news"] })).await;
    let subscribed = peer.hear().await;
    assert_eq!(subscribed["data"]["topics"], json!(["books", "news"]));
    hub.publish(&topic("news"), "e", &"after").unwrap();
    assert_eq!(peer.hear().await["data"], "after");
    peer.say(json!({ "type": "unsubscribe", "topics": ["news"] })).await;
    assert_eq!(peer.hear().await["data"]["topics"], json!(["books"]));
    hub.publish(&topic("news"), "e", &"not heard").unwrap();
    publish(&hub, "heard");
    assert_eq!(peer.hear().await["data"], "heard");
}

#[tokio::test(start_paused = true)]
async fn nonsense_gets_an_error_and_the_connection_stays() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    for nonsense in [json!("?"), json!({ "type": "shout" }), json!({ "type": "hello" })] {
        peer.say(nonsense).await;
        assert_eq!(peer.hear().await["event"], "error");
    }
    peer.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(peer.hear().await["data"]["code"], "invalid_message");
    peer.say(json!({ "type": "ping" })).await;
    assert_eq!(peer.hear().await["event"], "pong");
}

#[tokio::test(start_paused = true)]
async fn too_many_topics_end_the_connection() {
    let hub = Hub::new(config().max_topics(2));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "topics": ["a", "b", "c"] })).await;
    assert_eq!(peer.hear().await["data"]["code"], "too_many_topics");
    assert_eq!(peer.close_code().await, 4429);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_many_topics_resumes_by_its_token() {
    let hub = Hub::new(config().max_topics(1000));
    let topics: Vec<_> = (0..600).map(|n| format!("a.topic.with.a.long.name.{n}")).collect();
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "topics": topics })).await;
    let token = peer.hear().await["data"]["token"].clone();
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "resume": { "token": token } })).await;
    assert_eq!(again.hear().await["data"]["recovered"], true);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_too_much_is_closed() {
    let hub = Hub::new(config().message_rate(1, 5));
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    for _ in 0..6 {
        peer.say(json!({ "type": "ping" })).await;
    }
    for _ in 0..5 {
        assert_eq!(peer.hear().await["event"], "pong");
    }
    assert_eq!(peer.hear().await["data"]["code"], "too_many_messages");
    assert_eq!(peer.close_code().await, 4429);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_answered_and_the_connection_forgotten() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    peer.0.close(None).await.unwrap();
    while let Some(Ok(_)) = peer.0.next().await {}
    sleep(Duration::from_secs(3)).await;
    assert_eq!(hub.inspect().connections, 0);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_hub_is_the_end_of_its_connections() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    drop(hub);
    assert_eq!(peer.close_code().await, 1001);
}
