//! WebSocket frames (RFC 6455, section 5.2): those that a server writes, unmasked and never
//! fragmented, and the headers of those that it reads. Pure bytes; what frames make up a message is
//! `transport/websocket.rs`.

use crate::protocol::CloseCode;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The longest payload of a control frame.
pub(crate) const MAX_CONTROL: usize = 125;

/// The longest reason that fits a close frame beside its code.
const MAX_REASON: usize = MAX_CONTROL - 2;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) is_last: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: [u8; 4],
    pub(crate) len: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`, and says how many of them it takes; none if they
    /// do not suffice.
    ///
    /// # Errors
    /// [`CloseCode::Protocol`], as soon as the bytes say that it cannot become right.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, CloseCode> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let is_last = first & FIN != 0;
        // No extension is spoken, so the reserved bits are 0.
        let opcode = Opcode::of(first & !FIN).ok_or(CloseCode::Protocol)?;
        let short = second & !MASKED;
        let is_sound = second & MASKED != 0
            && (!opcode.is_control() || (is_last && usize::from(short) <= MAX_CONTROL));
        if !is_sound {
            return Err(CloseCode::Protocol);
        }
        let (len, least, rest) = match short {
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), 0x1_0000, rest),
                None => return Ok(None),
            },
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u16::from_be_bytes(*len).into(), 126, rest),
                None => return Ok(None),
            },
            len => (len.into(), 0, rest),
        };
        // The shortest form is a must, and the highest bit is 0.
        if len < least || len > u64::MAX >> 1 {
            return Err(CloseCode::Protocol);
        }
        let header = |(mask, rest): (&[u8; 4], &[u8])| {
            (Self { is_last, opcode, mask: *mask, len }, bytes.len() - rest.len())
        };
        Ok(rest.split_first_chunk().map(header))
    }
}

/// Appends the header of a text frame with a payload of `len` bytes.
#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
pub(crate) fn put_text_header(out: &mut Vec<u8>, len: usize) {
    out.push(FIN | Opcode::Text as u8);
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

/// The payload of a frame that this module has written.
pub(crate) fn payload(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    frame.get(header..).unwrap_or_default()
}

/// Appends an empty ping frame.
pub(crate) fn put_ping(out: &mut Vec<u8>) {
    put_control(out, Opcode::Ping, &[]);
}

/// Appends a close frame; a reason too long for it is cut at a character.
pub(crate) fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    put_control(out, Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat());
}

/// Appends a control frame; its payload has at most 125 bytes.
#[expect(clippy::cast_possible_truncation, reason = "a control frame has at most 125 bytes")]
pub(crate) fn put_control(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    debug_assert!(opcode.is_control() && payload.len() <= MAX_CONTROL);
    out.extend_from_slice(&[FIN | opcode as u8, payload.len() as u8]);
    out.extend_from_slice(payload);
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
            assert_eq!(payload(&out).len(), len);
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
