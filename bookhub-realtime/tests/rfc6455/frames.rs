//! Control frames, reserved bits and opcodes, masks, and lengths (section 5).

use crate::{
    LIMIT, PROTOCOL, TOO_BIG, connect, question,
    raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, QUESTION, TEXT, fragments, frame, header},
    refused,
};

/// 2.1 to 2.4, and 2.6 in chops of one byte (section 5.5.2).
#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let mut peer = connect().await;
    let binary = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    for payload in [b"".as_slice(), b"Hello, world!", &binary, &[0xfe; 125]] {
        peer.send(&frame(FIN | PING, payload)).await;
        peer.expect_pong(payload).await;
    }
    peer.send_chopped(&frame(FIN | PING, &[0xfe; 125])).await;
    peer.expect_pong(&[0xfe; 125]).await;
}

/// 2.5.
#[tokio::test]
async fn a_ping_of_126_bytes_fails() {
    refused(&frame(FIN | PING, &[0xfe; 126]), &[PROTOCOL]).await;
}

/// 2.7 to 2.9 (section 5.5.3).
#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_ignored() {
    let mut peer = connect().await;
    peer.send(&frame(FIN | PONG, b"")).await;
    peer.send(&frame(FIN | PONG, b"unsolicited")).await;
    peer.send(&frame(FIN | PING, b"ping")).await;
    peer.expect_pong(b"ping").await;
}

/// 2.10 and 2.11: the latter in chops of one byte.
#[tokio::test]
async fn ten_pings_in_a_row_are_answered_in_their_order() {
    let mut peer = connect().await;
    let payloads: Vec<_> = (0..10).map(|number| format!("payload-{number}")).collect();
    let pings: Vec<_> =
        payloads.iter().flat_map(|payload| frame(FIN | PING, payload.as_bytes())).collect();
    peer.send(&pings).await;
    for payload in &payloads {
        peer.expect_pong(payload.as_bytes()).await;
    }
    peer.send_chopped(&pings).await;
    for payload in &payloads {
        peer.expect_pong(payload.as_bytes()).await;
    }
}

/// 3.1 to 3.7 (section 5.2): no extension is spoken here.
#[tokio::test]
async fn a_reserved_bit_fails_in_every_kind_of_frame() {
    for bits in 1..8_u8 {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            refused(&frame(FIN | bits << 4 | opcode, b""), &[PROTOCOL]).await;
        }
    }
    let mut peer = connect().await;
    peer.send(&frame(FIN | TEXT, QUESTION)).await;
    peer.send(&frame(FIN | 0x10 | TEXT, QUESTION)).await;
    peer.send(&frame(FIN | PING, b"too late")).await;
    peer.expect_answer().await;
    peer.expect_failure(&[PROTOCOL]).await;
}

/// 4.1.1 to 4.1.5 and 4.2.1 to 4.2.5 (section 5.2).
#[tokio::test]
async fn a_reserved_opcode_fails() {
    for opcode in (3..8).chain(11..16) {
        refused(&frame(FIN | opcode, b""), &[PROTOCOL]).await;
        refused(&frame(FIN | opcode, b"payload"), &[PROTOCOL]).await;
        let mut inside = frame(TEXT, b"begun");
        inside.extend(frame(FIN | opcode, b"payload"));
        refused(&inside, &[PROTOCOL]).await;
    }
}

/// Section 10.4, code 1009 of section 7.4.1.
#[tokio::test]
async fn a_message_over_the_limit_fails_whole_or_in_fragments() {
    for opcode in [TEXT, BINARY] {
        let long = vec![b' '; LIMIT + 1];
        refused(&frame(FIN | opcode, &long), &[TOO_BIG]).await;
        refused(&fragments(opcode, &[&long[1..], b"x"]), &[TOO_BIG]).await;
        let pieces: Vec<_> = long.chunks(9).collect();
        refused(&fragments(opcode, &pieces), &[TOO_BIG]).await;
    }
    let mut peer = connect().await;
    let fits = question(LIMIT);
    let pieces: Vec<_> = fits.chunks(9).collect();
    peer.send(&fragments(TEXT, &pieces)).await;
    peer.expect_answer().await;
    peer.send(&fragments(TEXT, &[&fits, b""])).await;
    peer.expect_answer().await;
}

/// A length that is never to be taken is not waited for.
#[tokio::test]
async fn a_header_alone_fails_if_its_length_is_over_the_limit() {
    refused(&header(FIN | TEXT, LIMIT as u64 + 1, true), &[TOO_BIG]).await;
    refused(&header(FIN | TEXT, u64::MAX >> 1, true), &[TOO_BIG]).await;
    // Section 5.2: the most significant bit must be 0.
    refused(&header(FIN | TEXT, 1 << 63, true), &[PROTOCOL, TOO_BIG]).await;
    refused(&header(FIN | TEXT, u64::MAX, true), &[PROTOCOL, TOO_BIG]).await;
    let mut second = frame(TEXT, &[b' '; LIMIT - 10]);
    second.extend(header(CONTINUATION, 11, true));
    refused(&second, &[TOO_BIG]).await;
}

/// Section 5.2: the minimal number of bytes must be used.
#[tokio::test]
async fn a_length_in_more_bytes_than_it_needs_fails() {
    let lengthy = |len: &[u8], payload: &[u8]| {
        let mut bytes = frame(FIN | TEXT, payload);
        bytes.splice(1..bytes.len() - payload.len() - 4, len.iter().copied());
        bytes
    };
    for payload in [b"".to_vec(), QUESTION.to_vec(), question(125)] {
        let len = u8::try_from(payload.len()).unwrap();
        refused(&lengthy(&[0xfe, 0, len], &payload), &[PROTOCOL]).await;
        refused(&lengthy(&[0xff, 0, 0, 0, 0, 0, 0, 0, len], &payload), &[PROTOCOL]).await;
    }
    let longer = question(256);
    refused(&lengthy(&[0xff, 0, 0, 0, 0, 0, 0, 1, 0], &longer), &[PROTOCOL]).await;
    // The construction itself is right.
    let mut peer = connect().await;
    peer.send(&lengthy(&[0xfe, 1, 0], &longer)).await;
    peer.expect_answer().await;
}

/// Section 5.1.
#[tokio::test]
async fn a_frame_without_a_mask_fails() {
    for (opcode, payload) in [(TEXT, QUESTION), (PING, b""), (CLOSE, b"\x03\xe8"), (TEXT, b"")] {
        let mut bytes = header(FIN | opcode, payload.len() as u64, false);
        bytes.extend(payload);
        refused(&bytes, &[PROTOCOL]).await;
    }
}
