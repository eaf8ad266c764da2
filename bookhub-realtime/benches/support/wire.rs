//! The frames of WebSocket (RFC 6455, section 5) as a client needs them.

use std::{io, ops::Range};

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// The first frame, if it is whole: its opcode and where its payload stands.
pub(crate) fn frame(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (first, len) = (*bytes.first()?, *bytes.get(1)?);
    let (start, len) = match len {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        len => (2, u64::from(len)),
    };
    let end = start + usize::try_from(len).ok()?;
    (bytes.len() >= end).then_some((first & 0x0f, start..end))
}

/// Sends a short frame, masked with zeros.
pub(crate) fn send(stream: &mut impl io::Write, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(len) if len < 126 => frame.push(0x80 | len),
        _ => {
            let len = u16::try_from(payload.len()).map_err(io::Error::other)?;
            frame.push(0x80 | 126);
            frame.extend_from_slice(&len.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}
