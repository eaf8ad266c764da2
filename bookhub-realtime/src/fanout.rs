//! The writers: each copies what was published once, and writes it to every connection of its own
//! that follows its topic and keeps up.
//!
//! A connection's session sends what its client lacks. When it has come to the end of the log it
//! hands the connection to its writer, and from then on nobody looks at it until there is an event
//! for it. A socket that does not take everything goes back to the session, which alone waits for it.

use std::sync::{Arc, OnceLock, PoisonError, Weak};

use indexmap::IndexMap;
use tokio::task;

use crate::{
    hub::Shared,
    index::{Index, give_back},
    lane::{Admission, Lane},
    log::Batch,
    sync::{
        self, JoinHandle, Mutex, Notify,
        atomic::{AtomicU64, AtomicUsize, Ordering},
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
    tasks: OnceLock<Vec<JoinHandle<()>>>,
}

/// What a writer and its connections know of each other.
#[derive(Default)]
pub(crate) struct Writer {
    woken: Notify,
    changes: Mutex<Vec<Change>>,
    /// Each connection in its hands has been sent what it wants of the entries before this one.
    done: AtomicU64,
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
            tasks: OnceLock::new(),
        }
    }

    /// The writer of one more connection.
    pub(crate) fn assign(&self) -> Arc<Writer> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.writers[next % self.writers.len()])
    }

    /// Has the writers work, from the first connection on.
    pub(crate) fn start(&self, shared: &Arc<Shared>) {
        self.tasks.get_or_init(|| {
            let start = |writer: &Arc<Writer>| {
                let batch = Batch::at_end_of(&shared.log());
                writer.done.store(batch.to, Ordering::Release);
                let run = Arc::clone(writer).run(Arc::downgrade(shared), batch);
                // A writer's turns are bounded by TURN, not by tokio's budget: that would let
                // writes fail for sockets that are ready.
                sync::spawn(task::coop::unconstrained(run))
            };
            self.writers.iter().map(start).collect()
        });
    }

    /// Tells the writers that the log has grown.
    pub(crate) fn wake(&self) {
        self.writers.iter().for_each(|writer| writer.woken.notify_one());
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        self.tasks.get().into_iter().flatten().for_each(JoinHandle::abort);
        // A connection knows its writer: what a writer will not take up any more would stay for ever.
        self.writers.iter().for_each(|writer| drop(writer.take_changes()));
    }
}

impl Writer {
    pub(crate) fn ask(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        self.woken.notify_one();
    }

    /// Up to where each connection in its hands has been sent what it wants.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(self: Arc<Self>, shared: Weak<Shared>, mut batch: Batch) {
        let mut audience = Audience::default();
        loop {
            self.woken.notified().await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            loop {
                let done = self.done();
                shared.log().batch_from(done, &mut batch, BATCH);
                if batch.from != done {
                    audience.release_all();
                    self.done.store(batch.from, Ordering::Release);
                }
                // After the batch is made: who has been sent everything by now lacks nothing that
                // comes before it.
                audience.take_up(self.take_changes(), batch.from).await;
                if batch.is_empty() {
                    break;
                }
                let to = batch.to;
                let delivered = audience.offer(&mut batch, &shared).await;
                shared.meters.deliveries.increment(delivered);
                self.done.store(to, Ordering::Release);
                audience.remind(to - batch.from, &shared).await;
            }
        }
    }
}

/// The connections in a writer's hands.
#[derive(Default)]
struct Audience {
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
    /// Makes the changes; `from` is the next entry to be offered.
    async fn take_up(&mut self, changes: Vec<Change>, from: u64) {
        self.turn.count().await;
        for change in changes {
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
}
