//! UTF-8 in texts (section 8.1).

use crate::{
    NOT_UTF8, connect,
    raw::{CONTINUATION, FIN, TEXT, fragments, frame, header, masked},
    refused,
};

/// What is UTF-8, most of it at the ends of a range: 6.2, 6.5, 6.7, 6.9, 6.11, 6.13, 6.22 and 6.23.
const VALID: [&str; 14] = [
    "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!",
    "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffe}\u{ffff}",
    "\u{fffd}",
    "\u{10000}",
    "\u{1fffe}\u{10fffe}",
    "\u{10ffff}",
];

/// What is not: 6.3, 6.6, 6.8, 6.10, 6.12 and 6.14 to 6.21.
const INVALID: [&[u8]; 26] = [
    // A surrogate in the middle, and a number beyond the last.
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
    // Cut characters at the end of a text.
    b"\xce\xba\xe1",
    b"\xce\xba\xe1\xbd",
    b"\xf0\x9f\x98",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    // The first and last of five and six bytes.
    b"\xf8\x88\x80\x80\x80",
    b"\xfb\xbf\xbf\xbf\xbf",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfd\xbf\xbf\xbf\xbf\xbf",
    b"\xf7\xbf\xbf\xbf",
    // Continuations of nothing, and starts without one.
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf",
    b"\xc0 \xc1 \xc2 \xc3 ",
    b"\xe0 \xe1 ",
    b"\xf0 \xf1 ",
    b"\xfe",
    b"\xff",
    // Longer than need be.
    b"\xc0\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    // Surrogates, single and in a pair.
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
];

#[tokio::test]
async fn valid_utf_8_is_taken_however_it_is_cut() {
    let mut peer = connect().await;
    for text in VALID {
        peer.send(&frame(FIN | TEXT, text.as_bytes())).await;
        peer.expect_complaint().await;
        let pieces: Vec<_> = text.as_bytes().chunks(1).collect();
        peer.send(&fragments(TEXT, &pieces)).await;
        peer.expect_complaint().await;
    }
    peer.send_chopped(&frame(FIN | TEXT, VALID[0].as_bytes())).await;
    peer.expect_complaint().await;
}

#[tokio::test]
async fn invalid_utf_8_fails_however_it_is_cut() {
    for bytes in INVALID {
        refused(&frame(FIN | TEXT, bytes), &[NOT_UTF8]).await;
        let pieces: Vec<_> = bytes.chunks(1).collect();
        refused(&fragments(TEXT, &pieces), &[NOT_UTF8]).await;
        // A character may go on in the next frame; one that is cut off at the end may not.
        refused(&fragments(TEXT, &[b"ok", bytes, b""]), &[NOT_UTF8]).await;
    }
}

/// 6.4.1 to 6.4.4 (section 8.1): not only once the message is whole.
#[tokio::test]
async fn invalid_utf_8_fails_at_the_byte_that_makes_it_so() {
    let valid = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    // Between fragments.
    let mut bytes = frame(TEXT, valid);
    bytes.extend(frame(CONTINUATION, b"\xf4\x90\x80\x80"));
    refused(&bytes, &[NOT_UTF8]).await;
    // In the midst of a frame: the second byte says that no character can come of it.
    let payload = [valid.as_slice(), b"\xf4\x90\x80\x80edited"].concat();
    let mut bytes = header(FIN | TEXT, payload.len() as u64, true);
    bytes.extend(&masked(&payload)[..valid.len() + 2]);
    refused(&bytes, &[NOT_UTF8]).await;
}
