//! The page's server: what the page's script says and does, said and done here. The script itself
//! runs in a browser only.

use serde_json::{Value, json};

use crate::{
    program::{Server, json as read, text},
    socket::Socket,
};

async fn wave(server: &Server) -> String {
    text(server.post("/waves")).await
}

async fn resumed(server: &Server, resume: Value) -> (Socket, Value) {
    let hello = json!({ "type": "hello", "topics": ["waves"], "resume": resume });
    let mut socket = Socket::hello(server, &hello).await;
    let welcome = socket.next("connection:success").await["data"].take();
    socket.next("subscribed").await;
    (socket, welcome)
}

#[tokio::test]
async fn the_page_fetches_follows_and_goes_on_where_it_was() {
    let server = Server::start(env!("CARGO_BIN_EXE_page")).await;
    let page = text(server.get("/")).await;
    assert!(page.starts_with("<!doctype html>"));
    assert!(!page.contains("http:") && !page.contains("https:"), "it needs no other host");

    wave(&server).await;
    let state = read(server.get("/waves").send().await.unwrap()).await;
    assert_eq!(state["count"], 1);
    // Between the fetch and the socket.
    wave(&server).await;
    let (mut socket, welcome) = resumed(&server, json!({ "last_id": state["position"] })).await;
    assert_eq!(welcome["recovered"], true);
    assert_eq!(socket.event().await["data"], 2);
    wave(&server).await;
    let last = socket.event().await;
    assert_eq!(last["data"], 3);

    drop(socket);
    wave(&server).await;
    let resume = json!({ "last_id": last["id"], "token": welcome["token"] });
    let (mut socket, again) = resumed(&server, resume.clone()).await;
    assert_eq!((&again["recovered"], &again["id"]), (&json!(true), &welcome["id"]));
    assert_eq!(socket.event().await["data"], 4);
    // Where no WebSocket goes through.
    let after = last["id"].as_str().unwrap();
    let path = format!("/events?topics=waves&after={after}");
    let mut stream = crate::program::Stream::open(server.get(&path)).await;
    assert_eq!(stream.next_named("wave").await["data"], 4);

    server.program.kill().await;
    let server = Server::start(env!("CARGO_BIN_EXE_page")).await;
    let (mut socket, anew) = resumed(&server, resume).await;
    assert_eq!(anew["recovered"], false);
    assert_eq!(socket.next("resync").await["data"]["position"], anew["position"]);
    let state = read(server.get("/waves").send().await.unwrap()).await;
    assert_eq!(state, json!({ "count": 0, "position": anew["position"] }));
}
