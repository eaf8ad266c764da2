//! The hub in axum and in plain hyper, over all three transports.

use serde_json::json;

use crate::{
    program::{Server, Stream, json, text},
    socket::Socket,
};

#[tokio::test]
async fn axum_serves_the_news_over_all_transports() {
    let server = Server::start(env!("CARGO_BIN_EXE_embed-axum")).await;
    let mut socket = Socket::plain(&server).await;
    let start = socket.next("connection:success").await["data"]["position"].clone();
    let mut stream = Stream::open(server.get("/events")).await;
    stream.next_named("connection:success").await;

    let id = text(server.post("/news").body("It works")).await;
    let expected = json!({ "id": id, "event": "headline", "topic": "news", "data": "It works" });
    assert_eq!(socket.event().await, expected);
    assert_eq!(stream.next_named("headline").await, expected);
    let poll = server.poll("news", start.as_str().unwrap()).await;
    assert_eq!(poll, json!({ "events": [expected], "position": id }));
}

#[tokio::test]
async fn hyper_ticks_over_all_transports_by_path() {
    let server = Server::start(env!("CARGO_BIN_EXE_embed-hyper")).await;
    let mut socket = Socket::plain(&server).await;
    socket.next("connection:success").await;
    let mut stream = Stream::open(server.get("/events")).await;
    stream.next_named("connection:success").await;

    let tick = stream.next_named("tick").await;
    let heard = loop {
        let heard = socket.event().await;
        if heard["id"] == tick["id"] {
            break heard;
        }
        assert!(heard["data"].as_u64() < tick["data"].as_u64(), "{tick} did not come");
    };
    assert_eq!(heard, tick);
    // Who polls from there gets what comes after it.
    let poll = server.poll("clock", tick["id"].as_str().unwrap()).await;
    assert_eq!(poll["events"][0]["data"].as_u64(), tick["data"].as_u64().map(|n| n + 1));

    let nothing = server.get("/elsewhere").send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    let no_upgrade = server.get("/ws").send().await.unwrap();
    assert_eq!(no_upgrade.status(), 426);
    let bad_topic = server.get("/poll?topics=a,,b").send().await.unwrap();
    assert_eq!(json(bad_topic).await["code"], "invalid_query");
}
