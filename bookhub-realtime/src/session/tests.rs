//! The session over in-memory streams, with a paused clock.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf, duplex},
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::*;
use crate::{BoxFuture, Hub, HubConfig, Position, SUBPROTOCOL, Topic, auth::Authorizer};

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
async fn a_socket_that_takes_nothing_is_closed_and_costs_no_queue() {
    let hub = Hub::new(config().heartbeat(Duration::from_hours(1)).history(1000, 1 << 20));
    let _peer = Peer::with_buffer(&hub, false, 2000).await;
    sleep(Duration::from_secs(1)).await;
    for n in 0..100 {
        publish(&hub, format!("{n}: {}", "x".repeat(1000)));
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_secs(29)).await;
    assert_eq!(hub.inspect().connections, 1);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(hub.inspect().connections, 0);
}

/// A socket that takes the first write and then no byte, and whose peer says nothing.
struct OneWrite {
    taken: bool,
    refused: usize,
}

impl AsyncWrite for OneWrite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.taken, true) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.refused += 1;
        assert!(self.refused < 100, "a full socket is written to over and over");
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for OneWrite {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_full_where_a_frame_ends_is_left_alone_until_it_has_room() {
    let hub = hub();
    let socket = OneWrite { taken: false, refused: 0 };
    let serving = tokio::spawn(hub.serve_stream(socket, Request::new(())));
    while hub.connections() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    publish(&hub, "nothing of this is taken");
    // Nothing else wakes the session before the write timeout does.
    sleep(Duration::from_secs(29)).await;
    assert!(!serving.is_finished() && hub.inspect_connections()[0].stalled.is_some());
    sleep(Duration::from_secs(5)).await;
    serving.await.expect("it ends in order");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_falls_off_the_log_is_told_to_resync() {
    let hub = Hub::new(config().history(10, 1 << 20));
    let mut peer = Peer::with_buffer(&hub, false, 3000).await;
    peer.hear().await;
    for n in 0..100 {
        publish(&hub, json!([n, "x".repeat(500)]));
        tokio::task::yield_now().await;
    }
    let mut expected = 0;
    let resync = loop {
        let message = peer.news().await;
        if message["event"] == "resync" {
            break message;
        }
        assert_eq!(message["data"][0], expected, "in order up to the gap");
        expected += 1;
    };
    assert_eq!(resync["data"]["reason"], "too_slow");
    assert!(expected < 90);
    publish(&hub, "on");
    assert_eq!(peer.news().await["data"], "on");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_missed_something_is_told_so_before_any_position() {
    let hub = Hub::new(config().history(10, 1 << 20));
    let mut peer = Peer::with_buffer(&hub, false, 3000).await;
    peer.hear().await;
    for n in 0..100 {
        publish(&hub, json!([n, "x".repeat(500)]));
        tokio::task::yield_now().await;
    }
    // A heartbeat comes due while the socket takes nothing.
    sleep(Duration::from_secs(26)).await;
    let mut missed = false;
    loop {
        let message = peer.hear().await;
        match message["event"].as_str() {
            Some("resync") => missed = true,
            Some("ping") => break,
            _ => {}
        }
    }
    assert!(missed, "a position would claim what was never sent");
}

#[tokio::test(start_paused = true)]
async fn lost_history_is_told_at_once_on_a_quiet_log() {
    let hub = hub();
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    hub.raise_tail(Position::new(10)).unwrap();
    let told = timeout(Duration::from_secs(1), peer.hear()).await;
    assert_eq!(told.unwrap()["event"], "resync");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_one_large_event_is_waited_for() {
    let hub = hub();
    let mut peer = Peer::with_buffer(&hub, false, 2048).await;
    peer.hear().await;
    publish(&hub, "x".repeat(100_000));
    let (mut io, mut taken) = (peer.0.into_inner(), 0);
    while taken < 100_000 {
        // Two minutes in all.
        sleep(Duration::from_secs(1)).await;
        let mut space = [0; 1000];
        let some = io.read(&mut space).await.unwrap();
        assert!(some > 0, "closed after {taken} bytes");
        taken += some;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_topic_on_a_busy_log_is_told_where_it_is() {
    let hub = Hub::new(config().history(100, 1 << 20));
    let mut peer = Peer::connect(&hub, false).await;
    peer.hear().await;
    for n in 0..90 {
        hub.publish(&topic("busy"), "e", &n).unwrap();
        tokio::task::yield_now().await;
    }
    let mut last_id = Value::Null;
    for _ in 0..3 {
        let ping = peer.hear().await;
        assert_eq!(ping["event"], "ping");
        last_id = ping["data"]["position"].clone();
    }
    drop(peer);
    (0..50).for_each(|n| drop(hub.publish(&topic("busy"), "e", &n)));
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "resume": { "last_id": last_id } })).await;
    assert_eq!(again.hear().await["data"]["recovered"], true);
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
async fn a_client_that_asks_and_does_not_listen_is_not_read_for_ever() {
    let hub = Hub::new(config().message_rate(1_000_000, 1_000_000));
    let mut peer = Peer::with_buffer(&hub, false, 4096).await;
    peer.hear().await;
    let asking = async {
        loop {
            peer.say(json!({ "type": "ping" })).await;
        }
    };
    let stuck = timeout(Duration::from_secs(5), asking).await;
    assert!(stuck.is_err(), "the questions wait in the client's own socket");
}

#[tokio::test(start_paused = true)]
async fn too_many_topics_end_the_connection() {
    let hub = Hub::new(config().max_topics(2));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "topics": ["a", "b", "c"] })).await;
    assert_eq!(peer.hear().await["data"]["code"], "too_many_topics");
    assert_eq!(peer.close_code().await, 4429);
}

/// Accepts every word but "bad", "late" after 4 s and "slow" never; what "brief" grants ends soon
/// after the beginning of `own_time`.
struct Words;

const BRIEF: Duration = Duration::from_millis(50);

/// The time of day is that of the runtime's own clock, so that it stands still with it.
fn own_time(config: HubConfig) -> HubConfig {
    let began = Instant::now();
    config.clock(move || SystemTime::UNIX_EPOCH + began.elapsed())
}

impl Authorizer for Words {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            match credential {
                Credential::Token("late") => {
                    sleep(Duration::from_secs(4)).await;
                    Ok(Identity::user("late"))
                }
                Credential::Token("slow") => std::future::pending().await,
                Credential::Token("bad") => Err(AuthError::new("wrong word")),
                Credential::Token("brief") => {
                    Ok(Identity::user("brief").with_expiry(SystemTime::UNIX_EPOCH + BRIEF))
                }
                Credential::Token(name) => Ok(Identity::user(name)),
                Credential::Request(_) => Ok(Identity::guest()),
            }
        })
    }

    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        let own = identity.subject().map(|user| format!("orders.{user}"));
        topic.as_str() == "books" || Some(topic.as_str()) == own.as_deref()
    }
}

#[tokio::test(start_paused = true)]
async fn topics_are_granted_by_credential_and_a_new_one_takes_them_back() {
    let hub = Hub::new(config().authorizer(Words));
    let mut peer = Peer::connect(&hub, true).await;
    let topics = json!(["books", "orders.ali", "orders.eve", "orders.*"]);
    peer.say(json!({ "type": "hello", "auth": "ali", "topics": topics })).await;
    peer.hear().await;
    let subscribed = peer.hear().await["data"].clone();
    assert_eq!(subscribed["topics"], json!(["books", "orders.ali"]));
    assert_eq!(subscribed["denied"], json!(["orders.eve", "orders.*"]));
    peer.say(json!({ "type": "auth", "token": "eve" })).await;
    assert_eq!(peer.hear().await["data"]["denied"], json!(["orders.ali"]));
    hub.publish(&topic("orders.ali"), "e", &1).unwrap();
    publish(&hub, 2);
    assert_eq!(peer.hear().await["data"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_or_revoked_credential_ends_the_connection() {
    let hub = Hub::new(config().authorizer(Words));
    let mut refused = Peer::connect(&hub, true).await;
    refused.say(json!({ "type": "hello", "auth": "bad" })).await;
    assert_eq!(refused.hear().await["data"]["message"], "wrong word");
    assert_eq!(refused.close_code().await, 4401);

    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "ali" })).await;
    let token = peer.hear().await["data"]["token"].clone();
    assert_eq!(hub.revoke(|identity| identity.subject() == Some("ali")), 1);
    assert_eq!(peer.close_code().await, 4401);
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "auth": "ali", "resume": { "token": token } })).await;
    again.hear().await;
    again.hear().await;
    assert_eq!(again.hear().await["data"]["reason"], "token_invalid");
}

#[tokio::test(start_paused = true)]
async fn a_credential_revoked_while_a_connection_opens_does_not_open_it() {
    let revoked = Arc::new(AtomicBool::new(false));
    let hub = Hub::new(config().authorizer(Revocable(Arc::clone(&revoked))));
    let mut peer = Peer::connect(&hub, true).await;
    // It waits for the log to come to its position.
    let resume = json!({ "last_id": "e-2ff" });
    peer.say(json!({ "type": "hello", "auth": "ali", "resume": resume })).await;
    sleep(Duration::from_secs(2)).await;
    revoked.store(true, Ordering::SeqCst);
    hub.revoke(|identity| identity.subject() == Some("ali"));
    assert_eq!(peer.close_code().await, 4401);
}

struct Revocable(Arc<AtomicBool>);

impl Authorizer for Revocable {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            match credential {
                _ if self.0.load(Ordering::SeqCst) => Err(AuthError::new("revoked")),
                Credential::Token(name) => Ok(Identity::user(name)),
                Credential::Request(_) => Ok(Identity::guest()),
            }
        })
    }

    fn may_follow(&self, _: &Identity, _: &TopicPattern) -> bool {
        true
    }
}

#[tokio::test]
async fn a_client_that_never_stops_talking_does_not_outlive_its_credential() {
    let hub = Hub::new(own_time(config().authorizer(Words)));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "brief" })).await;
    let pong = json!({ "type": "pong" }).to_string();
    let talking = async { while peer.0.send(Message::text(pong.clone())).await.is_ok() {} };
    assert_eq!(timeout(Duration::from_secs(10), talking).await, Ok(()), "it still stands");
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
async fn an_expired_credential_ends_the_connection() {
    let grace = Duration::from_millis(20);
    let hub = Hub::new(own_time(config().authorizer(Words).auth_grace(grace)));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "brief" })).await;
    assert_eq!(peer.hear().await["event"], "connection:success");
    assert_eq!(peer.hear().await["event"], "subscribed");
    let told = peer.news().await;
    assert_eq!(told["data"]["code"], "credential_expired", "while there is time for a fresh one");
    assert_eq!(timeout(Duration::from_secs(10), peer.close_code()).await, Ok(4401));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_credential_within_the_grace_keeps_the_connection() {
    let grace = Duration::from_secs(3600);
    let hub = Hub::new(own_time(config().authorizer(Words).auth_grace(grace)));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "brief" })).await;
    while peer.news().await["data"]["code"] != "credential_expired" {}
    peer.say(json!({ "type": "auth", "token": "ali" })).await;
    assert_eq!(peer.news().await["event"], "subscribed");
    publish(&hub, "still here");
    assert_eq!(peer.news().await["data"], "still here");
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_has_expired_is_no_fresh_one() {
    let hub = Hub::new(own_time(config().authorizer(Words)));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "ali" })).await;
    sleep(2 * BRIEF).await;
    peer.say(json!({ "type": "auth", "token": "brief" })).await;
    assert_eq!(timeout(Duration::from_secs(1), peer.close_code()).await, Ok(4401));
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_also_while_its_authorizer_is_asked() {
    let hub = Hub::new(config().authorizer(Words));
    let mut revoked = Peer::connect(&hub, true).await;
    revoked.say(json!({ "type": "hello", "auth": "ali" })).await;
    revoked.say(json!({ "type": "auth", "token": "slow" })).await;
    sleep(Duration::from_secs(1)).await;
    publish(&hub, "meanwhile");
    while revoked.hear().await["data"] != "meanwhile" {}
    assert_eq!(hub.revoke(|identity| identity.subject() == Some("ali")), 1);
    assert_eq!(timeout(Duration::from_secs(1), revoked.close_code()).await, Ok(4401));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_authorizer_is_not_the_clients_silence() {
    let brief = config().heartbeat(Duration::from_secs(2));
    let hub = Hub::new(brief.heartbeat_timeout(Duration::from_secs(1)).authorizer(Words));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "ali" })).await;
    peer.say(json!({ "type": "auth", "token": "late" })).await;
    for _ in 0..3 {
        assert_ne!(peer.hear().await["event"], "error");
    }
    sleep(Duration::from_millis(500)).await;
    publish(&hub, "after");
    while peer.hear().await["data"] != "after" {}
}

#[tokio::test(start_paused = true)]
async fn who_is_ahead_of_the_log_is_answered_also_while_others_are_revoked() {
    let hub = Hub::new(config().authorizer(Words));
    let mut peer = Peer::connect(&hub, true).await;
    let resume = json!({ "last_id": "e-2ff" });
    peer.say(json!({ "type": "hello", "auth": "ali", "resume": resume })).await;
    let revoking = async {
        loop {
            sleep(Duration::from_secs(2)).await;
            hub.revoke(|identity| identity.subject() == Some("eve"));
        }
    };
    select! {
        () = revoking => {}
        welcome = timeout(Duration::from_secs(6), peer.hear()) => {
            assert_eq!(welcome.unwrap()["event"], "connection:success");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_always_a_little_behind_with_its_answers_costs_no_more_for_it() {
    let hub = hub();
    let mut peer = Peer::with_buffer(&hub, true, 1 << 14).await;
    let topics: Vec<_> = (0..100).map(|n| format!("{n}.{}", "long".repeat(25))).collect();
    peer.say(json!({ "type": "hello", "topics": topics })).await;
    let question = json!({ "type": "unsubscribe", "topics": [] });
    for _ in 0..20 {
        peer.say(question.clone()).await;
    }
    for _ in 0..200 {
        peer.say(question.clone()).await;
        peer.hear().await;
        sleep(Duration::from_millis(51)).await;
    }
    assert!(hub.unwritten() < 1 << 20, "{} bytes", hub.unwritten());
}

#[tokio::test(start_paused = true)]
async fn an_authorizer_is_not_waited_for_for_ever() {
    let hub = Hub::new(config().authorizer(Words));
    let mut late = Peer::connect(&hub, true).await;
    late.say(json!({ "type": "hello", "auth": "slow" })).await;
    assert_eq!(late.hear().await["data"]["code"], "not_authorized_in_time");
    assert_eq!(late.close_code().await, 4408);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_answers_gets_no_more_of_them_and_all_in_the_end() {
    const QUESTIONS: usize = 300;
    let hub = Hub::new(config().message_rate(1_000_000, 1_000_000));
    let mut peer = Peer::with_buffer(&hub, true, 1 << 16).await;
    let topics: Vec<_> = (0..100).map(|n| format!("{n}.{}", "long".repeat(25))).collect();
    peer.say(json!({ "type": "hello", "topics": topics })).await;
    assert_eq!(peer.hear().await["event"], "connection:success");
    assert_eq!(peer.hear().await["event"], "subscribed");
    let (mut asking, mut hearing) = peer.0.split();
    let asker = tokio::spawn(async move {
        for _ in 0..QUESTIONS {
            let question = json!({ "type": "unsubscribe", "topics": [] }).to_string();
            asking.send(Message::text(question)).await.unwrap();
        }
        asking
    });
    sleep(Duration::from_secs(1)).await;
    assert!(hub.unwritten() < 200_000, "{} bytes", hub.unwritten());
    for _ in 0..QUESTIONS {
        let answer = timeout(Duration::from_secs(5), hearing.next()).await.unwrap();
        assert!(
            answer.unwrap().unwrap().to_text().unwrap().starts_with(r#"{"event":"subscribed""#)
        );
    }
    drop(asker.await.unwrap());
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
async fn a_subject_has_so_many_connections_and_a_resume_is_not_one_more() {
    let hub = Hub::new(config().authorizer(Words).max_per_subject(1));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "ali" })).await;
    let token = peer.hear().await["data"]["token"].clone();
    let mut second = Peer::connect(&hub, true).await;
    second.say(json!({ "type": "hello", "auth": "ali" })).await;
    assert_eq!(second.hear().await["data"]["code"], "too_many_connections_of_subject");
    assert_eq!(second.close_code().await, 4429);
    let mut again = Peer::connect(&hub, true).await;
    again.say(json!({ "type": "hello", "auth": "ali", "resume": { "token": token } })).await;
    assert_eq!(again.hear().await["data"]["recovered"], true);
    drop((peer, second, again));
    sleep(Duration::from_secs(5)).await;
    let mut last = Peer::connect(&hub, true).await;
    last.say(json!({ "type": "hello", "auth": "ali" })).await;
    assert_eq!(last.hear().await["event"], "connection:success", "all places are free again");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_connection_keeps_no_more_than_the_frame_it_has_begun() {
    let hub = hub();
    let mut peer = Peer::with_buffer(&hub, false, 3000).await;
    peer.hear().await;
    for n in 0..1000 {
        publish(&hub, json!([n, "x".repeat(500)]));
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    sleep(Duration::from_millis(1)).await;
    let lane = hub.inspect_connections();
    assert!(lane[0].stalled.is_some() && lane[0].lag > 900, "{lane:?}");
    assert!(hub.unwritten() < 1000, "{} bytes", hub.unwritten());
    for n in 0..1000 {
        assert_eq!(peer.news().await["data"][0], n);
    }
    assert_eq!(hub.inspect().most_behind, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_user_does_not_resume() {
    let hub = Hub::new(config().authorizer(Words));
    let mut peer = Peer::connect(&hub, true).await;
    peer.say(json!({ "type": "hello", "auth": "ali" })).await;
    let token = peer.hear().await["data"]["token"].clone();
    let mut thief = Peer::connect(&hub, true).await;
    thief.say(json!({ "type": "hello", "auth": "eve", "resume": { "token": token } })).await;
    assert_eq!(thief.hear().await["data"]["recovered"], false);
    assert_eq!(hub.inspect().connections, 2, "the owner's connection stands");
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
