//! The opening handshake (section 4.2).

use bookhub_realtime::{Hub, HubConfig};

use crate::raw::{ACCEPT, FIN, HANDSHAKE, Peer, QUESTION, TEXT, frame, serve};

async fn handshake(lines: &[&str]) -> (u16, Vec<(String, String)>) {
    let address = serve(Hub::new(HubConfig::new())).await;
    let mut peer = Peer::dial(address).await;
    peer.request(lines).await
}

/// The handshake with a line put in the place of the one that begins like this.
fn with<'a>(start: &str, line: Option<&'a str>) -> Vec<&'a str> {
    let of = |known: &'a str| if known.starts_with(start) { line } else { Some(known) };
    assert!(HANDSHAKE.iter().any(|known| known.starts_with(start)), "{start}");
    HANDSHAKE.into_iter().filter_map(of).collect()
}

fn has(headers: &[(String, String)], name: &str, value: &str) -> bool {
    headers.iter().any(|(known, has)| known == name && has.eq_ignore_ascii_case(value))
}

#[tokio::test]
async fn the_handshake_of_the_rfc_is_taken_as_it_stands_there() {
    let (status, headers) = handshake(&HANDSHAKE).await;
    assert_eq!(status, 101);
    assert!(has(&headers, "upgrade", "websocket"), "{headers:?}");
    assert!(has(&headers, "connection", "upgrade"), "{headers:?}");
    assert!(headers.contains(&("sec-websocket-accept".to_owned(), ACCEPT.to_owned())));
    let browsers = [
        "get /ws HTTP/1.1".replace("get", "GET"),
        "hOST: hub.example".to_owned(),
        "connection: keep-alive, UPGRADE".to_owned(),
        "uPGRADE: WebSocket".to_owned(),
        "sec-websocket-version: 13".to_owned(),
        "sec-websocket-key:   dGhlIHNhbXBsZSBub25jZQ==  ".to_owned(),
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits".to_owned(),
        "Sec-WebSocket-Protocol: chat, superchat".to_owned(),
    ];
    let (status, headers) = handshake(&browsers.each_ref().map(|line| &**line)).await;
    assert_eq!(status, 101);
    let unasked = |name: &&(String, String)| {
        ["sec-websocket-extensions", "sec-websocket-protocol"].contains(&&*name.0)
    };
    assert_eq!(headers.iter().find(unasked), None, "nothing is agreed to that is not spoken");
}

#[tokio::test]
async fn the_subprotocol_is_chosen_among_several() {
    let mut lines = HANDSHAKE.to_vec();
    lines.extend(["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: x, bookhub.v1"]);
    let (status, headers) = handshake(&lines).await;
    assert_eq!(status, 101);
    assert!(has(&headers, "sec-websocket-protocol", "bookhub.v1"), "{headers:?}");
}

#[tokio::test]
async fn a_request_that_asks_for_no_websocket_is_told_what_is_spoken_here() {
    let lines = [
        with("Connection", None),
        with("Connection", Some("Connection: keep-alive")),
        with("Upgrade", None),
        with("Upgrade", Some("Upgrade: h2c")),
    ];
    for lines in lines {
        let (status, headers) = handshake(&lines).await;
        assert_eq!(status, 426, "{lines:?}");
        assert!(has(&headers, "upgrade", "websocket"), "{headers:?}");
        // RFC 9110, section 7.8: the header is of this connection, and has to say so.
        assert!(has(&headers, "connection", "upgrade"), "{headers:?}");
    }
}

/// Section 4.4.
#[tokio::test]
async fn another_version_is_told_which_one_is_spoken() {
    for version in [None, Some("Sec-WebSocket-Version: 8"), Some("Sec-WebSocket-Version: 130")] {
        let (status, headers) = handshake(&with("Sec-WebSocket-Version", version)).await;
        assert_eq!(status, 426, "{version:?}");
        assert!(has(&headers, "sec-websocket-version", "13"), "{headers:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_lacks_something_is_refused() {
    let keys = [
        None,
        Some("Sec-WebSocket-Key:"),
        Some("Sec-WebSocket-Key: c2hvcnQ="),
        Some("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBsb25n"),
        Some("Sec-WebSocket-Key: ????????????????????????"),
        Some("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"),
    ];
    for key in keys {
        assert_eq!(handshake(&with("Sec-WebSocket-Key", key)).await.0, 400, "{key:?}");
    }
    assert_eq!(handshake(&with("Host", None)).await.0, 400, "a host is required");
    // Section 11.3.1: not more than once.
    for again in [HANDSHAKE[5], HANDSHAKE[1]] {
        let twice: Vec<_> = HANDSHAKE.into_iter().chain([again]).collect();
        assert_eq!(handshake(&twice).await.0, 400, "twice: {again}");
    }
}

#[tokio::test]
async fn another_method_or_an_old_http_is_refused() {
    let (status, headers) = handshake(&with("GET", Some("POST /ws HTTP/1.1"))).await;
    assert_eq!(status, 405);
    assert!(has(&headers, "allow", "GET"), "{headers:?}");
    let (status, _) = handshake(&with("GET", Some("GET /ws HTTP/1.0"))).await;
    assert!((400..500).contains(&status), "HTTP/1.0: {status}");
}

/// What comes with the handshake in one packet is not lost.
#[tokio::test]
async fn frames_right_behind_the_handshake_are_read() {
    let mut peer = Peer::dial(serve(Hub::new(HubConfig::new())).await).await;
    let mut bytes = (HANDSHAKE.join("\r\n") + "\r\n\r\n").into_bytes();
    bytes.extend(frame(FIN | TEXT, QUESTION));
    peer.send(&bytes).await;
    assert_eq!(peer.answer().await.0, 101);
    assert_eq!(peer.event().await["event"], "connection:success");
    peer.expect_answer().await;
}
