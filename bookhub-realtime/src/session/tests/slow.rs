//! Those who do not take what is written to them, or fall off the log.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::*;

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
