//! How a lane writes: from its writer's batch, or what its client lacks of the log.

use std::{
    cell::RefCell,
    io,
    task::{Context, Poll, ready},
};

use super::{Hands, State};
use crate::{
    hub::Shared,
    log::{Batch, Chunk, FellOff, Log},
    protocol::Control,
    service::Transport,
    sync::thread_local,
};

/// How much of the log is copied for one socket at a time, at most and at first: most that do not
/// keep up take little.
const CHUNK: usize = 64 * 1024;
const FIRST_CHUNK: usize = 8 * 1024;

thread_local! {
    /// Where frames stand for the moment in which they are written. A connection keeps none.
    static CHUNK_BUFFER: RefCell<Chunk> = RefCell::default();
}

impl State {
    /// Writes what it wants of the batch from the cursor on, and counts the frames that were begun.
    pub(super) fn write_batch(
        &mut self,
        batch: &Batch,
        cx: &mut Context<'_>,
    ) -> (usize, Poll<io::Result<()>>) {
        if let waits @ (Poll::Pending | Poll::Ready(Err(_))) = self.poll_drain(cx) {
            return (0, waits);
        }
        let cursor = std::mem::replace(&mut self.cursor, batch.to);
        if self.transport == Transport::WebSocket && batch.is_wanted_whole(&self.filter) {
            return self.poll_write(batch.chunk(), batch.chunk().behind(cursor), cx);
        }
        with_buffer(|chunk| {
            batch.select(cursor, &self.filter, self.transport, chunk);
            self.poll_write(chunk, 0, cx)
        })
    }

    /// What comes of a write that was the writer's: one that is not done is the session's.
    pub(super) fn settle(&mut self, written: &Poll<io::Result<()>>) {
        match written {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => self.hang_up(),
            Poll::Pending => self.wake(),
        }
    }

    /// Writes until nothing is left up to the head of the log, or the socket takes no more.
    pub(super) fn poll_pump(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut budget = FIRST_CHUNK;
        loop {
            ready!(self.poll_drain(cx))?;
            let more = with_buffer(|chunk| {
                if !self.live
                    || self.hands == Hands::Writer
                    || !self.refill(&shared.log(), chunk, budget)
                {
                    return Poll::Ready(Ok(false));
                }
                let (frames, written) = self.poll_write(chunk, 0, cx);
                shared.meters.deliveries.increment(frames as u64);
                written.map_ok(|()| true)
            });
            if !ready!(more)? {
                self.outlet.note_done();
                return Poll::Ready(Ok(()));
            }
            budget = CHUNK.min(2 * budget);
        }
    }

    /// Takes the next entries from the log, or the news that they are gone, or word of a position
    /// that moved silently. Says whether there is something to write or to look at again.
    fn refill(&mut self, log: &Log, chunk: &mut Chunk, budget: usize) -> bool {
        chunk.begin(self.cursor);
        if self.cursor == log.next_seq() && self.cursor - self.told <= log.quarter() {
            return false;
        }
        match log.read(&mut self.cursor, &self.filter, self.transport, chunk, budget) {
            Err(FellOff) => {
                self.fall_off(log);
                true
            }
            Ok(more) => {
                if chunk.len() == 0 && self.cursor - self.told > log.quarter() {
                    self.told = self.cursor;
                    let position = self.position(log);
                    self.say(&Control::Ping { position });
                }
                more || chunk.len() > 0 || !self.outlet.is_empty()
            }
        }
    }

    /// Writes frames from `start` on, behind which the cursor stands already, and counts those that
    /// were begun. If the socket takes no more, the rest of the frame that it has begun is kept, the
    /// cursor goes back behind that frame, and the session is told and goes on.
    fn poll_write(
        &mut self,
        chunk: &Chunk,
        start: usize,
        cx: &mut Context<'_>,
    ) -> (usize, Poll<io::Result<()>>) {
        if chunk.bytes().len() == start {
            return (0, Poll::Ready(Ok(())));
        }
        debug_assert!(self.outlet.is_empty(), "frames come behind what was said before");
        let mut taken = start;
        let result = self.outlet.poll_write(chunk.bytes(), &mut taken, cx);
        self.heed(&result);
        if result.is_pending() && taken < chunk.bytes().len() {
            let (end, next) = chunk.cut(taken);
            self.outlet.end().extend_from_slice(&chunk.bytes()[taken..end]);
            self.cursor = next;
        }
        if taken > start {
            self.told = self.cursor;
        }
        (chunk.begun(start, taken), result)
    }

    /// Writes what was said. If the socket takes no more, the session is told and goes on.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.outlet.poll_drain(cx);
        self.heed(&result);
        result
    }

    /// A socket that does not take everything is its session's.
    fn heed(&mut self, written: &Poll<io::Result<()>>) {
        if written.is_pending() {
            self.take_back();
        }
    }
}

/// Lends the thread's buffer for frames.
fn with_buffer<T>(work: impl FnOnce(&mut Chunk) -> T) -> T {
    CHUNK_BUFFER.with(|chunk| work(&mut chunk.borrow_mut()))
}
