//! Server-sent events and long polls over real sockets, beside WebSockets on the same hub.

use std::{net::SocketAddr, time::Duration};

use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, Topic, TopicPattern,
    Transport,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic's name")
}

fn config() -> HubConfig {
    HubConfig::new()
        .epoch("e".parse().expect("an epoch"))
        .default_topics([topic("news").into()])
        .poll_wait(Duration::from_secs(1))
}

fn publish(hub: &Hub, data: impl serde::Serialize) {
    hub.publish(&topic("news"), "said", &data).expect("it can be published");
}

async fn serve(hub: &Hub) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let app: axum::Router = axum::Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn get(address: SocketAddr, path: &str) -> RequestBuilder {
    reqwest::Client::new().get(format!("http://{address}{path}"))
}

/// A block of an event stream.
#[derive(Debug, Default, PartialEq)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Option<Value>,
    retry: Option<u64>,
}

/// Reads an event stream as a browser does.
struct Stream {
    response: Response,
    received: String,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { response, received: String::new() }
    }

    /// The next block; `None` at the end of the stream.
    async fn block(&mut self) -> Option<Block> {
        let text = loop {
            if let Some((block, rest)) = self.received.split_once("\n\n") {
                let block = block.to_owned();
                self.received = rest.to_owned();
                break block;
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
            let chunk = chunk.expect("the stream is whole")?;
            self.received.push_str(std::str::from_utf8(&chunk).expect("text"));
        };
        let mut block = Block::default();
        for line in text.lines() {
            let (field, value) = line.split_once(": ").expect("a field");
            match field {
                "id" => block.id = Some(value.to_owned()),
                "event" => block.event = Some(value.to_owned()),
                "data" => block.data = Some(serde_json::from_str(value).expect("JSON")),
                "retry" => block.retry = Some(value.parse().expect("a number")),
                other => panic!("unknown field {other}"),
            }
        }
        Some(block)
    }

    /// The next block of this name.
    async fn named(&mut self, name: &str) -> Block {
        loop {
            let block = self.block().await.expect("the stream goes on");
            if block.event.as_deref() == Some(name) {
                return block;
            }
        }
    }
}

async fn poll(address: SocketAddr, query: &str) -> Value {
    let response = get(address, &format!("/poll{query}")).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    timeout(PATIENCE, response.json()).await.expect("an answer").expect("JSON")
}

#[tokio::test]
async fn a_stream_begins_with_a_welcome_and_goes_on_with_events() {
    let hub = Hub::new(config());
    let mut stream = Stream::open(get(serve(&hub).await, "/events")).await;
    let retry = stream.block().await.unwrap().retry.unwrap();
    assert!((500..=4000).contains(&retry), "browsers come back at different times");
    let welcome = stream.block().await.unwrap();
    assert_eq!(welcome.event.as_deref(), Some("connection:success"));
    assert_eq!(welcome.id, None, "control events have none");
    assert_eq!(welcome.data.unwrap()["data"]["position"], "e-10");
    assert_eq!(stream.block().await.unwrap().event.as_deref(), Some("subscribed"));
    let position = stream.block().await.unwrap();
    assert_eq!(position, Block { id: Some("e-10".to_owned()), ..Block::default() });
    publish(&hub, "line\nbreak");
    let event = stream.block().await.unwrap();
    let envelope = json!({ "id": "e-11", "event": "said", "topic": "news", "data": "line\nbreak" });
    assert_eq!(event.id.as_deref(), Some("e-11"));
    assert_eq!(event.event.as_deref(), Some("said"));
    assert_eq!(event.data, Some(envelope));
    assert_eq!(hub.inspect().transports[&Transport::EventStream], 1);
}

#[tokio::test]
async fn raw_json_with_line_breaks_does_not_break_the_stream() {
    let hub = Hub::new(config());
    let mut stream = Stream::open(get(serve(&hub).await, "/events")).await;
    stream.named("subscribed").await;
    let raw = serde_json::value::RawValue::from_string("{\n\"a\":\r\n1}".to_owned()).unwrap();
    publish(&hub, raw);
    assert_eq!(stream.named("said").await.data.unwrap()["data"], json!({ "a": 1 }));
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_after_the_last_event_id() {
    let hub = Hub::new(config());
    let address = serve(&hub).await;
    (1..=5).for_each(|n| publish(&hub, n));
    for request in [
        get(address, "/events?after=e-10").header("last-event-id", "e-12"),
        get(address, "/events?after=e-12"),
    ] {
        let mut stream = Stream::open(request).await;
        let welcome = stream.named("connection:success").await.data.unwrap();
        assert_eq!(welcome["data"]["recovered"], true);
        for n in 3..=5 {
            assert_eq!(stream.named("said").await.data.unwrap()["data"], n);
        }
    }
}

#[tokio::test]
async fn a_stream_that_cannot_go_on_says_so_and_moves_the_browsers_last_id_with_it() {
    let hub = Hub::new(config().history(2, 1 << 20));
    let address = serve(&hub).await;
    (1..=5).for_each(|n| publish(&hub, n));
    let mut stream = Stream::open(get(address, "/events?after=e-11")).await;
    stream.named("subscribed").await;
    let resync = stream.block().await.unwrap();
    assert_eq!(resync.event.as_deref(), Some("resync"), "no id before it");
    assert_eq!(resync.id.as_deref(), Some("e-15"));
    assert_eq!(resync.data.unwrap()["data"]["reason"], "history_expired");
}

#[tokio::test]
async fn heartbeats_of_a_stream_move_its_position_past_events_of_others() {
    let hub = Hub::new(config().heartbeat(Duration::from_millis(50)));
    let mut stream = Stream::open(get(serve(&hub).await, "/events?topics=quiet")).await;
    stream.named("subscribed").await;
    publish(&hub, "not for it");
    loop {
        let block = stream.block().await.unwrap();
        assert_eq!((&block.event, &block.data), (&None, &None));
        if block.id.as_deref() == Some("e-11") {
            break;
        }
    }
}

#[tokio::test]
async fn draining_tells_a_stream_when_to_come_back_and_ends_it() {
    let hub = Hub::new(config());
    let address = serve(&hub).await;
    let mut stream = Stream::open(get(address, "/events")).await;
    stream.named("subscribed").await;
    let polling =
        tokio::spawn(
            async move { get(address, "/poll?after=e-10").send().await.unwrap().status() },
        );
    while hub.connections() < 2 {
        tokio::task::yield_now().await;
    }
    hub.drain(Duration::from_secs(9)).await;
    let draining = stream.named("server:draining").await;
    let wait = draining.data.unwrap()["data"]["retry_after_ms"].as_u64().unwrap();
    assert_eq!(draining.retry, Some(wait));
    assert!(wait <= 9000);
    assert_eq!(stream.named("close").await.data.unwrap()["data"]["code"], 1001);
    assert_eq!(stream.block().await, None);
    assert_eq!(polling.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    let refused = get(address, "/events").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_client_that_is_gone_is_forgotten() {
    let hub = Hub::new(config().heartbeat(Duration::from_millis(50)));
    let stream = Stream::open(get(serve(&hub).await, "/events")).await;
    assert_eq!(hub.connections(), 1);
    drop(stream);
    let gone = async {
        while hub.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the connection is forgotten");
}

#[tokio::test]
async fn a_poll_tells_where_it_stands_and_brings_what_came_since() {
    let hub = Hub::new(config());
    let address = serve(&hub).await;
    publish(&hub, 1);
    assert_eq!(poll(address, "").await, json!({ "events": [], "position": "e-11" }));
    publish(&hub, 2);
    hub.publish(&topic("other"), "said", &"not for it").unwrap();
    let answer = poll(address, "?after=e-11").await;
    let event = json!({ "id": "e-12", "event": "said", "topic": "news", "data": 2 });
    assert_eq!(answer, json!({ "events": [event], "position": "e-13" }));

    let waiting = tokio::spawn(async move { poll(address, "?after=e-13").await });
    while hub.connections() == 0 {
        tokio::task::yield_now().await;
    }
    publish(&hub, 3);
    assert_eq!(waiting.await.unwrap()["events"][0]["data"], 3);
    let quiet = poll(address, "?after=e-14").await;
    assert_eq!(quiet, json!({ "events": [], "position": "e-14" }), "after the wait");
    assert_eq!(hub.connections(), 0);
}

#[tokio::test]
async fn a_poll_after_lost_history_gets_a_resync() {
    let hub = Hub::new(config().history(2, 1 << 20));
    let address = serve(&hub).await;
    (1..=5).for_each(|n| publish(&hub, n));
    let answer = poll(address, "?after=e-11").await;
    let resync = json!({ "reason": "history_expired", "position": "e-15" });
    let events = json!([{ "event": "resync", "data": resync }]);
    assert_eq!(answer, json!({ "events": events, "position": "e-15" }));
}

#[tokio::test]
async fn a_long_replay_comes_in_several_polls_without_loss() {
    let hub = Hub::new(config());
    let address = serve(&hub).await;
    (0..2000).for_each(|n| publish(&hub, json!([n, "x".repeat(500)])));
    let (mut position, mut seen, mut polls) = ("e-10".to_owned(), 0, 0);
    while seen < 2000 {
        let answer = poll(address, &format!("?after={position}")).await;
        for event in answer["events"].as_array().unwrap() {
            assert_eq!(event["data"][0], seen);
            seen += 1;
        }
        position = answer["position"].as_str().unwrap().to_owned();
        polls += 1;
    }
    assert!((2..=20).contains(&polls), "{polls} polls");
}

/// Knows bearer tokens and cookies that are names.
struct Names;

impl Authorizer for Names {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            let Credential::Request(request) = credential else {
                return Ok(Identity::guest());
            };
            let header =
                |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
            match header("authorization").or_else(|| header("cookie")) {
                None => Ok(Identity::guest()),
                Some("nobody") => Err(AuthError::new("nobody knows you")),
                Some("somebody") => Err(AuthError::unavailable("nobody is there to know you")),
                Some(name) => Ok(Identity::user(name)),
            }
        })
    }

    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        topic.as_str() == "news" || identity.subject() == Some(topic.as_str())
    }
}

#[tokio::test]
async fn streams_and_polls_are_authorized_by_header_or_cookie() {
    let hub = Hub::new(config().authorizer(Names));
    let address = serve(&hub).await;
    let refused = get(address, "/events").header("authorization", "nobody").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body, json!({ "error": "nobody knows you", "code": "unauthorized" }));
    let later = get(address, "/events").header("authorization", "somebody").send().await.unwrap();
    assert_eq!(later.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(later.headers().contains_key("retry-after"));
    let body: Value = later.json().await.unwrap();
    assert_eq!(body, json!({ "error": "nobody is there to know you", "code": "unavailable" }));

    for request in [
        get(address, "/events?topics=news,ali").header("authorization", "ali"),
        get(address, "/events?topics=news,ali")
            .header("cookie", "ali")
            .header("sec-fetch-site", "same-origin"),
    ] {
        let mut stream = Stream::open(request).await;
        let subscribed = stream.named("subscribed").await.data.unwrap();
        assert_eq!(subscribed["data"]["topics"], json!(["news", "ali"]));
    }
    let foreign = get(address, "/events?topics=news,ali").header("cookie", "ali");
    let subscribed = Stream::open(foreign).await.named("subscribed").await.data.unwrap();
    assert_eq!(subscribed["data"]["denied"], json!(["ali"]), "a cookie without an origin");
    let answer = poll(address, "?topics=ali").await;
    assert_eq!(answer["denied"], json!(["ali"]));
}

#[tokio::test]
async fn a_revoked_credential_ends_streams_and_polls() {
    let hub = Hub::new(config().authorizer(Names).poll_wait(PATIENCE));
    let address = serve(&hub).await;
    let mut stream = Stream::open(get(address, "/events").header("authorization", "ali")).await;
    let polling = tokio::spawn(async move {
        let request = get(address, "/poll?after=e-10").header("authorization", "ali");
        request.send().await.unwrap().status()
    });
    while hub.connections() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(hub.revoke(|identity| identity.subject() == Some("ali")), 2);
    assert_eq!(stream.named("close").await.data.unwrap()["data"]["code"], 4401);
    assert_eq!(polling.await.unwrap(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let hub = Hub::new(
        config()
            .max_per_address(1)
            .client_ip(|_| Some(std::net::Ipv4Addr::new(192, 0, 2, 1).into())),
    );
    let address = serve(&hub).await;
    let stream = Stream::open(get(address, "/events")).await;
    let refused = get(address, "/poll").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["code"], "too_many_connections_of_address");
    drop(stream);
    let again = async {
        while get(address, "/poll").send().await.unwrap().status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place is free again");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_by_name() {
    let address = serve(&Hub::new(config())).await;
    let hub = Hub::new(config());
    let alive = serve(&hub).await;
    let gone = get(address, "/events").send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::SERVICE_UNAVAILABLE, "the hub was dropped");
    for path in ["/events?topics=a%20b", "/poll?topics=", "/events?last_id=e-1", "/poll?after"] {
        let status = get(alive, path).send().await.unwrap().status();
        let expected = if path == "/poll?after" { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(status, expected, "{path}");
    }
    let post = reqwest::Client::new().post(format!("http://{alive}/events")).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.headers()["allow"], "GET");
}
