//! WebSocket (RFC 6455), the reading side: bytes in, messages out, and the replies that the RFC
//! asks for. What breaks it is refused at the byte that does so, not once a frame or message is
//! whole. The writing side is ready-made frames, see `frame.rs`.
//!
//! A connection that is not in the midst of a message holds no buffer.

use std::str;

use crate::{
    frame::{self, Header, Opcode},
    protocol::CloseCode,
};

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    /// A binary message: not part of the protocol.
    Binary,
    /// A ping, whose answer stands in the replies, or a pong: a sign of life like any bytes.
    Ping,
    /// The client closes; the answer stands in the replies.
    Close,
}

/// The reading side of one connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    max_message: usize,
    /// What was fed, and how much of it has been read.
    fed: Vec<u8>,
    read: usize,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The message whose frames are being read.
    message: Option<Message>,
    replies: Vec<u8>,
    /// Whether the client has closed, or has broken the RFC: nothing more is read then.
    over: bool,
}

#[derive(Debug)]
struct Frame {
    is_last: bool,
    opcode: Opcode,
    /// Turned so that it begins with the byte for the next byte of the payload.
    mask: [u8; 4],
    /// How much of the payload is still to come.
    left: usize,
    /// The payload of a control frame, as far as it has come.
    control: Vec<u8>,
}

#[derive(Debug, Default)]
struct Message {
    /// What has come of it, unless it is binary: nobody reads that.
    text: Option<Text>,
    /// How long the frames that have begun are together.
    len: usize,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// How much of it is characters; a cut one may follow.
    checked: usize,
}

impl Inbound {
    pub(crate) const fn new(max_message: usize) -> Self {
        Self {
            max_message,
            fed: Vec::new(),
            read: 0,
            frame: None,
            message: None,
            replies: Vec::new(),
            over: false,
        }
    }

    /// Takes bytes that the socket gave.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>) {
        self.fed.drain(..std::mem::take(&mut self.read));
        if self.fed.is_empty() {
            self.fed = bytes;
        } else {
            self.fed.extend_from_slice(&bytes);
        }
    }

    /// The next message of what was fed, if one is whole.
    ///
    /// # Errors
    /// The code to close with, when the client broke the RFC or the limit.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, CloseCode> {
        let next = self.read_on();
        self.over |= matches!(next, Err(_) | Ok(Some(Incoming::Close)));
        if self.over {
            self.fed = Vec::new();
            self.read = 0;
        } else if matches!(next, Ok(None)) {
            // All but the start of a header, at the most.
            self.fed = self.fed.split_off(std::mem::take(&mut self.read));
        }
        next
    }

    /// The frames that answer pings and the close.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// How many bytes are held.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn held(&self) -> usize {
        let control = self.frame.as_ref().map_or(0, |frame| frame.control.len());
        let text = self.message.as_ref().and_then(|message| message.text.as_ref());
        self.fed.len() + control + text.map_or(0, |text| text.bytes.len()) + self.replies.len()
    }

    fn read_on(&mut self) -> Result<Option<Incoming>, CloseCode> {
        while !self.over {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => match Header::read(&self.fed[self.read..])? {
                    Some((header, len)) => {
                        self.read += len;
                        self.begin(&header)?
                    }
                    None => return Ok(None),
                },
            };
            let frame = self.read_payload(frame)?;
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(incoming) = self.end(&frame)? {
                return Ok(Some(incoming));
            }
        }
        Ok(None)
    }

    /// Whether the frame may come here, and is not too long.
    fn begin(&mut self, header: &Header) -> Result<Frame, CloseCode> {
        let Header { is_last, opcode, mask, len } = *header;
        if !opcode.is_control() {
            let message = match (&mut self.message, opcode) {
                (Some(message), Opcode::Continuation) => message,
                (begun @ None, Opcode::Text) => {
                    begun.insert(Message { text: Some(Text::default()), len: 0 })
                }
                (begun @ None, Opcode::Binary) => begun.insert(Message::default()),
                _ => return Err(CloseCode::Protocol),
            };
            let room = self.max_message - message.len;
            let len = usize::try_from(len).ok().filter(|len| *len <= room);
            message.len += len.ok_or(CloseCode::TooBig)?;
        }
        let left = usize::try_from(len).map_err(|_| CloseCode::TooBig)?;
        Ok(Frame { is_last, opcode, mask, left, control: Vec::new() })
    }

    /// Reads what has come of the frame's payload.
    fn read_payload(&mut self, mut frame: Frame) -> Result<Frame, CloseCode> {
        let fed = &mut self.fed[self.read..];
        let len = frame.left.min(fed.len());
        let piece = &mut fed[..len];
        for (bytes, mask) in piece.chunks_mut(4).zip(std::iter::repeat(frame.mask)) {
            bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        self.read += len;
        frame.left -= len;
        frame.mask.rotate_left(len % 4);
        if frame.opcode.is_control() {
            frame.control.extend_from_slice(piece);
        } else if let Some(Message { text: Some(text), .. }) = &mut self.message {
            text.push(piece)?;
        }
        Ok(frame)
    }

    /// What a whole frame comes to.
    fn end(&mut self, frame: &Frame) -> Result<Option<Incoming>, CloseCode> {
        match frame.opcode {
            Opcode::Ping => {
                frame::put_control(&mut self.replies, Opcode::Pong, &frame.control);
                Ok(Some(Incoming::Ping))
            }
            Opcode::Pong => Ok(Some(Incoming::Ping)),
            Opcode::Close => {
                check_close(&frame.control)?;
                frame::put_control(&mut self.replies, Opcode::Close, &frame.control);
                Ok(Some(Incoming::Close))
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                let whole = if frame.is_last { self.message.take() } else { None };
                whole.map(Message::into_incoming).transpose()
            }
        }
    }
}

impl Message {
    fn into_incoming(self) -> Result<Incoming, CloseCode> {
        let Some(text) = self.text else {
            return Ok(Incoming::Binary);
        };
        String::from_utf8(text.bytes).map(Incoming::Text).map_err(|_| CloseCode::NotUtf8)
    }
}

impl Text {
    fn push(&mut self, piece: &[u8]) -> Result<(), CloseCode> {
        self.bytes.extend_from_slice(piece);
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(CloseCode::NotUtf8),
        }
        Ok(())
    }
}

/// Whether a close frame says nothing, or a code that may be sent and a reason (section 7.4).
fn check_close(payload: &[u8]) -> Result<(), CloseCode> {
    match payload.split_first_chunk() {
        None if payload.is_empty() => Ok(()),
        None => Err(CloseCode::Protocol),
        Some((code, reason)) => match u16::from_be_bytes(*code) {
            1000..=1003 | 1007..=1014 | 3000..=4999 => {
                str::from_utf8(reason).map(drop).map_err(|_| CloseCode::NotUtf8)
            }
            _ => Err(CloseCode::Protocol),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*, sample};

    use super::*;

    /// A client's frame: masked with zeros, so that the payload stays readable.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<Option<Incoming>, CloseCode> {
        let mut inbound = Inbound::new(100);
        inbound.feed(bytes);
        inbound.next()
    }

    #[test]
    fn a_message_fed_byte_by_byte_comes_out_whole() {
        let mut inbound = Inbound::new(100);
        let mut bytes = frame(0x01, b"hel");
        bytes.extend(frame(0x89, b"?"));
        bytes.extend(frame(0x80, b"lo"));
        let last = bytes.pop().unwrap();
        for byte in bytes {
            inbound.feed(vec![byte]);
            assert!(matches!(inbound.next(), Ok(None | Some(Incoming::Ping))));
        }
        inbound.feed(vec![last]);
        assert_eq!(inbound.next(), Ok(Some(Incoming::Text("hello".into()))));
        assert_eq!(inbound.take_replies(), [0x8a, 1, b'?'], "the ping between is answered");
    }

    #[test]
    fn what_the_rfc_forbids_gets_its_close_code() {
        assert_eq!(read(frame(0x81, &[0xff])), Err(CloseCode::NotUtf8));
        assert_eq!(read(frame(0x81, &[b'x'; 101])), Err(CloseCode::TooBig));
        assert_eq!(read(frame(0xf1, b"x")), Err(CloseCode::Protocol), "reserved bits");
        assert_eq!(read(frame(0x83, b"x")), Err(CloseCode::Protocol), "reserved opcode");
        assert_eq!(read(vec![0x81, 1, b'x']), Err(CloseCode::Protocol), "unmasked");
    }

    #[test]
    fn a_close_is_answered() {
        let mut inbound = Inbound::new(100);
        inbound.feed(frame(0x88, &1000_u16.to_be_bytes()));
        assert_eq!(inbound.next(), Ok(Some(Incoming::Close)));
        assert_eq!(inbound.take_replies(), [0x88, 2, 3, 232]);
    }

    #[test]
    fn between_messages_nothing_is_held() {
        let mut inbound = Inbound::new(100);
        inbound.feed(frame(0x81, b"hello"));
        assert_eq!(inbound.next(), Ok(Some(Incoming::Text("hello".into()))));
        assert_eq!(inbound.next(), Ok(None));
        assert_eq!((inbound.fed.capacity(), inbound.replies.capacity()), (0, 0));
        assert!(inbound.message.is_none() && inbound.frame.is_none());
    }

    #[test]
    fn half_a_header_is_all_that_is_held_of_what_was_fed() {
        let mut inbound = Inbound::new(100);
        inbound.feed([frame(0x81, &[b'x'; 90]), vec![0x81, 0x85]].concat());
        assert!(matches!(inbound.next(), Ok(Some(Incoming::Text(_)))));
        assert_eq!(inbound.next(), Ok(None));
        assert_eq!(inbound.held(), 2);
        assert!(inbound.fed.capacity() < 14);
    }

    #[test]
    fn a_binary_message_is_counted_and_not_kept() {
        let mut inbound = Inbound::new(100);
        inbound.feed(frame(0x02, &[b'x'; 90]));
        assert_eq!(inbound.next(), Ok(None));
        assert!(matches!(inbound.message, Some(Message { text: None, len: 90 })));
        inbound.feed(frame(0x80, &[b'x'; 11]));
        assert_eq!(inbound.next(), Err(CloseCode::TooBig));
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            12 => sample::select(vec![0x01_u8, 0x81, 0x00, 0x00, 0x80, 0x80, 0x02, 0x82, 0x89, 0x8a]),
            1 => Just(0x88),
            1 => any::<u8>(),
        ];
        let payload = prop_oneof![
            2 => "[a-z]{0,20}|\\PC{0,20}".prop_map(String::into_bytes),
            1 => collection::vec(any::<u8>(), 0..125),
            1 => (990..1020_u16).prop_map(|code| code.to_be_bytes().to_vec()),
        ];
        (first, payload, any::<[u8; 4]>()).prop_map(|(first, payload, mask)| {
            let mut bytes = vec![first, 0x80 | u8::try_from(payload.len().min(125)).unwrap()];
            bytes.extend(mask);
            bytes.extend(payload.iter().take(125).zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
            bytes
        })
    }

    proptest! {
        /// Whatever comes, and however it is cut, comes to what another implementation makes of it.
        #[test]
        fn any_frames_in_any_pieces_read_as_tungstenite_reads_them(
            frames in collection::vec(any_frame(), 1..12),
            lengths: [u8; 4],
        ) {
            let bytes = [&lengths[..], &frames.concat()].concat();
            crate::testing::fuzzing::inbound_frames(&bytes);
        }
    }
}
