//! One connection's place in the log: a cursor and a filter, in front of its socket.
//!
//! A lane is in the hands of one at a time. Its session sends what the client lacks, up to the end of
//! the log; then its writer offers it what is published. A socket that does not take everything, and
//! a topic more, put it back into the hands of its session.

mod outlet;
mod pump;

use std::{
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::time::Instant;

pub(crate) use self::outlet::Io;
use self::outlet::Outlet;

use crate::{
    auth::Identity,
    fanout::{Change, Writer},
    hub::{ConnectionView, Shared},
    log::{Batch, FellOff, Log},
    metrics,
    position::EventId,
    protocol::{CloseCode, Control},
    service::Transport,
    sync::{Mutex, MutexGuard},
    topic::{Filter, TopicPattern},
};

/// How many bytes of answers may wait for a socket before nothing more is read from it.
const MAX_UNANSWERED: usize = 128 * 1024;

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
    /// There is room for answers again.
    Relieved,
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

/// In whose hands a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    /// In its session's, which sends what there is from the cursor on.
    Session,
    /// Still in its session's, which has come to the end of the log and has asked the writer to
    /// take it over.
    Between,
    /// In its writer's: it lacks nothing of what the writer has done with, whatever the cursor.
    Writer,
}

/// What a writer answers to a session that hands a lane over.
pub(crate) enum Admission<'a> {
    Granted(MutexGuard<'a, State>),
    /// It has to send more first, or is no longer to be handed over.
    Refused,
}

/// What became of an offer.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// How many frames were written or begun.
    pub(crate) frames: u64,
    /// Whether the lane is still in the writer's hands.
    pub(crate) keeps_up: bool,
}

/// First what a writer looks at for each event, side by side, then the rest.
#[repr(C)]
pub(crate) struct State {
    hands: Hands,
    transport: Transport,
    /// Whether it follows the log: not before its welcome, not after its end.
    live: bool,
    closing: bool,
    shut_down: bool,
    /// Whether an answer waits for the socket to take those before it.
    owes: bool,
    /// The sequence number of the entry to read next.
    cursor: u64,
    /// Up to where the client knows that it has seen everything.
    told: u64,
    outlet: Outlet,
    waker: Option<Waker>,
    pub(crate) filter: Filter,
    writer: Arc<Writer>,
    /// Whether its writer has ever been asked to take it over.
    is_known: bool,
    number: u64,
    since: Instant,
    pub(crate) identity: Identity,
    ending: Option<Ending>,
}

impl Lane {
    pub(crate) fn new(
        number: u64,
        io: Box<dyn Io>,
        transport: Transport,
        writer: Arc<Writer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            state: Mutex::new(State {
                number,
                outlet: Outlet::new(io),
                transport,
                since: Instant::now(),
                identity: Identity::guest(),
                filter: Filter::default(),
                writer,
                hands: Hands::Session,
                is_known: false,
                cursor: 0,
                told: 0,
                live: false,
                closing: false,
                shut_down: false,
                owes: false,
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

    /// Takes the lane from its session, if that has sent everything before the entry `from`.
    pub(crate) fn admit(&self, from: u64) -> Admission<'_> {
        let mut state = self.lock();
        if state.hands == Hands::Between {
            if state.cursor < from {
                state.hands = Hands::Session;
                state.wake();
            } else {
                state.hands = Hands::Writer;
            }
        }
        if state.hands == Hands::Writer { Admission::Granted(state) } else { Admission::Refused }
    }

    /// Gives the lane back to its session, which goes on where the writer has stopped.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        state.take_back();
        state.wake();
    }

    /// Writes what it wants of the batch. A socket that does not take all of it is its session's.
    pub(crate) fn offer(&self, batch: &Batch) -> Offered {
        let mut state = self.lock();
        if state.hands != Hands::Writer {
            return Offered::default();
        }
        state.cursor = state.cursor.max(batch.from);
        if state.cursor >= batch.to {
            return Offered { frames: 0, keeps_up: true };
        }
        // Lent, not cloned: most sockets take all, and nobody is woken.
        let waker = state.waker.take();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let (frames, written) = state.write_batch(batch, &mut cx);
        state.waker = waker;
        state.settle(&written);
        Offered { frames: frames as u64, keeps_up: state.hands == Hands::Writer }
    }

    /// Tells the client where it is, if much has passed it by since it was told last. Says whether
    /// the lane is still in the writer's hands.
    pub(crate) fn remind(&self, shared: &Shared) -> bool {
        let mut state = self.lock();
        if state.hands != Hands::Writer {
            return false;
        }
        let log = shared.log();
        if state.place() - state.told > log.quarter() / 2 {
            let position = state.position(&log);
            drop(log);
            state.told = state.cursor;
            state.say(&Control::Ping { position });
            let waker = state.waker.take();
            let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
            let written = state.poll_drain(&mut cx);
            state.waker = waker;
            state.settle(&written);
        }
        state.hands == Hands::Writer
    }

    /// Leaves the writer and drops the socket.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.hang_up();
        let topics = state.filter.clear();
        if state.is_known {
            state.writer.ask(Change::Leave(self.number, topics));
        }
    }

    /// What the session has to act on next. Meanwhile writes what is to be written.
    pub(crate) fn poll_signal(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        cx: &mut Context<'_>,
    ) -> Poll<Signal> {
        if let Poll::Ready(signal) = self.poll_written(shared, cx) {
            return Poll::Ready(signal);
        }
        let mut state = self.lock();
        if state.unanswered() > MAX_UNANSWERED {
            // Who does not take the answers is not asked for more questions.
            return Poll::Pending;
        }
        state.outlet.poll_read(cx).map(|bytes| match bytes.is_empty() {
            true => Signal::Gone,
            false => Signal::Received(bytes),
        })
    }

    /// The same, without reading.
    pub(crate) fn poll_written(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        cx: &mut Context<'_>,
    ) -> Poll<Signal> {
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
            Poll::Ready(Ok(())) if state.live && state.hands == Hands::Session => {
                state.hands = Hands::Between;
                state.is_known = true;
                state.writer.ask(Change::Join(Arc::clone(self)));
                if !state.writer.works() {
                    // Not under the lock: on a runtime that ends now, the writer ends at once and
                    // gives the lane back.
                    drop(state);
                    shared.fanout.start(shared);
                    state = self.lock();
                }
            }
            _ => {}
        }
        if state.outlet.has_stalled() {
            return Poll::Ready(Signal::Stalled);
        }
        if state.owes && state.unanswered() <= MAX_UNANSWERED {
            state.owes = false;
            return Poll::Ready(Signal::Relieved);
        }
        Poll::Pending
    }
}

impl State {
    /// Begins to follow the log at `cursor`.
    pub(crate) const fn go_live(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.told = cursor;
        self.live = true;
    }

    /// Follows a topic more, from the entry `from` on.
    pub(crate) fn follow(&mut self, topic: TopicPattern, from: u64) {
        self.take_back();
        self.filter.add(topic, from);
    }

    /// Follows these topics no longer.
    pub(crate) fn unfollow(&mut self, mut topics: Vec<TopicPattern>) {
        topics.retain(|topic| self.filter.remove(topic));
        if !topics.is_empty() {
            self.take_back();
            self.writer.ask(Change::Leave(self.number, topics));
        }
    }

    /// The sequence number of the first entry that may be wanted and has not been sent.
    fn place(&self) -> u64 {
        match self.hands {
            Hands::Writer => self.cursor.max(self.writer.done()),
            Hands::Session | Hands::Between => self.cursor,
        }
    }

    /// Puts the lane into the hands of its session.
    fn take_back(&mut self) {
        self.cursor = self.place();
        self.hands = Hands::Session;
    }

    /// Whether the client takes its answers, so that there may be one more. If not, it is signalled
    /// when there may be.
    pub(crate) fn may_answer(&mut self) -> bool {
        self.owes = self.unanswered() > MAX_UNANSWERED;
        !self.owes
    }

    fn unanswered(&self) -> usize {
        self.outlet.unwritten().len()
    }

    /// Puts a control event behind what was sent so far. The session's next poll writes it.
    pub(crate) fn say(&mut self, control: &Control<'_>) {
        self.transport.put_control(self.outlet.end(), control);
    }

    /// Puts ready frames behind what was sent so far.
    pub(crate) fn put(&mut self, frames: &[u8]) {
        self.outlet.end().extend_from_slice(frames);
    }

    /// A heartbeat, with the position.
    pub(crate) fn beat(&mut self, log: &Log) {
        let position = self.position(log);
        self.transport.put_beat(self.outlet.end(), position);
        self.told = self.cursor;
    }

    /// Up to where everything visible to this connection has been sent, or stands in `out`.
    /// Who has missed something is told that first.
    pub(crate) fn position(&mut self, log: &Log) -> EventId {
        self.cursor = self.place();
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
            self.transport.put_control(self.outlet.end(), &words.control());
        }
        self.transport.put_close(self.outlet.end(), ending.code.into(), ending.reason);
        self.finish();
    }

    /// Follows the log no longer; what is in `out` is the last.
    pub(crate) fn finish(&mut self) {
        self.take_back();
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
            lag: if self.live { log.next_seq().saturating_sub(self.place()) } else { 0 },
            stalled: self.outlet.stalled_since().map(|since| since.elapsed()),
            age: self.since.elapsed(),
        }
    }

    pub(crate) const fn stalled_since(&self) -> Option<Instant> {
        self.outlet.stalled_since()
    }

    pub(crate) const fn moved_at(&self) -> Option<Instant> {
        self.outlet.moved_at()
    }

    /// Everything is written: says so to the peer's socket, and goes on reading.
    pub(crate) fn shut_down(&mut self) {
        if let Some(waker) = &self.waker {
            self.outlet.shut_down(&mut Context::from_waker(waker));
        }
        self.shut_down = true;
    }

    /// Drops the socket.
    pub(crate) fn hang_up(&mut self) {
        self.take_back();
        self.live = false;
        self.closing = true;
        self.outlet.hang_up();
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// What the socket has not taken yet.
    pub(crate) fn unwritten(&self) -> &[u8] {
        self.outlet.unwritten()
    }

    #[cfg(test)]
    pub(crate) fn held(&mut self) -> usize {
        self.outlet.end().capacity()
    }
}
