//! Messages of all lengths, whole and in fragments (sections 5.4 and 5.6).

use bookhub_realtime::{Hub, HubConfig};

use crate::{
    LIMIT, PROTOCOL, connect, question,
    raw::{
        BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Peer, QUESTION, TEXT, fragments, frame, serve,
    },
    refused,
};

/// 1.1.1 to 1.1.8 (section 5.2).
#[tokio::test]
async fn a_text_of_any_length_up_to_the_limit_is_taken() {
    let mut peer = connect().await;
    for len in [QUESTION.len(), 125, 126, 127, 128, LIMIT - 1, LIMIT] {
        peer.send(&frame(FIN | TEXT, &question(len))).await;
        peer.expect_answer().await;
    }
    peer.send(&frame(FIN | TEXT, b"")).await;
    peer.expect_complaint().await;

    let hub = Hub::new(HubConfig::new().max_message(70_000));
    let mut peer = Peer::connect(serve(hub).await).await;
    for len in [65_535, 65_536, 70_000] {
        peer.send(&frame(FIN | TEXT, &question(len))).await;
        peer.expect_answer().await;
    }
}

/// 1.2.1 to 1.2.8: the protocol has no binary messages, so they are complained of, not failed.
#[tokio::test]
async fn a_binary_message_of_any_length_is_read_past() {
    let mut peer = connect().await;
    for len in [0, 125, 126, 127, 128, LIMIT] {
        peer.send(&frame(FIN | BINARY, &vec![0xfe; len])).await;
        peer.expect_complaint().await;
    }
    peer.send(&frame(FIN | TEXT, QUESTION)).await;
    peer.expect_answer().await;
}

/// 5.1 and 5.2 (section 5.4).
#[tokio::test]
async fn a_control_frame_in_fragments_fails() {
    for opcode in [PING, PONG, CLOSE] {
        refused(&fragments(opcode, &[b"\x03\xe8", b"rest"]), &[PROTOCOL]).await;
    }
}

/// 5.3 to 5.5: at once, frame by frame and byte by byte.
#[tokio::test]
async fn a_text_in_any_two_fragments_is_one_message() {
    let mut peer = connect().await;
    for cut in 0..=QUESTION.len() {
        let (one, other) = QUESTION.split_at(cut);
        let bytes = fragments(TEXT, &[one, other]);
        peer.send(&bytes).await;
        peer.expect_answer().await;
        peer.send(&frame(TEXT, one)).await;
        peer.send(&frame(FIN | CONTINUATION, other)).await;
        peer.expect_answer().await;
        peer.send_chopped(&bytes).await;
        peer.expect_answer().await;
    }
}

/// 6.1.2, 6.1.3 and what 5.3 to 5.5 leave open.
#[tokio::test]
async fn a_text_of_one_byte_a_frame_with_empty_frames_between_is_one_message() {
    let mut peer = connect().await;
    let mut pieces: Vec<&[u8]> = vec![b""];
    for byte in QUESTION.chunks(1) {
        pieces.extend([byte, b""]);
    }
    let bytes = fragments(TEXT, &pieces);
    peer.send(&bytes).await;
    peer.expect_answer().await;
    peer.send_chopped(&bytes).await;
    peer.expect_answer().await;

    peer.send(&fragments(TEXT, &[b"", b"", b""])).await;
    peer.expect_complaint().await;
    peer.send(&fragments(BINARY, &[b"\xff", b"\xfe"])).await;
    peer.expect_complaint().await;
}

/// 5.6 to 5.8, 5.19 and 5.20 (section 5.4): control frames may stand between fragments.
#[tokio::test]
async fn a_ping_between_fragments_is_answered_before_the_message_is_whole() {
    let mut peer = connect().await;
    let (one, rest) = QUESTION.split_at(4);
    let (two, three) = rest.split_at(5);
    peer.send(&frame(TEXT, one)).await;
    for (payload, piece) in [(b"ping-1", two), (b"ping-2", b"")] {
        peer.send(&frame(FIN | PING, payload)).await;
        peer.expect_pong(payload).await;
        peer.send(&frame(CONTINUATION, piece)).await;
    }
    peer.send(&frame(FIN | PONG, b"unsolicited")).await;
    peer.send(&frame(FIN | CONTINUATION, three)).await;
    peer.expect_answer().await;
}

/// 5.9 to 5.14.
#[tokio::test]
async fn a_continuation_of_nothing_fails() {
    for first in [CONTINUATION, FIN | CONTINUATION] {
        let mut bytes = frame(first, b"non-continuation payload");
        bytes.extend(frame(FIN | TEXT, QUESTION));
        refused(&bytes, &[PROTOCOL]).await;
    }
    // 5.15: what was continued is over.
    let mut peer = connect().await;
    peer.send(&fragments(TEXT, &[&QUESTION[..5], &QUESTION[5..]])).await;
    peer.send(&frame(FIN | CONTINUATION, b"more")).await;
    peer.expect_answer().await;
    peer.expect_failure(&[PROTOCOL]).await;
}

/// 5.16 to 5.18.
#[tokio::test]
async fn a_new_message_inside_of_a_fragmented_one_fails() {
    for first in [TEXT, FIN | TEXT, BINARY, FIN | BINARY] {
        let mut bytes = frame(TEXT, &QUESTION[..5]);
        bytes.extend(frame(first, QUESTION));
        refused(&bytes, &[PROTOCOL]).await;
    }
}
