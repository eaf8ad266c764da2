//! Frames copied out of the log, so that nobody holds the log while a socket is written to.
//!
//! A [`Chunk`] is for one reader, a [`Batch`] for all readers of a writer. Both know where each frame
//! ends: a socket that stops in the middle keeps the rest of that one frame, and its cursor goes back
//! to the entry after it.

use indexmap::IndexMap;

use super::Log;
use crate::{
    service::Transport,
    topic::{Filter, Topic},
};

/// A buffer larger than this is given back before it is filled again.
const KEPT_BUFFER: usize = 512 * 1024;

/// Frames of one reader, framed for its transport.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    from: u64,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    /// Where a batch notes which of its entries are wanted.
    wanted: Vec<usize>,
}

/// The end of a frame.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: usize,
    /// The sequence number of the entry after the frame's.
    next: u64,
}

impl Chunk {
    /// Empties it, for frames from `from` on.
    pub(crate) fn begin(&mut self, from: u64) {
        self.from = from;
        self.marks.clear();
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BUFFER {
            self.bytes = Vec::new();
        }
    }

    /// Appends the frame of the entry before `next`.
    pub(crate) fn push(&mut self, transport: Transport, frame: &[u8], next: u64) {
        transport.put_event(&mut self.bytes, frame);
        self.marks.push(Mark { end: self.bytes.len(), next });
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many frames it holds.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Where the frames begin that a reader lacks whose next entry is `cursor`, in a chunk of all
    /// entries.
    pub(crate) fn behind(&self, cursor: u64) -> usize {
        let had = self.marks.partition_point(|mark| mark.next <= cursor);
        had.checked_sub(1).and_then(|last| self.marks.get(last)).map_or(0, |mark| mark.end)
    }

    /// How many frames have begun between these places, of which the first is the start of one.
    pub(crate) fn begun(&self, start: usize, taken: usize) -> usize {
        if taken == start {
            return 0;
        }
        let before = self.marks.partition_point(|mark| mark.end <= start);
        self.marks.partition_point(|mark| mark.end < taken) + 1 - before
    }

    /// Where the frame ends in which a writer stopped after `taken` bytes, and the entry with which
    /// it has to go on after that.
    pub(crate) fn cut(&self, taken: usize) -> (usize, u64) {
        if taken == 0 {
            return (0, self.from);
        }
        let stopped = self.marks.partition_point(|mark| mark.end < taken);
        self.marks.get(stopped).map_or((taken, self.from), |mark| (mark.end, mark.next))
    }
}

/// Consecutive entries, ready to be written to whoever stands at `from`.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// All of its frames, as WebSocket writes them.
    chunk: Chunk,
    /// The distinct topics in it, each with the index of its last entry.
    topics: IndexMap<Topic, usize>,
    /// Of each entry, the index of the one before it of the same topic.
    before: Vec<Option<usize>>,
}

impl Batch {
    /// An empty batch at the end of the log.
    pub(crate) fn at_end_of(log: &Log) -> Self {
        Self {
            from: log.next_seq(),
            to: log.next_seq(),
            chunk: Chunk::default(),
            topics: IndexMap::new(),
            before: Vec::new(),
        }
    }

    /// Empties it, for entries from `from` on.
    pub(super) fn begin(&mut self, from: u64) {
        self.from = from;
        self.to = from;
        self.chunk.begin(self.from);
        self.topics.clear();
        self.before.clear();
    }

    /// Takes in the next entry.
    pub(super) fn push(&mut self, topic: &Topic, frame: &[u8]) {
        self.to += 1;
        self.chunk.push(Transport::WebSocket, frame, self.to);
        let index = self.before.len();
        let before = match self.topics.get_mut(topic) {
            Some(last) => Some(std::mem::replace(last, index)),
            None => self.topics.insert(topic.clone(), index),
        };
        self.before.push(before);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.chunk.bytes()
    }

    /// All of it, as WebSocket writes it.
    pub(crate) const fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    /// Whether `filter` wants all of it.
    pub(crate) fn is_wanted_whole(&self, filter: &Filter) -> bool {
        self.topics().all(|topic| filter.wants(topic, self.from))
    }

    /// Fills `chunk` with the frames from `cursor` on that `filter` wants.
    pub(crate) fn select(
        &self,
        cursor: u64,
        filter: &Filter,
        transport: Transport,
        chunk: &mut Chunk,
    ) {
        chunk.begin(cursor);
        let mut wanted = std::mem::take(&mut chunk.wanted);
        for (pattern, from) in filter.wanted() {
            let from = from.max(cursor).max(self.from);
            let mut take = |last: usize| {
                let mut entry = Some(last);
                while let Some(index) = entry.filter(|index| self.from + *index as u64 >= from) {
                    wanted.push(index);
                    entry = self.before[index];
                }
            };
            match pattern.exact() {
                Some(exact) => self.topics.get(&exact).into_iter().for_each(|last| take(*last)),
                None => {
                    let fits = self.topics.iter().filter(|(topic, _)| pattern.matches(topic));
                    fits.for_each(|(_, last)| take(*last));
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        for index in wanted.drain(..) {
            let start = index.checked_sub(1).map_or(0, |before| self.chunk.marks[before].end);
            let mark = self.chunk.marks[index];
            chunk.push(transport, &self.chunk.bytes[start..mark.end], mark.next);
        }
        chunk.wanted = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_stops_keeps_the_rest_of_one_frame() {
        let mut chunk = Chunk::default();
        chunk.begin(7);
        chunk.push(Transport::WebSocket, b"abc", 8);
        chunk.push(Transport::WebSocket, b"defg", 12);
        assert_eq!(chunk.cut(0), (0, 7), "nothing was begun");
        assert_eq!(chunk.cut(1), (3, 8));
        assert_eq!(chunk.cut(3), (3, 8), "the frame is whole");
        assert_eq!(chunk.cut(4), (7, 12));
        assert_eq!(chunk.cut(7), (7, 12));
        let begun = |start| (0..=7).map(move |taken| (start, taken)).skip(start);
        let counts = |start| begun(start).map(|(s, t)| chunk.begun(s, t)).collect::<Vec<_>>();
        assert_eq!(counts(0), [0, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(counts(3), [0, 1, 1, 1, 1]);
        assert_eq!(chunk.behind(7), 0);
        assert_eq!(chunk.behind(8), 3);
        assert_eq!(chunk.behind(12), 7);
    }
}
