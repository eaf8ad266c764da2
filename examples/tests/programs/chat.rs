//! The chat: rooms, and keys that make a second try harmless.

use serde_json::json;

use crate::{
    program::{Server, text},
    socket::Socket,
};

async fn say(server: &Server, room: &str, key: &str, name: &str, words: &str) -> String {
    let fields = format!("key={key}&name={name}&text={words}");
    let request = server.post(&format!("/rooms/{room}"));
    text(request.header("content-type", "application/x-www-form-urlencoded").body(fields)).await
}

#[tokio::test]
async fn a_repeated_key_is_said_once() {
    let server = Server::start(env!("CARGO_BIN_EXE_chat")).await;
    let mut listener =
        Socket::hello(&server, &json!({ "type": "hello", "topics": ["room.tea"] })).await;
    listener.next("subscribed").await;

    let first = say(&server, "tea", "1", "ada", "Milk+first").await;
    for _ in 0..3 {
        assert_eq!(say(&server, "tea", "1", "ada", "Milk+first").await, first);
    }
    // Neither somebody else's message nor one in another room is taken for it.
    let other = say(&server, "tea", "1", "bob", "Milk+last").await;
    let elsewhere = say(&server, "coffee", "1", "ada", "Black").await;
    let last = say(&server, "tea", "2", "ada", "No").await;

    let data = |name: &str, text: &str| json!({ "name": name, "text": text });
    for (id, data) in [
        (first, data("ada", "Milk first")),
        (other, data("bob", "Milk last")),
        (last, data("ada", "No")),
    ] {
        let expected = json!({ "id": id, "event": "said", "topic": "room.tea", "data": data });
        assert_eq!(listener.event().await, expected);
        assert_ne!(id, elsewhere);
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let server = Server::start(env!("CARGO_BIN_EXE_chat")).await;
    let long = "k".repeat(300);
    for (room, key) in [("a%20b", "1"), ("*", "1"), ("tea", &long)] {
        let request = server.post(&format!("/rooms/{room}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let refused = request.body(format!("key={key}&name=ada&text=hi")).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{room}");
    }
}

#[tokio::test]
async fn who_names_no_room_is_in_the_lobby() {
    let server = Server::start(env!("CARGO_BIN_EXE_chat")).await;
    let mut guest = Socket::plain(&server).await;
    guest.next("connection:success").await;
    say(&server, "tea", "1", "ada", "Milk+first").await;
    let id = say(&server, "lobby", "1", "ada", "Hello").await;
    assert_eq!(guest.event().await["id"], *id);
}
