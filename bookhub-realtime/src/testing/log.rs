//! The log against a plain list: whatever is appended, trimmed and read in whatever portions, a
//! reader sees each event that it wants once and in order, or learns that it fell off.

use std::collections::BTreeSet;

use crate::{
    log::{Batch, Chunk, Draft, FellOff, HistoryLimits, Log, Lookup},
    position::Position,
    service::Transport,
    topic::{Filter, Topic},
};

const LIMITS: HistoryLimits = HistoryLimits { events: 20, bytes: 30_000 };
const BATCH: usize = 10_000;
const TOPICS: [&str; 3] = ["a", "b", "c.1"];
const FILTERS: [&[&str]; 3] = [&["a"], &["a", "c.*"], &["b"]];

/// What may happen to a log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Append {
        topic: usize,
        size: usize,
        skip: u128,
    },
    /// An append at a position that is not after the head.
    AppendBefore {
        by: u128,
    },
    Read {
        reader: usize,
        budget: usize,
    },
    Batch,
    /// Raises the tail to so much before the head, or after it.
    Raise {
        by: i128,
    },
    Advance {
        by: u128,
    },
    /// Looks up a position at so much before the head, or after it.
    Look {
        by: i128,
    },
}

/// Steps of four bytes each, checked against the list.
pub fn log_operations(data: &[u8]) {
    let mut model = Model::new();
    for bytes in data.chunks_exact(4).take(2000) {
        model.check(Step::of([bytes[0], bytes[1], bytes[2], bytes[3]]));
    }
}

impl Step {
    fn of([kind, a, b, c]: [u8; 4]) -> Self {
        let wide = usize::from(u16::from_be_bytes([b, c]));
        let near = i128::from(b.cast_signed());
        match kind % 8 {
            0 | 1 => Self::Append {
                topic: usize::from(a) % 3,
                size: wide % 4000,
                skip: u128::from(kind >> 6),
            },
            2 => Self::AppendBefore { by: a.into() },
            3 | 4 => Self::Read { reader: usize::from(a) % 3, budget: 1 + wide % 20_000 },
            5 => Self::Batch,
            6 if a < 64 => Self::Raise { by: near / 4 },
            6 => Self::Advance { by: (a % 4).into() },
            _ => Self::Look { by: near / 2 },
        }
    }
}

/// A log, its readers, and the list of all that was ever appended.
pub(crate) struct Model {
    log: Log,
    topics: [Topic; 3],
    readers: [Reader; 3],
    batch: Batch,
    appended: Vec<(Position, usize)>,
    /// Those that have a key.
    keyed: BTreeSet<Position>,
    /// Positions up to this one were given up or trimmed, as far as a list can know.
    lost: Position,
}

struct Reader {
    filter: Filter,
    cursor: u64,
    seen: Position,
}

impl Reader {
    fn following(patterns: &[&str]) -> Self {
        let mut filter = Filter::default();
        let parsed = patterns.iter().map(|pattern| pattern.parse().expect("a pattern"));
        parsed.for_each(|pattern| filter.add(pattern, 0));
        Self { filter, cursor: 0, seen: Position::default() }
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        let log = Log::new("e".parse().expect("an epoch"), LIMITS, Position::default());
        Self {
            batch: Batch::at_end_of(&log),
            log,
            topics: TOPICS.map(|topic| topic.parse().expect("a topic")),
            readers: FILTERS.map(Reader::following),
            appended: Vec::new(),
            keyed: BTreeSet::new(),
            lost: Position::default(),
        }
    }

    /// Takes the step on both sides and compares.
    pub(crate) fn check(&mut self, step: Step) {
        let head = self.log.head();
        let near = |by: i128| Position::new(head.number().saturating_add_signed(by));
        match step {
            Step::Append { topic, size, skip } => {
                let position = Position::new(head.number() + 1 + skip);
                assert_eq!(self.append(position, topic, size), Ok(()));
                self.appended.push((position, topic));
                if size % 2 == 0 {
                    self.log.remember(&key(position));
                    self.keyed.insert(position);
                }
            }
            Step::AppendBefore { by } => {
                let position = Position::new(head.number().saturating_sub(by));
                assert_eq!(self.append(position, 0, 1), Err(head));
            }
            Step::Read { reader, budget } => self.read(reader, budget),
            Step::Batch => self.take_batch(),
            Step::Raise { by } => {
                self.log.raise_tail(near(by));
                self.lost = self.lost.max(near(by));
            }
            Step::Advance { by } => self.log.advance(near(by.cast_signed())),
            Step::Look { by } => self.look(near(by)),
        }
        assert!(self.log.head() >= head, "the head never falls");
        assert!(self.log.len() <= LIMITS.events);
        assert!(self.log.bytes() <= LIMITS.bytes || self.log.len() == 1);
        let kept = &self.appended[self.appended.len() - self.log.len()..];
        assert!(kept.iter().all(|(position, _)| *position > self.lost), "what is lost is gone");
        for (index, (position, _)) in self.appended.iter().enumerate().rev().take(LIMITS.events + 1)
        {
            let is_known = index + self.log.len() >= self.appended.len();
            let known = (is_known && self.keyed.contains(position)).then_some(*position);
            assert_eq!(self.log.published(&key(*position)), known, "a key lives with its entry");
        }
    }

    fn append(&mut self, position: Position, topic: usize, size: usize) -> Result<(), Position> {
        let data = format!("\"{}\"", "y".repeat(size));
        let draft = Draft { topic: &self.topics[topic], event: "e", data: data.as_bytes() };
        self.log.append(position, draft)
    }

    /// The ids of what was appended in between and is wanted, the first one exclusive.
    fn wanted(&self, filter: &Filter, after: Position, upto: Position) -> Vec<String> {
        let is_wanted = |(position, topic): &&(Position, usize)| {
            (*position > after && *position <= upto) && filter.wants(&self.topics[*topic], u64::MAX)
        };
        let id = |(position, _): &(Position, usize)| self.log.id(*position).to_string();
        self.appended.iter().filter(is_wanted).map(id).collect()
    }

    fn read(&mut self, reader: usize, budget: usize) {
        let Reader { filter, mut cursor, mut seen } =
            std::mem::replace(&mut self.readers[reader], Reader::following(FILTERS[reader]));
        let mut chunk = Chunk::default();
        let fell_off = self.log.position_before(cursor) == Err(FellOff);
        match self.log.read(&mut cursor, &filter, Transport::WebSocket, &mut chunk, budget) {
            Ok(more) => {
                assert!(!fell_off, "who has a position has missed nothing");
                assert_eq!(more, cursor < self.log.next_seq());
                let upto = self.log.position_before(cursor).expect("it has just read");
                assert_eq!(ids(chunk.bytes()), self.wanted(&filter, seen, upto));
                self.stop_in_the_middle(&chunk, &filter, seen, cursor);
                seen = upto;
            }
            Err(FellOff) => {
                assert!(fell_off, "who missed something has no position");
                assert!(chunk.bytes().is_empty());
                assert_eq!(self.log.after(seen), Lookup::Expired);
                cursor = self.log.next_seq();
                seen = self.log.head();
            }
        }
        assert_eq!(self.log.after(seen), Lookup::At(cursor));
        self.readers[reader] = Reader { filter, cursor, seen };
    }

    /// A socket that takes only a part keeps the rest of one frame, and reads the others again.
    fn stop_in_the_middle(&self, chunk: &Chunk, filter: &Filter, seen: Position, cursor: u64) {
        let taken = chunk.bytes().len() / 2;
        let (end, next) = chunk.cut(taken);
        assert!((taken..=chunk.bytes().len()).contains(&end) && next <= cursor);
        let upto = self.log.position_before(next).expect("it was just read");
        assert_eq!(ids(&chunk.bytes()[..end]), self.wanted(filter, seen, upto));
    }

    fn take_batch(&mut self) {
        let before = self.batch.to;
        self.log.batch_from(before, &mut self.batch, BATCH / 2);
        self.log.extend(&mut self.batch, BATCH);
        let Batch { from, to, .. } = self.batch;
        assert!(before <= from && from <= to && to <= self.log.next_seq());
        for Reader { filter, .. } in &self.readers {
            let (mut from_batch, mut chunk) = (Chunk::default(), Chunk::default());
            self.batch.select(from, filter, Transport::WebSocket, &mut from_batch);
            if self.batch.is_wanted_whole(filter) {
                assert_eq!(from_batch.bytes(), self.batch.bytes());
            }
            let (mut from_log, mut cursor) = (Vec::new(), from);
            while cursor < to {
                let all = usize::MAX;
                let read =
                    self.log.read(&mut cursor, filter, Transport::WebSocket, &mut chunk, all);
                assert!(read.is_ok(), "a batch begins where the log does, at the earliest");
                from_log.extend_from_slice(chunk.bytes());
            }
            let middle = from + (to - from) / 2;
            let start = self.batch.chunk().behind(middle);
            let frames = self.batch.chunk().begun(start, self.batch.bytes().len());
            assert_eq!(ids(&self.batch.bytes()[start..]).len(), frames);
            assert_eq!(frames as u64, to - middle);
            // The log may have read on behind the batch.
            from_log.truncate(from_batch.bytes().len());
            assert_eq!(from_batch.bytes(), from_log);
        }
        let lost = from != before;
        assert!(!lost || (self.batch.is_empty() && to == self.log.next_seq()));
    }

    fn look(&self, position: Position) {
        match self.log.after(position) {
            Lookup::Ahead => assert!(position > self.log.head()),
            Lookup::Expired => {
                let kept = self.log.len();
                let lost = &self.appended[..self.appended.len() - kept];
                let trimmed = lost.last().is_some_and(|(last, _)| *last > position);
                assert!(trimmed || position < self.lost, "{position:?} is still there");
            }
            Lookup::At(mut cursor) => {
                let everything = Reader::following(&["*", "*.*"]);
                let (mut out, mut chunk, mut more) = (Vec::new(), Chunk::default(), true);
                while more {
                    let (filter, all) = (&everything.filter, usize::MAX);
                    let read =
                        self.log.read(&mut cursor, filter, Transport::WebSocket, &mut chunk, all);
                    more = read.expect("what was looked up is there");
                    out.extend_from_slice(chunk.bytes());
                }
                let wanted = self.wanted(&everything.filter, position, self.log.head());
                assert_eq!(ids(&out), wanted);
            }
        }
    }
}

/// A key of some length.
fn key(position: Position) -> String {
    format!("{:>90}", position.number())
}

/// The ids in a run of frames of at most 64 KiB each.
pub(crate) fn ids(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (header, len) = match bytes[1] {
            126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            len => (2, usize::from(len)),
        };
        let (frame, rest) = bytes.split_at(header + len);
        let event: serde_json::Value = serde_json::from_slice(&frame[header..]).expect("JSON");
        found.push(event["id"].as_str().expect("an event has an id").to_owned());
        bytes = rest;
    }
    found
}
