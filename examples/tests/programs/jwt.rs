//! Login by JWT: who comes in, who is renewed, and who is put out.

use serde_json::{Value, json};

use crate::{
    program::{Server, Stream, text},
    socket::{Heard, Socket},
};

async fn login(server: &Server) -> String {
    let form = "name=ada&password=lovelace";
    let request = server.post("/login").header("content-type", "application/x-www-form-urlencoded");
    text(request.body(form)).await
}

fn hello(token: &str) -> Value {
    json!({ "type": "hello", "auth": token })
}

fn no_auth() -> Value {
    json!({ "type": "hello" })
}

#[tokio::test]
async fn a_bad_token_is_refused_and_a_good_one_lets_in() {
    let server = Server::start(env!("CARGO_BIN_EXE_jwt")).await;
    let token = login(&server).await;
    let wrong = server.post("/login").header("content-type", "application/x-www-form-urlencoded");
    let wrong = wrong.body("name=ada&password=guess").send().await.unwrap();
    assert_eq!(wrong.status(), 401);

    // Of another server, so signed with another key.
    let other = Server::start(env!("CARGO_BIN_EXE_jwt")).await;
    let foreign = login(&other).await;
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
    for bad in ["nonsense", &foreign, &unsigned] {
        assert_eq!(Socket::hello(&server, &hello(bad)).await.close_code().await, 4401, "{bad}");
        let header = format!("Bearer {bad}");
        let headers = [("authorization", &*header)];
        let mut socket = Socket::hello_with(&server, &no_auth(), &headers).await;
        assert_eq!(socket.close_code().await, 4401, "{bad}");
        for path in ["/events", "/poll"] {
            let refused = server.get(path).bearer_auth(bad).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{bad}");
        }
        let refused = server.post("/news").bearer_auth(bad).body("x").send().await.unwrap();
        assert_eq!(refused.status(), 401, "{bad}");
    }
    assert_eq!(Socket::plain(&server).await.close_code().await, 4401);
    assert_eq!(server.get("/events").send().await.unwrap().status(), 401);

    let header = format!("Bearer {token}");
    let headers = [("authorization", &*header)];
    let mut by_header = Socket::hello_with(&server, &no_auth(), &headers).await;
    let mut by_hello = Socket::hello(&server, &hello(&token)).await;
    for socket in [&mut by_header, &mut by_hello] {
        assert_eq!(socket.next("subscribed").await["data"]["topics"], json!(["news"]));
    }
    let id = text(server.post("/news").bearer_auth(&token).body("It works")).await;
    for socket in [&mut by_header, &mut by_hello] {
        let event = socket.event().await;
        assert_eq!(event["id"], *id);
        assert_eq!(event["data"], json!({ "by": "ada", "text": "It works" }));
    }
}

#[tokio::test]
async fn a_logout_ends_the_connections_of_its_session_and_no_others() {
    let server = Server::start(env!("CARGO_BIN_EXE_jwt")).await;
    let (one, two) = (login(&server).await, login(&server).await);
    let mut first = Socket::hello(&server, &hello(&one)).await;
    let mut second = Socket::hello(&server, &hello(&two)).await;
    // Came in by the first session and goes on by the second.
    let mut renewed = Socket::hello(&server, &hello(&one)).await;
    for socket in [&mut first, &mut second, &mut renewed] {
        socket.next("subscribed").await;
    }
    renewed.say(&json!({ "type": "auth", "token": two })).await;
    renewed.next("subscribed").await;
    let mut stream = Stream::open(server.get("/events").bearer_auth(&one)).await;
    stream.next_named("subscribed").await;

    let ended = text(server.post("/logout").bearer_auth(&one)).await;
    assert_eq!(ended, "connections ended: 2");
    assert_eq!(first.close_code().await, 4401);
    assert_eq!(stream.next_named("close").await["data"]["code"], 4401);
    assert_eq!(stream.next().await, None);
    assert_eq!(Socket::hello(&server, &hello(&one)).await.close_code().await, 4401);
    assert_eq!(server.post("/logout").bearer_auth(&one).send().await.unwrap().status(), 401);

    let id = text(server.post("/news").bearer_auth(&two).body("still here")).await;
    for socket in [&mut second, &mut renewed] {
        assert_eq!(socket.event().await["id"], *id);
    }
}

/// A connection by a token that lives for seconds. Where the machine is so slow that it has expired
/// before it is used, once more.
async fn came_in(server: &Server) -> Socket {
    loop {
        let mut socket = Socket::hello(server, &hello(&login(server).await)).await;
        if let Heard::Message(welcome) = socket.hear().await
            && welcome["event"] == "connection:success"
        {
            socket.next("subscribed").await;
            return socket;
        }
    }
}

#[tokio::test]
async fn a_token_that_expires_ends_the_connection() {
    let server = Server::start_with(env!("CARGO_BIN_EXE_jwt"), &["1"]).await;
    let mut idle = came_in(&server).await;
    assert_eq!(idle.next("error").await["data"]["code"], "credential_expired");
    assert_eq!(idle.close_code().await, 4401);
}

#[tokio::test]
async fn a_token_that_expires_can_be_renewed_in_band() {
    let server = Server::start_with(env!("CARGO_BIN_EXE_jwt"), &["3"]).await;
    let mut eager = came_in(&server).await;
    assert_eq!(eager.next("error").await["data"]["code"], "credential_expired");
    let fresh = login(&server).await;
    eager.say(&json!({ "type": "auth", "token": fresh })).await;
    assert_eq!(eager.next("subscribed").await["data"]["topics"], json!(["news"]));
    // It is told of the end of the new token too, so the end of the old one is forgotten.
    assert_eq!(eager.next("error").await["data"]["code"], "credential_expired");
}
