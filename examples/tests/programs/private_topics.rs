//! Private topics: who may follow whose orders.

use serde_json::{Value, json};

use crate::{
    program::{Server, Stream, json as read, text},
    socket::Socket,
};

const BOB: &str = "key-of-bob";

async fn follow(server: &Server, key: &str, topics: &[&str]) -> (Socket, Value) {
    let hello = json!({ "type": "hello", "topics": topics, "auth": key });
    let mut socket = Socket::hello(server, &hello).await;
    let mut told = socket.next("subscribed").await["data"].take();
    told.as_object_mut()
        .expect("an object")
        .retain(|field, _| field == "topics" || field == "denied");
    (socket, told)
}

#[tokio::test]
async fn the_orders_of_others_are_denied_and_do_not_come() {
    let server = Server::start(env!("CARGO_BIN_EXE_private-topics")).await;
    let own_and_others = ["orders.ada", "orders.bob", "orders.*", "*.ada", "orders"];
    let (mut ada, told) = follow(&server, "key-of-ada", &own_and_others).await;
    let denied = ["orders.bob", "orders.*", "*.ada", "orders"];
    assert_eq!(told, json!({ "topics": ["orders.ada"], "denied": denied }));
    let (mut admin, told) = follow(&server, "key-of-the-admin", &["orders.*"]).await;
    assert_eq!(told, json!({ "topics": ["orders.*"], "denied": [] }));

    // Nor does it help to ask again later.
    ada.say(&json!({ "type": "subscribe", "topics": ["orders.bob"] })).await;
    assert_eq!(ada.next("subscribed").await["data"]["denied"], json!(["orders.bob"]));

    let order = |key: &'static str| text(server.post("/orders").bearer_auth(key).body("a book"));
    let of_bob = order(BOB).await;
    let of_ada = order("key-of-ada").await;
    assert_eq!(ada.event().await["id"], *of_ada, "the order of bob is passed over");
    let seen = admin.event().await;
    assert_eq!((&seen["id"], &seen["topic"]), (&json!(of_bob), &json!("orders.bob")));
    assert_eq!(admin.event().await["topic"], "orders.ada");
}

#[tokio::test]
async fn streams_and_polls_tell_what_is_denied_too() {
    let server = Server::start(env!("CARGO_BIN_EXE_private-topics")).await;
    let path = "/events?topics=orders.ada,orders.bob";
    let mut stream = Stream::open(server.get(path).bearer_auth(BOB)).await;
    let told = stream.next_named("subscribed").await;
    assert_eq!(told["data"]["denied"], json!(["orders.ada"]));

    let poll = server.get("/poll?topics=orders.ada,orders.bob").bearer_auth(BOB);
    assert_eq!(read(poll.send().await.unwrap()).await["denied"], json!(["orders.ada"]));
    let guest = server.get("/poll?topics=orders.ada");
    assert_eq!(read(guest.send().await.unwrap()).await["denied"], json!(["orders.ada"]));
    let forged = server.get("/poll?topics=orders.ada").bearer_auth("key-of-eve");
    assert_eq!(forged.send().await.unwrap().status(), 401);
}
