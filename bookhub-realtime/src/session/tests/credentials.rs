//! Who comes in, what they may follow, and for how long.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{BoxFuture, auth::Authorizer};

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
                Credential::Token("unknown") => Err(AuthError::unavailable("nobody is there")),
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
async fn an_authorizer_is_not_waited_for_for_ever() {
    let hub = Hub::new(config().authorizer(Words));
    let mut late = Peer::connect(&hub, true).await;
    late.say(json!({ "type": "hello", "auth": "slow" })).await;
    assert_eq!(late.hear().await["data"]["code"], "not_authorized_in_time");
    assert_eq!(late.close_code().await, 4408);
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_nobody_can_look_at_is_no_refusal() {
    let hub = Hub::new(config().authorizer(Words));
    let mut early = Peer::connect(&hub, true).await;
    early.say(json!({ "type": "hello", "auth": "unknown" })).await;
    let told = early.hear().await;
    assert_eq!(told["data"], json!({ "code": "unavailable", "message": "nobody is there" }));
    assert_eq!(early.close_code().await, 1013);
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
