//! WebSocket frames as a server writes them (RFC 6455, section 5.2): unmasked and never fragmented.
//! Pure bytes; reading frames is tungstenite's work, in `transport/websocket.rs`.

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// The longest reason that fits a close frame beside its code.
const MAX_REASON: usize = 123;

/// Appends the header of a text frame with a payload of `len` bytes.
#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
pub(crate) fn put_text_header(out: &mut Vec<u8>, len: usize) {
    out.push(FIN | TEXT);
    match len {
        0..=125 => out.push(len as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Appends a text frame.
pub(crate) fn put_text(out: &mut Vec<u8>, payload: &[u8]) {
    put_text_header(out, payload.len());
    out.extend_from_slice(payload);
}

/// Appends an empty ping frame.
pub(crate) fn put_ping(out: &mut Vec<u8>) {
    out.extend_from_slice(&[FIN | PING, 0]);
}

/// Appends a close frame; a reason too long for it is cut at a character.
#[expect(clippy::cast_possible_truncation, reason = "the reason is cut to 123 bytes")]
pub(crate) fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    out.extend_from_slice(&[FIN | CLOSE, (2 + reason.len()) as u8]);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};

    use super::*;

    fn read_back(bytes: Vec<u8>) -> Message {
        WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, None).read().unwrap()
    }

    #[test]
    fn text_frames_of_every_length_class_read_back() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let mut out = Vec::new();
            put_text(&mut out, &vec![b'x'; len]);
            assert_eq!(read_back(out).into_text().unwrap().len(), len);
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let mut out = Vec::new();
        put_close(&mut out, 1001, &"ß".repeat(100));
        let Message::Close(Some(frame)) = read_back(out) else { panic!("no close frame") };
        assert_eq!(u16::from(frame.code), 1001);
        assert_eq!(frame.reason.as_str(), "ß".repeat(61));
    }
}
