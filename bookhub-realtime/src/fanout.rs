//! The writers: each copies what was published once, and writes it to every connection of its own
//! that follows its topic and keeps up.
//!
//! A connection's session sends what its client lacks. When it has come to the end of the log it
//! hands the connection to its writer, and from then on nobody looks at it until there is an event
//! for it. A socket that does not take everything goes back to the session, which alone waits for it.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, Weak},
};

use indexmap::IndexMap;
use tokio::task;

use crate::{
    hub::Shared,
    index::{Index, give_back},
    lane::{Admission, Lane},
    log::Batch,
    sync::{
        self, Mutex, MutexGuard, Notify,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    topic::TopicPattern,
};

/// How many bytes of the log a writer copies at a time.
const BATCH: usize = 256 * 1024;

/// After how many sockets, rounds and changes a writer lets other tasks run. In the loom model, where
/// there are few, that is after each.
const TURN: usize = if cfg!(bookhub_loom) { 1 } else { 64 };

/// All writers of a hub.
pub(crate) struct FanOut {
    writers: Vec<Arc<Writer>>,
    next: AtomicUsize,
}

/// What a writer and its connections know of each other.
#[derive(Default)]
pub(crate) struct Writer {
    woken: Notify,
    changes: Mutex<Vec<Change>>,
    /// Each connection in its hands has been sent what it wants of the entries before this one.
    done: AtomicU64,
    /// Whether it has been started and has not ended.
    works: AtomicBool,
}

/// What a session asks of its connection's writer.
pub(crate) enum Change {
    /// To take over a connection that has been sent everything.
    Join(Arc<Lane>),
    /// To offer a connection, by its number, no more of these.
    Leave(u64, Vec<TopicPattern>),
}

impl FanOut {
    pub(crate) fn new(writers: usize) -> Self {
        Self {
            writers: (0..writers.max(1)).map(|_| Arc::default()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The writer of one more connection.
    pub(crate) fn assign(&self) -> Arc<Writer> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.writers[next % self.writers.len()])
    }

    /// Has all writers work. A writer that is a task ends with its runtime, which may be before its
    /// hub does: it is started again by whoever needs it.
    pub(crate) fn start(&self, shared: &Arc<Shared>) {
        for (number, writer) in self.writers.iter().enumerate() {
            if writer.works() || writer.works.swap(true, Ordering::SeqCst) {
                continue;
            }
            // Nobody is in its hands yet, or any more.
            let batch = Batch::at_end_of(&shared.log());
            writer.done.store(batch.to, Ordering::Release);
            let serving = Audience::of(Arc::clone(writer)).serve(Arc::downgrade(shared), batch);
            // A writer's turns are bounded by TURN, not by tokio's budget: that would let
            // writes fail for sockets that are ready.
            sync::spawn_apart(format!("hub-writer-{number}"), task::coop::unconstrained(serving));
        }
    }

    /// Tells the writers that the log has grown.
    pub(crate) fn wake(&self) {
        self.writers.iter().for_each(|writer| writer.woken.notify_one());
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        // A connection knows its writer: what a writer will not take up any more would stay for ever.
        self.writers.iter().for_each(|writer| drop(writer.take_changes()));
        // They find that there is no hub.
        self.wake();
    }
}

impl Writer {
    pub(crate) fn ask(&self, change: Change) {
        self.lock_changes().push(change);
        self.woken.notify_one();
    }

    /// Whether it will do what it is asked. Known to whoever has asked it before.
    pub(crate) fn works(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    /// Up to where each connection in its hands has been sent what it wants.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.lock_changes())
    }

    fn lock_changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A writer at work, with the connections in its hands.
struct Audience {
    writer: Arc<Writer>,
    /// What it has been asked and has not done yet.
    asked: VecDeque<Change>,
    followers: Index<Arc<Lane>>,
    all: IndexMap<u64, Arc<Lane>>,
    /// The one in `all` to remind next, and what is left over from the last time.
    reminding: usize,
    remainder: u64,
    places: Vec<usize>,
    turn: Turn,
}

/// How much a writer has done since it let other tasks run.
#[derive(Default)]
struct Turn(usize);

impl Turn {
    /// Counts one thing more; says whether others have run meanwhile.
    async fn count(&mut self) -> bool {
        self.0 += 1;
        let over = self.0 >= TURN;
        if over {
            self.0 = 0;
            task::yield_now().await;
        }
        over
    }
}

impl Audience {
    fn of(writer: Arc<Writer>) -> Self {
        Self {
            writer,
            asked: VecDeque::new(),
            followers: Index::default(),
            all: IndexMap::new(),
            reminding: 0,
            remainder: 0,
            places: Vec::new(),
            turn: Turn::default(),
        }
    }

    /// Serves until there is no hub any more.
    async fn serve(mut self, shared: Weak<Shared>, mut batch: Batch) {
        loop {
            self.writer.woken.notified().await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            loop {
                let done = self.writer.done();
                shared.log().batch_from(done, &mut batch, BATCH);
                if batch.from != done {
                    self.release_all();
                    self.writer.done.store(batch.from, Ordering::Release);
                }
                // After the batch is made: who has been sent everything by now lacks nothing that
                // comes before it.
                self.asked.extend(self.writer.take_changes());
                self.take_up(batch.from).await;
                if batch.is_empty() {
                    break;
                }
                let to = batch.to;
                let delivered = self.offer(&mut batch, &shared).await;
                shared.meters.deliveries.increment(delivered);
                self.writer.done.store(to, Ordering::Release);
                self.remind(to - batch.from, &shared).await;
            }
        }
    }

    /// Does what it was asked; `from` is the next entry to be offered.
    async fn take_up(&mut self, from: u64) {
        self.turn.count().await;
        while let Some(change) = self.asked.pop_front() {
            match change {
                Change::Join(lane) => {
                    if let Admission::Granted(state) = lane.admit(from) {
                        for pattern in state.filter.patterns() {
                            self.followers.follow(pattern, lane.number(), Arc::clone(&lane));
                        }
                        self.all.insert(lane.number(), Arc::clone(&lane));
                    }
                }
                Change::Leave(number, patterns) => {
                    patterns.iter().for_each(|pattern| self.followers.unfollow(pattern, number));
                    self.all.swap_remove(&number);
                    give_back(&mut self.all);
                }
            }
            self.turn.count().await;
        }
    }

    /// Offers the batch to each connection that follows a topic in it, and counts the frames that
    /// were written or begun. What is published meanwhile goes to those that come later at once, and
    /// to the others the next time: nobody waits for more than one round.
    async fn offer(&mut self, batch: &mut Batch, shared: &Shared) -> u64 {
        let Self { followers, places, turn, .. } = self;
        places.clear();
        batch.topics().for_each(|topic| followers.find(topic, places));
        places.sort_unstable();
        places.dedup();
        let mut delivered = 0;
        for place in places {
            let Some(lanes) = followers.at(*place) else {
                continue;
            };
            let mut index = 0;
            while let Some((_, lane)) = lanes.get_index(index) {
                let offered = lane.offer(batch);
                delivered += offered.frames;
                if offered.keeps_up {
                    index += 1;
                } else {
                    lanes.swap_remove_index(index);
                }
                if turn.count().await {
                    shared.log().extend(batch, BATCH);
                }
            }
        }
        delivered
    }

    /// Tells connections for which nothing came where they are, each once in the time in which an
    /// eighth of the history passes: who is cut off then does not come back from a position that is
    /// gone.
    async fn remind(&mut self, passed: u64, shared: &Shared) {
        let eighth = shared.log().quarter() / 2;
        let due = self.remainder + passed * self.all.len() as u64;
        self.remainder = due % eighth.max(1);
        let count = usize::try_from(due / eighth.max(1)).unwrap_or(usize::MAX);
        for _ in 0..count.min(self.all.len()) {
            if self.reminding >= self.all.len() {
                self.reminding = 0;
            }
            let keeps_up =
                self.all.get_index(self.reminding).is_some_and(|(_, lane)| lane.remind(shared));
            if keeps_up {
                self.reminding += 1;
            } else {
                self.all.swap_remove_index(self.reminding);
            }
            self.turn.count().await;
        }
    }

    /// Gives everybody back to their sessions: the log has forgotten what they were to be offered.
    fn release_all(&mut self) {
        self.all.values().for_each(|lane| lane.release());
        self.all.clear();
        self.followers.clear();
    }

    /// Gives back those who have asked to be taken over.
    fn release_asking(&mut self) {
        let mut changes = self.writer.lock_changes();
        self.asked.extend(changes.extract_if(.., |change| matches!(change, Change::Join(_))));
        drop(changes);
        for change in self.asked.drain(..) {
            if let Change::Join(lane) = change {
                lane.release();
            }
        }
    }
}

/// Nobody stays in the hands of a writer that has ended: whoever is not gone with it goes on, and is
/// handed over to the next one.
impl Drop for Audience {
    fn drop(&mut self) {
        // Before it ends: who asks and is in its hands already lacks nothing up to where it is now,
        // and not up to where the next one begins.
        self.release_all();
        self.release_asking();
        self.writer.works.store(false, Ordering::SeqCst);
        // Those who have asked meanwhile, and have not started it since it worked.
        self.release_asking();
    }
}
