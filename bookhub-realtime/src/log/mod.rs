//! The ordered log: ready frames side by side in one arena, with their positions and topics.
//!
//! Everything else is a position in it: history, replay, back-pressure and slow readers. It does no
//! I/O and knows no clock; it is told what to append and hands out bytes.

use std::{collections::VecDeque, ops::Range};

use crate::{
    frame,
    position::{Epoch, EventId, Position},
    topic::{Filter, Topic},
};

/// The size at which a segment of the arena is full.
const SEGMENT: usize = 64 * 1024;

/// How many entries one read looks at before it lets go of the log.
const SCAN: usize = 4096;

/// How much of the past the log keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryLimits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// An event on its way into the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) topic: &'a Topic,
    pub(crate) event: &'a str,
    /// The event's data, as JSON.
    pub(crate) data: &'a [u8],
}

#[derive(Debug)]
pub(crate) struct Log {
    epoch: Epoch,
    limits: HistoryLimits,
    segments: VecDeque<Vec<u8>>,
    first_segment: u64,
    entries: VecDeque<Entry>,
    first_seq: u64,
    bytes: usize,
    /// The newest position that is no longer in the log.
    tail: Position,
    head: Position,
}

#[derive(Debug)]
struct Entry {
    position: Position,
    segment: u64,
    start: u32,
    end: u32,
    topic: Topic,
}

/// Where a resume has to start, or why it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The sequence number of the first entry after the position.
    At(u64),
    /// Entries after the position are gone.
    Expired,
    /// The log has not come to this position yet.
    Ahead,
}

/// The reader's next entry is no longer in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FellOff;

impl Log {
    /// An empty log; positions up to `start` count as lost.
    pub(crate) const fn new(epoch: Epoch, limits: HistoryLimits, start: Position) -> Self {
        Self {
            epoch,
            limits,
            segments: VecDeque::new(),
            first_segment: 0,
            entries: VecDeque::new(),
            first_seq: 0,
            bytes: 0,
            tail: start,
            head: start,
        }
    }

    pub(crate) const fn head(&self) -> Position {
        self.head
    }

    /// The sequence number that the next entry will have.
    pub(crate) fn next_seq(&self) -> u64 {
        self.first_seq + self.entries.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A quarter of the entries that the log keeps: how far a reader may pass silently before it
    /// is told where it is, so that it does not resume from a position that is gone.
    pub(crate) fn quarter(&self) -> u64 {
        let by_bytes = match self.bytes {
            0 => self.limits.events,
            bytes => self.limits.bytes.saturating_mul(self.entries.len()) / bytes,
        };
        (by_bytes.min(self.limits.events) / 4) as u64
    }

    /// The id of a position in this log.
    pub(crate) fn id(&self, position: Position) -> EventId {
        EventId { epoch: self.epoch.clone(), position }
    }

    /// The position up to which a reader has seen everything whose next entry is `seq`; none for
    /// one that has missed something.
    pub(crate) fn position_before(&self, seq: u64) -> Result<Position, FellOff> {
        let read = seq.checked_sub(self.first_seq).ok_or(FellOff)?;
        if seq >= self.next_seq() {
            return Ok(self.head);
        }
        let last = read.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let last = last.and_then(|index| self.entries.get(index));
        Ok(last.map_or(self.tail, |entry| entry.position))
    }

    /// Encodes the event once, for all who will ever read it.
    ///
    /// # Errors
    /// The head, if `position` does not come after it.
    pub(crate) fn append(&mut self, position: Position, draft: Draft<'_>) -> Result<(), Position> {
        if position <= self.head {
            return Err(self.head);
        }
        let id = self.id(position).to_string();
        let Draft { topic, event, data } = draft;
        let pieces: [&[u8]; 9] = [
            b"{\"id\":\"",
            id.as_bytes(),
            b"\",\"event\":\"",
            event.as_bytes(),
            b"\",\"topic\":\"",
            topic.as_str().as_bytes(),
            b"\",\"data\":",
            data,
            b"}",
        ];
        let payload = pieces.iter().map(|piece| piece.len()).sum();
        if self.segments.back().is_none_or(|open| open.len() + payload > SEGMENT) {
            self.segments.push_back(Vec::with_capacity(SEGMENT.max(payload + 16)));
        }
        let segment = self.first_segment + self.segments.len() as u64 - 1;
        let open = self.segments.back_mut().expect("a segment was just made sure of");
        let start = open.len();
        frame::put_text_header(open, payload);
        pieces.iter().for_each(|piece| open.extend_from_slice(piece));
        let end = open.len();

        let offset = |at: usize| u32::try_from(at).expect("events are limited to 16 MiB");
        let entry = Entry {
            position,
            segment,
            start: offset(start),
            end: offset(end),
            topic: topic.clone(),
        };
        self.bytes += entry.cost();
        self.entries.push_back(entry);
        self.head = position;
        self.trim();
        Ok(())
    }

    /// Says that nothing more comes up to `position`.
    pub(crate) fn advance(&mut self, position: Position) {
        self.head = self.head.max(position);
    }

    /// Gives up everything before and at `position`: who had not read it gets a resync.
    pub(crate) fn raise_tail(&mut self, position: Position) {
        while self.entries.front().is_some_and(|entry| entry.position <= position) {
            self.drop_first();
        }
        self.tail = self.tail.max(position);
        if position > self.head {
            // Even a reader that stood at the very end has missed something now.
            self.head = position;
            self.first_seq += 1;
        }
    }

    fn trim(&mut self) {
        while self.entries.len() > self.limits.events
            || (self.bytes > self.limits.bytes && self.entries.len() > 1)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(gone) = self.entries.pop_front() else {
            return;
        };
        self.tail = gone.position;
        self.first_seq += 1;
        self.bytes -= gone.cost();
        let kept = self.entries.front().map_or(gone.segment, |entry| entry.segment);
        while self.first_segment < kept {
            self.segments.pop_front();
            self.first_segment += 1;
        }
    }

    /// Where a reader that has everything up to `position` goes on.
    pub(crate) fn after(&self, position: Position) -> Lookup {
        if position < self.tail {
            Lookup::Expired
        } else if position > self.head {
            Lookup::Ahead
        } else {
            let read = self.entries.partition_point(|entry| entry.position <= position);
            Lookup::At(self.first_seq + read as u64)
        }
    }

    /// Appends to `out` the frames from `cursor` on that `filter` wants, until `budget` bytes are
    /// reached, and moves the cursor behind them. Says whether entries remain.
    pub(crate) fn read(
        &self,
        cursor: &mut u64,
        filter: &Filter,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> Result<bool, FellOff> {
        let skipped = cursor.checked_sub(self.first_seq).ok_or(FellOff)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.entries.len());
        let mut run = Run::default();
        for entry in self.entries.range(skipped..).take(SCAN) {
            if out.len() + run.len() >= budget {
                break;
            }
            if filter.wants(&entry.topic, *cursor) && !run.extend(entry) {
                out.extend_from_slice(self.bytes_of(&run));
                run = Run::of(entry);
            }
            *cursor += 1;
        }
        out.extend_from_slice(self.bytes_of(&run));
        Ok(*cursor < self.next_seq())
    }

    fn bytes_of(&self, run: &Run) -> &[u8] {
        let index = usize::try_from(run.segment.saturating_sub(self.first_segment));
        let segment = index.ok().and_then(|index| self.segments.get(index));
        segment.map_or(&[], |bytes| &bytes[run.range()])
    }

    /// Fills `batch` with the entries from its end on: a copy for one writer to hand to many
    /// sockets without holding the log.
    pub(crate) fn next_batch(&self, batch: &mut Batch, budget: usize) {
        batch.clear();
        batch.from = batch.to.max(self.first_seq);
        batch.to = batch.from;
        let start = usize::try_from(batch.from - self.first_seq).unwrap_or(usize::MAX);
        for entry in self.entries.range(start.min(self.entries.len())..) {
            if batch.bytes.len() >= budget {
                break;
            }
            let from = batch.bytes.len();
            batch.bytes.extend_from_slice(self.bytes_of(&Run::of(entry)));
            if !batch.topics.contains(&entry.topic) {
                batch.topics.push(entry.topic.clone());
            }
            batch.parts.push((entry.topic.clone(), from..batch.bytes.len()));
            batch.to += 1;
            batch.last.position = entry.position;
        }
        batch.quarter = self.quarter();
    }
}

impl Entry {
    const fn cost(&self) -> usize {
        (self.end - self.start) as usize + size_of::<Self>()
    }
}

/// Entries that stand next to each other in one segment.
#[derive(Debug, Default)]
struct Run {
    segment: u64,
    start: u32,
    end: u32,
}

impl Run {
    const fn of(entry: &Entry) -> Self {
        Self { segment: entry.segment, start: entry.start, end: entry.end }
    }

    const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    const fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Takes the entry in if it stands right behind, or if nothing was taken in yet.
    fn extend(&mut self, entry: &Entry) -> bool {
        if self.len() == 0 {
            *self = Self::of(entry);
            return true;
        }
        let adjacent = self.segment == entry.segment && self.end == entry.start;
        if adjacent {
            self.end = entry.end;
        }
        adjacent
    }
}

/// A copy of consecutive entries, ready to be written to whoever stands at `from`.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Vec<u8>,
    /// The id of its last entry.
    pub(crate) last: EventId,
    /// How far a reader may pass silently, see [`Log::quarter`].
    pub(crate) quarter: u64,
    /// The distinct topics in it.
    topics: Vec<Topic>,
    parts: Vec<(Topic, Range<usize>)>,
}

impl Batch {
    /// An empty batch at the end of the log.
    pub(crate) fn at_end_of(log: &Log) -> Self {
        Self {
            from: log.next_seq(),
            to: log.next_seq(),
            bytes: Vec::new(),
            last: log.id(log.head()),
            quarter: log.quarter(),
            topics: Vec::new(),
            parts: Vec::new(),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Whether `filter` wants all of it.
    pub(crate) fn is_wanted_whole(&self, filter: &Filter) -> bool {
        self.topics.iter().all(|topic| filter.wants(topic, self.from))
    }

    /// Appends to `out` the frames that `filter` wants.
    pub(crate) fn select(&self, filter: &Filter, out: &mut Vec<u8>) {
        if !self.topics.iter().any(|topic| filter.wants(topic, self.to)) {
            return;
        }
        for ((topic, range), seq) in self.parts.iter().zip(self.from..) {
            if filter.wants(topic, seq) {
                out.extend_from_slice(&self.bytes[range.clone()]);
            }
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.topics.clear();
        self.parts.clear();
    }
}

#[cfg(test)]
mod tests;
