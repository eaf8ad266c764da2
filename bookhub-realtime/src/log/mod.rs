//! The ordered log: ready frames side by side in one arena, with their positions and topics.
//!
//! Everything else is a position in it: history, replay, back-pressure and slow readers. It does no
//! I/O and knows no clock; it is told what to append and hands out bytes.

mod chunk;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

pub(crate) use self::chunk::{Batch, Chunk};
use crate::{
    frame,
    position::{Epoch, EventId, Position},
    protocol::ResyncReason,
    service::Transport,
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
    /// Readers before this one have lost entries that were declared lost, not forgotten.
    declared_lost: u64,
    keys: HashMap<Arc<str>, Position>,
    /// The keys in the order of their entries, each with its entry's sequence number.
    keyed: VecDeque<(u64, Arc<str>)>,
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
    pub(crate) fn new(epoch: Epoch, limits: HistoryLimits, start: Position) -> Self {
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
            declared_lost: 0,
            keys: HashMap::new(),
            keyed: VecDeque::new(),
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

    /// The position of the entry that was published with this key, while it is kept.
    pub(crate) fn published(&self, key: &str) -> Option<Position> {
        self.keys.get(key).copied()
    }

    /// Gives the newest entry a key.
    pub(crate) fn remember(&mut self, key: &str) {
        let key: Arc<str> = key.into();
        self.bytes += cost_of(&key);
        self.keys.insert(Arc::clone(&key), self.head);
        self.keyed.push_back((self.next_seq() - 1, key));
        self.trim();
    }

    /// Why a reader fell off that would have gone on with `seq`.
    pub(crate) const fn why_lost(&self, seq: u64) -> ResyncReason {
        if seq < self.declared_lost { ResyncReason::HistoryExpired } else { ResyncReason::TooSlow }
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
        self.declared_lost = self.first_seq;
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
        while let Some((_, key)) = self.keyed.pop_front_if(|(seq, _)| *seq < self.first_seq) {
            self.keys.remove(&key);
            self.bytes -= cost_of(&key);
        }
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

    /// Fills `chunk` with the frames from `cursor` on that `filter` wants, until `budget` bytes are
    /// reached, and moves the cursor behind them. Says whether entries remain.
    pub(crate) fn read(
        &self,
        cursor: &mut u64,
        filter: &Filter,
        transport: Transport,
        chunk: &mut Chunk,
        budget: usize,
    ) -> Result<bool, FellOff> {
        chunk.begin(*cursor);
        let skipped = cursor.checked_sub(self.first_seq).ok_or(FellOff)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.entries.len());
        for entry in self.entries.range(skipped..).take(SCAN) {
            if chunk.bytes().len() >= budget {
                break;
            }
            let seq = *cursor;
            *cursor += 1;
            if filter.wants(&entry.topic, seq) {
                chunk.push(transport, self.frame_of(entry), *cursor);
            }
        }
        Ok(*cursor < self.next_seq())
    }

    fn frame_of(&self, entry: &Entry) -> &[u8] {
        let index = usize::try_from(entry.segment - self.first_segment);
        let segment = index.ok().and_then(|index| self.segments.get(index));
        segment.map_or(&[], |bytes| &bytes[entry.start as usize..entry.end as usize])
    }

    /// Fills `batch` with the entries from `from` on: a copy for one writer to hand to many sockets
    /// without holding the log. If some of these are gone, it is empty and begins at the end.
    pub(crate) fn batch_from(&self, from: u64, batch: &mut Batch, budget: usize) {
        batch.begin(if from < self.first_seq { self.next_seq() } else { from });
        self.extend(batch, budget);
    }

    /// Appends to `batch` the entries behind it, up to the budget for all of it. Nothing, if some
    /// of these are gone.
    pub(crate) fn extend(&self, batch: &mut Batch, budget: usize) {
        let Some(start) = batch.to.checked_sub(self.first_seq) else {
            return;
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        for entry in self.entries.range(start.min(self.entries.len())..) {
            if batch.bytes().len() >= budget {
                break;
            }
            batch.push(&entry.topic, self.frame_of(entry));
        }
    }
}

/// What a key takes beside its entry, once in the map and once in the order.
const fn cost_of(key: &str) -> usize {
    key.len() + size_of::<(Arc<str>, Position)>() + size_of::<(u64, Arc<str>)>()
}

impl Entry {
    const fn cost(&self) -> usize {
        (self.end - self.start) as usize + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests;
