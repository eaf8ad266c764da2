//! One connection's place in the log and its socket: a cursor, a filter, and the bytes that the
//! socket has not taken yet.
//!
//! Two call the same `pump`: the fan-out task, for all sockets that keep up, and the connection's
//! own session, once its socket did not take everything at once. Neither ever waits in it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{
    auth::Identity,
    frame,
    log::{Batch, FellOff, Log},
    position::EventId,
    protocol::{CloseCode, Control, ResyncReason},
    topic::Filter,
};

/// How much of the log is copied for one socket at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes may wait for a socket before nothing more is read from it.
const MAX_UNANSWERED: usize = 2 * CHUNK;

/// A buffer larger than this is given back when it has been written.
const KEPT_BUFFER: usize = 512;

/// What a session reads and writes.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Why and how a connection ends by the hub's will.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
    /// A control event that goes before the close frame.
    pub(crate) last_words: Option<Vec<u8>>,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Signal {
    Received(Vec<u8>),
    /// The hub wants it closed.
    End(Ending),
    /// The socket has begun to take nothing.
    Stalled,
    /// All that was to be written before the close is written.
    Flushed,
    /// The peer is gone.
    Gone,
}

pub(crate) struct Lane {
    /// Rises from each connection of the hub to the next.
    number: u64,
    state: Mutex<State>,
}

pub(crate) struct State {
    io: Option<Box<dyn Io>>,
    pub(crate) identity: Identity,
    pub(crate) filter: Filter,
    /// The sequence number of the entry to read next.
    pub(crate) cursor: u64,
    /// Up to where the client knows that it has seen everything.
    told: u64,
    /// Whether it follows the log: not before its welcome, not after its end.
    live: bool,
    closing: bool,
    shut_down: bool,
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
    stalled_since: Option<Instant>,
    stall_untold: bool,
    /// When a socket that had stalled last took something.
    moved_at: Option<Instant>,
    ending: Option<Ending>,
    waker: Option<Waker>,
}

impl Lane {
    pub(crate) fn new(number: u64, io: Box<dyn Io>) -> Arc<Self> {
        Arc::new(Self {
            number,
            state: Mutex::new(State {
                io: Some(io),
                identity: Identity::guest(),
                filter: Filter::default(),
                cursor: 0,
                told: 0,
                live: false,
                closing: false,
                shut_down: false,
                out: Vec::new(),
                written: 0,
                unflushed: false,
                stalled_since: None,
                stall_untold: false,
                moved_at: None,
                ending: None,
                waker: None,
            }),
        })
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the session to end the connection.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        state.wake();
    }

    /// Writes the batch if the socket stands where it begins and keeps up; a socket that does not
    /// is left to its session. Says whether the connection is still there.
    pub(crate) fn offer(&self, batch: &Batch) -> bool {
        let mut state = self.lock();
        if !state.live {
            return state.io.is_some() && !state.closing;
        }
        if !state.out.is_empty() || state.cursor >= batch.to {
            return true;
        }
        if state.cursor != batch.from {
            // However much it lacks, the others do not wait for it.
            state.wake();
            return true;
        }
        let waker = state.waker.clone().unwrap_or_else(|| Waker::noop().clone());
        if state.offer(batch, &mut Context::from_waker(&waker)).is_err() {
            state.hang_up();
        }
        state.io.is_some()
    }

    /// Lets the session look at the log again, if there is something in it for the connection.
    pub(crate) fn catch_up(&self, log: &RwLock<Log>) {
        let state = self.lock();
        if state.cursor != read(log).next_seq() {
            state.wake();
        }
    }

    /// Whether the socket is dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().io.is_none()
    }

    /// What the session has to act on next. Meanwhile writes what is to be written.
    pub(crate) fn poll_signal(&self, log: &RwLock<Log>, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut state = self.lock();
        if state.waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        if let Some(ending) = state.ending.take() {
            return Poll::Ready(Signal::End(ending));
        }
        match state.poll_pump(log, cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Signal::Gone),
            Poll::Ready(Ok(())) if state.closing && !state.shut_down => {
                return Poll::Ready(Signal::Flushed);
            }
            _ => {}
        }
        if std::mem::take(&mut state.stall_untold) {
            return Poll::Ready(Signal::Stalled);
        }
        if state.out.len() - state.written > MAX_UNANSWERED {
            // Who does not take the answers is not asked for more questions.
            return Poll::Pending;
        }
        state.poll_read(cx)
    }
}

impl State {
    /// Begins to follow the log at `cursor`.
    pub(crate) const fn go_live(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.told = cursor;
        self.live = true;
    }

    /// Puts a control event behind what was sent so far. The session's next poll writes it.
    pub(crate) fn say(&mut self, control: &Control<'_>) {
        frame::put_text(&mut self.out, &control.to_json());
    }

    /// Puts ready frames behind what was sent so far.
    pub(crate) fn put(&mut self, frames: &[u8]) {
        self.out.extend_from_slice(frames);
    }

    /// A heartbeat: the position for the program at the other end, and a ping frame for its
    /// WebSocket library to answer.
    pub(crate) fn beat(&mut self, log: &RwLock<Log>) {
        let position = self.position(&read(log));
        self.say(&Control::Ping { position });
        frame::put_ping(&mut self.out);
        self.told = self.cursor;
    }

    /// Up to where everything visible to this connection has been sent, or stands in `out`.
    /// Who has missed something is told that first.
    pub(crate) fn position(&mut self, log: &Log) -> EventId {
        let position = log.position_before(self.cursor).unwrap_or_else(|FellOff| {
            self.fall_off(log);
            log.head()
        });
        log.id(position)
    }

    /// Goes on at the head, and says that something was missed.
    fn fall_off(&mut self, log: &Log) {
        self.cursor = log.next_seq();
        self.told = self.cursor;
        let position = log.id(log.head());
        self.say(&Control::Resync { reason: ResyncReason::TooSlow, position });
    }

    /// Follows the log no longer, and closes once everything before is written.
    pub(crate) fn close(&mut self, ending: &Ending) {
        if self.closing {
            return;
        }
        if let Some(words) = &ending.last_words {
            frame::put_text(&mut self.out, words);
        }
        frame::put_close(&mut self.out, ending.code.into(), ending.reason);
        self.finish();
    }

    /// Follows the log no longer; what is in `out` is the last.
    pub(crate) const fn finish(&mut self) {
        self.live = false;
        self.closing = true;
    }

    pub(crate) const fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    pub(crate) const fn moved_at(&self) -> Option<Instant> {
        self.moved_at
    }

    /// Everything is written: says so to the peer's socket, and goes on reading.
    pub(crate) fn shut_down(&mut self) {
        if let (Some(io), Some(waker)) = (&mut self.io, &self.waker) {
            let _ = Pin::new(io).poll_shutdown(&mut Context::from_waker(waker));
        }
        self.shut_down = true;
    }

    /// Drops the socket.
    pub(crate) fn hang_up(&mut self) {
        self.live = false;
        self.closing = true;
        self.io = None;
        self.out = Vec::new();
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn offer(&mut self, batch: &Batch, cx: &mut Context<'_>) -> io::Result<()> {
        self.cursor = batch.to;
        if batch.is_wanted_whole(&self.filter) {
            self.told = batch.to;
            let Some(io) = &mut self.io else {
                return Ok(());
            };
            let taken = match Pin::new(io).poll_write(cx, &batch.bytes) {
                Poll::Ready(taken) => taken?,
                Poll::Pending => 0,
            };
            self.unflushed = true;
            self.out.extend_from_slice(&batch.bytes[taken..]);
        } else {
            batch.select(&self.filter, &mut self.out);
            if !self.out.is_empty() {
                self.told = batch.to;
            } else if self.cursor - self.told > batch.quarter {
                self.told = batch.to;
                self.say(&Control::Ping { position: batch.last.clone() });
            }
        }
        match self.poll_drain(cx) {
            Poll::Ready(result) => result,
            // The session was woken and goes on.
            Poll::Pending => Ok(()),
        }
    }

    /// Writes until nothing is left up to the head of the log, or the socket takes no more.
    fn poll_pump(&mut self, log: &RwLock<Log>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_drain(cx))?;
            if !self.live || !self.refill(&read(log)) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes what is in `out`. If the socket takes no more, the session is told and goes on.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_write_out(cx);
        if result.is_ready() {
            self.stalled_since = None;
        } else if self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
            self.stall_untold = true;
            self.wake();
        }
        result
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        while self.written < self.out.len() {
            let taken = ready!(Pin::new(&mut *io).poll_write(cx, &self.out[self.written..]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += taken;
            if self.stalled_since.take().is_some() {
                self.moved_at = Some(Instant::now());
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > KEPT_BUFFER {
            self.out = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next entries from the log, or the news that they are gone, or word of a position
    /// that moved silently. Says whether there is something to write or to look at again.
    fn refill(&mut self, log: &Log) -> bool {
        if self.cursor == log.next_seq() && self.cursor - self.told <= log.quarter() {
            return false;
        }
        match log.read(&mut self.cursor, &self.filter, &mut self.out, CHUNK) {
            Err(FellOff) => {
                self.fall_off(log);
                true
            }
            Ok(more) => {
                if !self.out.is_empty() {
                    self.told = self.cursor;
                } else if self.cursor - self.told > log.quarter() {
                    self.told = self.cursor;
                    let position = self.position(log);
                    self.say(&Control::Ping { position });
                }
                more || !self.out.is_empty()
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Signal::Gone);
        };
        let mut space = [0; 2048];
        let mut buf = ReadBuf::new(&mut space);
        match ready!(Pin::new(io).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => {
                Poll::Ready(Signal::Received(buf.filled().to_vec()))
            }
            _ => Poll::Ready(Signal::Gone),
        }
    }
}

fn read(log: &RwLock<Log>) -> std::sync::RwLockReadGuard<'_, Log> {
    log.read().unwrap_or_else(PoisonError::into_inner)
}
