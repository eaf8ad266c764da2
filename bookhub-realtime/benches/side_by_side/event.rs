//! The events: what the servers put in, and how the clients find it again.

pub(crate) use crate::numbered::Event;

/// The size of an event on the wire without the WebSocket header, envelope and all.
pub(crate) const SIZE: usize = 180;

/// The number of the first event: all numbers have as many digits.
pub(crate) const FIRST: u64 = 1_000_000_000;

/// How many topics there are where there are many.
pub(crate) const TOPICS: u64 = 100;

/// How many of them a client follows.
pub(crate) const FOLLOWED: usize = 3;

/// How many more events there must be, for the same number of deliveries.
pub(crate) const SPREAD: f64 = 100.0 / 3.0;

impl Event {
    /// The event as JSON; with an envelope of this size, it is [`SIZE`] bytes.
    pub(crate) fn to_json(self, envelope: usize) -> String {
        self.padded(self.pad(self.padded("").len() + envelope))
    }

    /// What brings something of this length to [`SIZE`].
    pub(crate) fn pad(self, len: usize) -> &'static str {
        const PAD: &str = match str::from_utf8(&[b'x'; SIZE]) {
            Ok(pad) => pad,
            Err(_) => "",
        };
        &PAD[..SIZE.saturating_sub(len)]
    }
}

/// The topics of one client: the events that it expects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Follows {
    Everything,
    /// These topics out of [`TOPICS`], in rising order.
    Topics([u64; FOLLOWED]),
}

impl Follows {
    /// The topics of the client with this number.
    pub(crate) fn some(client: u64) -> Self {
        let mut topics = [0, 13, 31].map(|step| (client * 7 + step) % TOPICS);
        topics.sort_unstable();
        Self::Topics(topics)
    }

    /// The topics, if it does not follow everything.
    pub(crate) fn topics(self) -> Vec<u64> {
        match self {
            Self::Everything => Vec::new(),
            Self::Topics(topics) => topics.into(),
        }
    }

    /// The first event from this number on that the client gets.
    pub(crate) fn next(self, number: u64) -> u64 {
        let Self::Topics(topics) = self else {
            return number;
        };
        let topic = number % TOPICS;
        let next = topics.iter().find(|known| **known >= topic);
        number - topic + next.copied().unwrap_or(TOPICS + topics[0])
    }

    /// How many of the events in this range the client gets.
    pub(crate) fn between(self, from: u64, to: u64) -> u64 {
        if matches!(self, Self::Everything) {
            return to.saturating_sub(from);
        }
        let mut count = 0;
        let mut number = self.next(from);
        while number < to {
            count += 1;
            number = self.next(number + 1);
        }
        count
    }
}
