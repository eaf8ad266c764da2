//! One connection's place in the log and its socket: a cursor, a filter, and the rest of the frame
//! that the socket has begun to take.
//!
//! Two call the same `pump`: the fan-out task, for all sockets that keep up, and the connection's
//! own session, once its socket did not take everything at once. Neither ever waits in it.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{
    auth::Identity,
    hub::{ConnectionView, Shared},
    log::{Batch, Chunk, FellOff, Log},
    metrics,
    position::EventId,
    protocol::{CloseCode, Control},
    service::Transport,
    topic::Filter,
};

/// How much of the log is copied for one socket at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes of answers may wait for a socket before nothing more is read from it.
const MAX_UNANSWERED: usize = 2 * CHUNK;

thread_local! {
    /// Where frames stand for the moment in which they are written. A connection keeps none.
    static CHUNK_BUFFER: RefCell<Chunk> = RefCell::default();
}

/// What a session reads and writes.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Why and how a connection ends by the hub's will.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
    pub(crate) last_words: Option<LastWords>,
}

/// A control event that goes before the close.
#[derive(Debug, Clone)]
pub(crate) enum LastWords {
    Error { code: &'static str, message: String },
    Draining { retry_after_ms: u64 },
}

impl LastWords {
    fn control(&self) -> Control<'_> {
        match self {
            Self::Error { code, message } => Control::Error { code, message },
            Self::Draining { retry_after_ms } => {
                Control::Draining { retry_after_ms: *retry_after_ms }
            }
        }
    }
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
    transport: Transport,
    since: Instant,
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
    pub(crate) fn new(number: u64, io: Box<dyn Io>, transport: Transport) -> Arc<Self> {
        Arc::new(Self {
            number,
            state: Mutex::new(State {
                io: Some(io),
                transport,
                since: Instant::now(),
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

    /// Writes what it lacks of the batch, if that is all it lacks and its socket keeps up; a socket
    /// that does not is left to its session. Answers how many frames were written; `None` if the connection is
    /// no longer there.
    pub(crate) fn offer(&self, batch: &Batch) -> Option<u64> {
        let mut state = self.lock();
        if !state.live {
            return (state.io.is_some() && !state.closing).then_some(0);
        }
        if state.stalled_since.is_some() || !state.out.is_empty() || state.cursor >= batch.to {
            return Some(0);
        }
        if state.cursor < batch.from {
            // However much it lacks, the others do not wait for it.
            state.wake();
            return Some(0);
        }
        // Lent, not cloned: most sockets take all, and nobody is woken.
        let waker = state.waker.take();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let offered = state.offer(batch, &mut cx);
        state.waker = waker;
        if offered.is_err() {
            state.hang_up();
        } else if state.stall_untold {
            state.wake();
        }
        offered.ok()
    }

    /// Lets the session look at the log again, if there is something in it for the connection.
    pub(crate) fn catch_up(&self, shared: &Shared) {
        let state = self.lock();
        if state.cursor != shared.log().next_seq() {
            state.wake();
        }
    }

    /// Whether the socket is dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().io.is_none()
    }

    /// What the session has to act on next. Meanwhile writes what is to be written.
    pub(crate) fn poll_signal(&self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut state = self.lock();
        if state.waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        if let Some(ending) = state.ending.take() {
            return Poll::Ready(Signal::End(ending));
        }
        match state.poll_pump(shared, cx) {
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
        self.transport.put_control(&mut self.out, control);
    }

    /// Puts ready frames behind what was sent so far.
    pub(crate) fn put(&mut self, frames: &[u8]) {
        self.out.extend_from_slice(frames);
    }

    /// A heartbeat, with the position.
    pub(crate) fn beat(&mut self, log: &Log) {
        let position = self.position(log);
        self.transport.put_beat(&mut self.out, position);
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
        let reason = log.why_lost(self.cursor);
        metrics::resynced(reason);
        self.cursor = log.next_seq();
        self.told = self.cursor;
        let position = log.id(log.head());
        self.say(&Control::Resync { reason, position });
    }

    /// Follows the log no longer, and closes once everything before is written.
    pub(crate) fn close(&mut self, ending: &Ending) {
        if self.closing {
            return;
        }
        if let Some(words) = &ending.last_words {
            self.transport.put_control(&mut self.out, &words.control());
        }
        self.transport.put_close(&mut self.out, ending.code.into(), ending.reason);
        self.finish();
    }

    /// Follows the log no longer; what is in `out` is the last.
    pub(crate) const fn finish(&mut self) {
        self.live = false;
        self.closing = true;
    }

    /// A look at the connection from outside.
    pub(crate) fn view(&self, id: String, log: &Log) -> ConnectionView {
        ConnectionView {
            id,
            subject: self.identity.subject().map(str::to_owned),
            transport: self.transport,
            topics: self.filter.patterns().cloned().collect(),
            lag: if self.live { log.next_seq().saturating_sub(self.cursor) } else { 0 },
            stalled: self.stalled_since.map(|since| since.elapsed()),
            age: self.since.elapsed(),
        }
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

    fn offer(&mut self, batch: &Batch, cx: &mut Context<'_>) -> io::Result<u64> {
        let cursor = std::mem::replace(&mut self.cursor, batch.to);
        let (written, frames) =
            if self.transport == Transport::WebSocket && batch.is_wanted_whole(&self.filter) {
                let (start, frames) = batch.chunk().behind(cursor);
                (self.poll_write(batch.chunk(), start, cx), frames)
            } else {
                CHUNK_BUFFER.with_borrow_mut(|chunk| {
                    batch.select(cursor, &self.filter, self.transport, chunk);
                    (self.poll_write(chunk, 0, cx), chunk.len())
                })
            };
        match written {
            Poll::Ready(Ok(())) if self.cursor - self.told > batch.quarter => {
                self.told = self.cursor;
                self.say(&Control::Ping { position: batch.last.clone() });
                settled(self.poll_drain(cx))?;
            }
            written => settled(written)?,
        }
        Ok(frames as u64)
    }

    /// Writes until nothing is left up to the head of the log, or the socket takes no more.
    fn poll_pump(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_drain(cx))?;
            let more = CHUNK_BUFFER.with_borrow_mut(|chunk| {
                if !self.live || !self.refill(&shared.log(), chunk) {
                    return Poll::Ready(Ok(false));
                }
                shared.meters.deliveries.increment(chunk.len() as u64);
                self.poll_write(chunk, 0, cx).map_ok(|()| true)
            });
            if !ready!(more)? {
                self.stalled_since = None;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Takes the next entries from the log, or the news that they are gone, or word of a position
    /// that moved silently. Says whether there is something to write or to look at again.
    fn refill(&mut self, log: &Log, chunk: &mut Chunk) -> bool {
        chunk.begin(self.cursor);
        if self.cursor == log.next_seq() && self.cursor - self.told <= log.quarter() {
            return false;
        }
        match log.read(&mut self.cursor, &self.filter, self.transport, chunk, CHUNK) {
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
                more || chunk.len() > 0 || !self.out.is_empty()
            }
        }
    }

    /// Writes frames from `start` on, behind which the cursor stands already. If the socket takes no more, the rest
    /// of the frame that it has begun is kept, the cursor goes back behind that frame, and the
    /// session is told and goes on.
    fn poll_write(
        &mut self,
        chunk: &Chunk,
        start: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if chunk.bytes().len() == start {
            return Poll::Ready(Ok(()));
        }
        debug_assert!(self.out.is_empty(), "frames come behind what was said before");
        let mut taken = start;
        let result = self.poll_write_all(chunk.bytes(), &mut taken, cx);
        if result.is_pending() && taken < chunk.bytes().len() {
            let (end, next) = chunk.cut(taken);
            self.out.extend_from_slice(&chunk.bytes()[taken..end]);
            self.cursor = next;
        }
        if taken > start {
            self.told = self.cursor;
        }
        result
    }

    /// Writes what is in `out`. If the socket takes no more, the session is told and goes on.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() && !self.unflushed {
            return match self.io {
                Some(_) => Poll::Ready(Ok(())),
                None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
        }
        let out = std::mem::take(&mut self.out);
        let mut taken = self.written;
        let result = self.poll_write_all(&out, &mut taken, cx);
        if taken < out.len() {
            self.out = out;
            self.written = taken;
            return result;
        }
        // A connection that is idle keeps no buffer.
        self.written = 0;
        result
    }

    /// Writes the bytes from `taken` on, counting there, and flushes.
    fn poll_write_all(
        &mut self,
        bytes: &[u8],
        taken: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let mut io = Pin::new(io);
        let begun = *taken;
        let result = loop {
            if *taken == bytes.len() {
                break io.as_mut().poll_flush(cx);
            }
            match io.as_mut().poll_write(cx, &bytes[*taken..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => *taken += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.unflushed = result.is_pending();
        // A flush of nothing is no sign that the socket takes something again.
        if *taken > begun && self.stalled_since.take().is_some() {
            self.moved_at = Some(Instant::now());
        }
        if result.is_pending() && self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
            self.stall_untold = true;
            self.wake();
        }
        result
    }

    /// What the socket has not taken yet.
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.out[self.written..]
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

/// What a writer makes of a write: one that is not done is the session's, which was woken.
fn settled(written: Poll<io::Result<()>>) -> io::Result<()> {
    match written {
        Poll::Ready(result) => result,
        Poll::Pending => Ok(()),
    }
}
