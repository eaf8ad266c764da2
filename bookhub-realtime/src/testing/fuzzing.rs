//! Laws that hold for any bytes. Each function panics where one is broken; the fuzz targets call
//! them, and so do the tests, with the seeds of the targets.

use std::{
    io::{self, Cursor, Read, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_tungstenite::tungstenite::{
    self, Error, WebSocket,
    protocol::{Role, WebSocketConfig},
};

pub use super::log::log_operations;
use crate::{
    position::{EventId, Position},
    protocol::{ClientMessage, parse_last_id},
    token::{Claims, TokenError, TokenKeys},
    topic::{Topic, TopicPattern},
    transport::websocket::{Inbound, Incoming},
};

/// The longest message that the fuzzed reader takes.
const MAX_MESSAGE: usize = 1000;

/// The most that a reader may hold once it was asked for all: a message, a cut header, and a control
/// frame.
const MAX_HELD: usize = MAX_MESSAGE + 13 + 125;

/// What a reader has made of bytes.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    messages: Vec<Incoming>,
    replies: Vec<u8>,
    failed: bool,
}

/// Frames in pieces, whose lengths are the first four bytes by turns: however they are cut the same
/// comes of them, never more than the limit is held, and another implementation agrees.
pub fn inbound_frames(data: &[u8]) {
    let Some((lengths, bytes)) = data.split_first_chunk::<4>() else {
        return;
    };
    let in_pieces = read(bytes, &lengths.map(|len| usize::from(len).max(1)));
    let whole = read(bytes, &[usize::MAX]);
    assert_eq!(in_pieces, whole, "how bytes are cut means nothing");
    let theirs = read_by_tungstenite(bytes);
    if whole.failed {
        // We fail at the first byte that is wrong, and where it only warns.
        assert!(theirs.messages.starts_with(&whole.messages), "{whole:?} {theirs:?}");
        assert!(theirs.replies.starts_with(&whole.replies), "{whole:?} {theirs:?}");
    } else {
        assert!(!theirs.failed, "{whole:?} {theirs:?}");
        assert_eq!(whole.messages, theirs.messages);
        if !knows_no_1014(bytes) {
            assert_eq!(whole.replies, theirs.replies);
        }
    }
}

/// tungstenite takes the registered close code 1014 for an invalid one.
fn knows_no_1014(bytes: &[u8]) -> bool {
    let reply = read(bytes, &[usize::MAX]).replies;
    let starts = (0..reply.len()).filter(|at| reply[*at] == 0x88);
    starts.into_iter().any(|at| reply[at..].get(2..4) == Some(&[0x03, 0xf6]))
}

fn read(bytes: &[u8], lengths: &[usize]) -> Heard {
    let mut inbound = Inbound::new(MAX_MESSAGE);
    let mut heard = Heard { messages: Vec::new(), replies: Vec::new(), failed: false };
    let (mut rest, mut lengths) = (bytes, lengths.iter().cycle());
    while let (false, false, Some(len)) = (rest.is_empty(), heard.failed, lengths.next()) {
        let (piece, later) = rest.split_at((*len).min(rest.len()));
        rest = later;
        inbound.feed(piece.to_vec());
        loop {
            match inbound.next() {
                Ok(Some(message)) => heard.messages.push(message),
                Ok(None) => break,
                Err(_) => {
                    heard.failed = true;
                    break;
                }
            }
        }
        heard.replies.extend(inbound.take_replies());
        assert!(inbound.held() <= MAX_HELD, "{} bytes are held", inbound.held());
    }
    heard
}

fn read_by_tungstenite(bytes: &[u8]) -> Heard {
    let limits = WebSocketConfig::default()
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let memory = Memory { incoming: Cursor::new(bytes), outgoing: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(memory, Role::Server, Some(limits));
    let mut heard = Heard { messages: Vec::new(), replies: Vec::new(), failed: false };
    loop {
        heard.messages.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Incoming::Text(text.to_string()),
            Ok(tungstenite::Message::Binary(_)) => Incoming::Binary,
            Ok(tungstenite::Message::Close(_)) => Incoming::Close,
            Ok(_) => Incoming::Ping,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(Error::ConnectionClosed) => break,
            Err(_) => {
                heard.failed = true;
                break;
            }
        });
    }
    let _ = socket.flush();
    heard.replies = std::mem::take(&mut socket.get_mut().outgoing);
    heard
}

/// What tungstenite takes for a socket.
struct Memory<'a> {
    incoming: Cursor<&'a [u8]>,
    outgoing: Vec<u8>,
}

impl Read for Memory<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(space)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's message: what is taken holds only names that are names.
pub fn hello_json(data: &[u8]) {
    let Ok(message) = serde_json::from_slice::<ClientMessage>(data) else {
        return;
    };
    let topics = match message {
        ClientMessage::Hello(hello) => {
            if let Some(id) = hello.resume.and_then(|resume| resume.last_id) {
                let epoch = "e".parse().expect("an epoch");
                let known = parse_last_id(&id, &epoch);
                assert!(known.is_err() || id.starts_with("e-"), "{id} is of another log");
            }
            hello.topics.unwrap_or_default()
        }
        ClientMessage::Subscribe { topics } | ClientMessage::Unsubscribe { topics } => topics,
        _ => Vec::new(),
    };
    for topic in topics {
        assert_eq!(topic.as_str().parse(), Ok(topic.clone()), "a name parses to itself");
        assert_eq!(topic.is_wild(), topic.as_str().parse::<Topic>().is_err());
    }
}

/// A token that was not signed is refused, also one that is close to one that was.
pub fn reconnect_token(data: &[u8]) {
    const DAY: Duration = Duration::from_secs(86_400);
    let now = UNIX_EPOCH + DAY * 20_000;
    let secrets = [b"the newer secret".as_slice(), b"the older secret".as_slice()];
    let keys = TokenKeys::new(secrets.into_iter(), DAY);
    let text = String::from_utf8_lossy(data);
    assert_eq!(keys.verify(&text, now), Err(TokenError::Forged), "signed by nobody");

    let claims = Claims {
        connection: text.chars().take(10).collect(),
        subject: text.strip_prefix('s').map(str::to_owned),
        topics: text.split(' ').filter_map(|text| text.parse().ok()).collect(),
        position: "e-15".parse().expect("an id"),
        expires_at: keys.expiry(now),
    };
    let token = keys.sign(&claims);
    assert_eq!(keys.verify(&token, now), Ok(claims), "a token says what was signed");
    assert_eq!(keys.verify(&token, now + DAY), Err(TokenError::Expired));
    let edited = edit(&token, data);
    if edited != token {
        assert_eq!(keys.verify(&edited, now), Err(TokenError::Forged), "{token} {edited}");
    }
    let strangers = TokenKeys::new([b"another secret".as_slice()].into_iter(), DAY);
    assert_eq!(strangers.verify(&token, SystemTime::now()), Err(TokenError::Forged));
}

/// The text with bytes replaced, removed and put in, as the edits say.
fn edit(text: &str, edits: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits.chunks_exact(3).take(8) {
        let at = usize::from(edit[1]) % (bytes.len() + 1);
        let byte = edit[2] & 0x7f;
        match edit[0] % 4 {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, byte),
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

/// An id, a position, or a topic: what parses prints as it was written, and sorts as text does.
pub fn last_event_id(data: &[u8]) {
    if let Some((number, _)) = data.split_first_chunk() {
        let position = Position::new(u128::from_be_bytes(*number));
        assert_eq!(position.to_string().parse(), Ok(position));
        let id = EventId { epoch: "e".parse().expect("an epoch"), position };
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let ids: Vec<EventId> = text.split('\n').filter_map(|line| line.parse().ok()).collect();
    for line in text.split('\n') {
        if let Ok(id) = line.parse::<EventId>() {
            assert_eq!(id.to_string(), line);
        }
        if let Ok(topic) = line.parse::<Topic>() {
            assert_eq!(topic.as_str(), line);
            assert!(TopicPattern::from(topic.clone()).matches(&topic));
            let parts = line.split('.').count();
            let stars = vec!["*"; parts].join(".");
            assert!(stars.parse::<TopicPattern>().is_ok_and(|pattern| pattern.matches(&topic)));
            let more = format!("{stars}.*").parse::<TopicPattern>();
            assert!(!more.is_ok_and(|pattern| pattern.matches(&topic)));
        }
    }
    for pair in ids.windows(2) {
        if let Some(order) = pair[0].partial_cmp(&pair[1]) {
            assert_eq!(order, pair[0].to_string().cmp(&pair[1].to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a law with all the seeds of its fuzz target.
    fn with_seeds(target: &str, law: fn(&[u8])) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/").to_owned() + target;
        let mut seeds = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            law(&std::fs::read(file.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has no seeds");
    }

    #[test]
    fn the_laws_hold_for_the_seeds_of_the_fuzzing() {
        with_seeds("inbound_frames", inbound_frames);
        with_seeds("hello_json", hello_json);
        with_seeds("reconnect_token", reconnect_token);
        with_seeds("last_event_id", last_event_id);
        with_seeds("log_operations", log_operations);
    }
}
