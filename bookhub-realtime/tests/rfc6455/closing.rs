//! Closing (sections 5.5.1 and 7).

use std::time::Duration;

use bookhub_realtime::{Hub, HubConfig};
use tokio::time::timeout;

use crate::{
    NOT_UTF8, PROTOCOL, connect,
    raw::{
        CLOSE, CONTINUATION, FIN, HANDSHAKE, PATIENCE, PING, Peer, QUESTION, TEXT, close, frame,
        serve,
    },
    refused,
};

/// 7.1.1 and 7.7.1 to 7.7.13 (section 7.4).
#[tokio::test]
async fn a_close_with_a_valid_code_is_answered_with_the_same() {
    let codes = (1000..=1003).chain(1007..=1011).chain([3000, 3999, 4000, 4999]);
    for code in codes {
        let mut peer = connect().await;
        peer.send(&close(code, b"")).await;
        peer.expect_close(&code.to_be_bytes()).await;
    }
}

/// 7.9.1 to 7.9.9 and 7.13 (section 7.4).
#[tokio::test]
async fn a_close_with_an_invalid_code_fails() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        refused(&close(code, b""), &[PROTOCOL]).await;
        refused(&close(code, b"reason"), &[PROTOCOL]).await;
    }
}

/// 7.3.1, 7.3.3 to 7.3.5 (section 5.5.1).
#[tokio::test]
async fn a_close_with_or_without_a_reason_is_answered() {
    let mut peer = connect().await;
    peer.send(&frame(FIN | CLOSE, b"")).await;
    peer.expect_close(b"").await;
    for reason in ["", "Hello World!", &"*".repeat(123), "\u{10ffff}"] {
        let mut peer = connect().await;
        peer.send(&close(1000, reason.as_bytes())).await;
        let (first, payload) = peer.frame().await.expect("an answer");
        assert_eq!((first, &payload[..2]), (FIN | CLOSE, &1000_u16.to_be_bytes()[..]));
        assert_eq!(peer.frame().await, None);
    }
}

/// 7.3.2, 7.3.6 and 7.5.1.
#[tokio::test]
async fn a_close_of_one_byte_of_126_or_with_a_broken_reason_fails() {
    refused(&frame(FIN | CLOSE, &[0x03]), &[PROTOCOL]).await;
    refused(&close(1000, &[b'*'; 124]), &[PROTOCOL]).await;
    refused(&close(1000, b"\xce\xba\xed\xa0\x80edited"), &[NOT_UTF8]).await;
    refused(&close(1000, b"cut\xe2\x82"), &[NOT_UTF8]).await;
}

/// 7.1.2 to 7.1.6 (section 5.5.1): nothing is read after a close.
#[tokio::test]
async fn what_comes_after_a_close_is_ignored() {
    let late =
        [close(1001, b""), frame(FIN | PING, b""), frame(FIN | TEXT, QUESTION), vec![0xff; 20]];
    for late in late {
        let mut peer = connect().await;
        let mut bytes = frame(FIN | TEXT, QUESTION);
        bytes.extend(close(1000, b""));
        bytes.extend(late);
        peer.send(&bytes).await;
        peer.expect_answer().await;
        peer.expect_close(&1000_u16.to_be_bytes()).await;
    }
    // 7.1.5: in the midst of a message.
    let mut peer = connect().await;
    let (one, other) = QUESTION.split_at(5);
    let bytes = [frame(TEXT, one), close(1000, b""), frame(FIN | CONTINUATION, other)].concat();
    peer.send(&bytes).await;
    peer.expect_close(&1000_u16.to_be_bytes()).await;
}

/// Takes the only place of a hub, as soon as it is free again.
async fn take_the_only_place(address: std::net::SocketAddr) {
    let patiently = async {
        while Peer::dial(address).await.request(&HANDSHAKE).await.0 != 101 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, patiently).await.expect("the place is free in bounded time");
}

/// Section 7.1.1: a server may end the connection of a peer that does not.
#[tokio::test]
async fn a_peer_that_never_answers_a_close_is_left_in_bounded_time() {
    let hub = Hub::new(HubConfig::new().max_connections(1));
    let address = serve(hub).await;
    let mut peer = Peer::connect(address).await;
    assert_eq!(Peer::dial(address).await.request(&HANDSHAKE).await.0, 503, "one place only");
    peer.send(&frame(TEXT | 0x40, b"")).await;
    take_the_only_place(address).await;
    drop(peer);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_left_in_bounded_time() {
    let config = HubConfig::new()
        .max_connections(1)
        .write_timeout(Duration::from_millis(200))
        .message_rate(1_000_000, 1_000_000);
    let address = serve(Hub::new(config)).await;
    let mut peer = Peer::connect(address).await;
    let asking = tokio::spawn(async move {
        let pings = frame(FIN | PING, &[b'p'; 125]).repeat(1000);
        while peer.try_send(&pings).await.is_ok() {}
        peer
    });
    take_the_only_place(address).await;
    timeout(PATIENCE, asking).await.expect("the connection has ended").unwrap();
}
