//! A numbered event, and how a client finds it again in what it received.

use crate::process::now;

const NUMBER: &[u8] = b"\"seq\":";
const SENT: &[u8] = b"\"at\":";

/// An event as it is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) number: u64,
    /// When it was ordered, on the clock of [`now`].
    pub(crate) at: u64,
}

impl Event {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, at: now() }
    }

    /// The event as JSON, with a text to make it longer.
    pub(crate) fn padded(self, pad: &str) -> String {
        let Self { number, at } = self;
        format!(r#"{{"seq":{number},"at":{at},"pad":"{pad}"}}"#)
    }

    /// Finds an event in what a client received. `hint` is where the last one was found.
    pub(crate) fn find(text: &[u8], hint: &mut usize) -> Option<Self> {
        let at_hint = text.get(*hint..).is_some_and(|rest| rest.starts_with(NUMBER));
        if !at_hint {
            *hint = text.windows(NUMBER.len()).position(|part| part == NUMBER)?;
        }
        let (number, rest) = digits(&text[*hint + NUMBER.len()..]);
        let start = rest.windows(SENT.len()).position(|part| part == SENT)?;
        let (at, _) = digits(&rest[start + SENT.len()..]);
        Some(Self { number, at })
    }
}

fn digits(text: &[u8]) -> (u64, &[u8]) {
    let len = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let value = text[..len].iter().fold(0, |value, c| value * 10 + u64::from(c - b'0'));
    (value, &text[len..])
}
