//! The writers: each goes over its sockets when something was published, copies the new entries
//! once, and writes them to every socket that stands where they begin.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::Notify,
    task::{self, JoinHandle},
};

use crate::{hub::Shared, lane::Lane, log::Batch};

/// How many bytes of the log a writer copies at a time.
const BATCH: usize = 64 * 1024;

/// After how many sockets a writer lets other tasks run.
const TURN: usize = 64;

/// All writers of a hub.
pub(crate) struct FanOut {
    writers: Vec<Arc<Writer>>,
    next: AtomicUsize,
    tasks: OnceLock<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Writer {
    woken: Notify,
    joining: Mutex<Vec<Arc<Lane>>>,
    /// Connections of this writer that have ended since it last looked.
    gone: AtomicUsize,
}

/// A connection's membership: it leaves when this is dropped.
pub(crate) struct Member(Arc<Writer>);

impl FanOut {
    pub(crate) fn new(writers: usize) -> Self {
        Self {
            writers: (0..writers.max(1)).map(|_| Arc::default()).collect(),
            next: AtomicUsize::new(0),
            tasks: OnceLock::new(),
        }
    }

    /// Gives the connection to a writer.
    pub(crate) fn join(&self, shared: &Arc<Shared>, lane: Arc<Lane>) -> Member {
        self.tasks.get_or_init(|| {
            let start = |writer: &Arc<Writer>| {
                let batch = Batch::at_end_of(&shared.log());
                let run = Arc::clone(writer).run(Arc::downgrade(shared), batch);
                // A writer's turns are bounded by TURN, not by tokio's budget: that would let
                // writes fail for sockets that are ready.
                tokio::spawn(task::coop::unconstrained(run))
            };
            self.writers.iter().map(start).collect()
        });
        let writer = &self.writers[self.next.fetch_add(1, Ordering::Relaxed) % self.writers.len()];
        writer.joining.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        writer.woken.notify_one();
        Member(Arc::clone(writer))
    }

    /// Tells the writers that the log has grown.
    pub(crate) fn wake(&self) {
        self.writers.iter().for_each(|writer| writer.woken.notify_one());
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        self.tasks.get().into_iter().flatten().for_each(JoinHandle::abort);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::Relaxed);
        self.0.woken.notify_one();
    }
}

impl Writer {
    async fn run(self: Arc<Self>, shared: Weak<Shared>, mut batch: Batch) {
        let mut lanes: Vec<Arc<Lane>> = Vec::new();
        // Every connection that keeps up has been offered the entries before this one.
        let mut offered = batch.to;
        loop {
            self.woken.notified().await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            loop {
                self.take_in(&mut lanes, &shared);
                shared.log().batch_from(offered, &mut batch, BATCH);
                // An empty one that begins elsewhere tells of entries that are lost.
                if batch.is_empty() && batch.from == offered {
                    break;
                }
                offered = batch.to;
                let delivered = write_to_all(&mut lanes, &mut batch, &shared).await;
                shared.meters.deliveries.increment(delivered);
            }
            self.forget_the_gone(&mut lanes);
        }
    }

    /// Takes in who has joined. What was published between its session's last look and now was
    /// written to the others already and will not be offered again, so the session looks once more.
    fn take_in(&self, lanes: &mut Vec<Arc<Lane>>, shared: &Shared) {
        let mut joining =
            std::mem::take(&mut *self.joining.lock().unwrap_or_else(PoisonError::into_inner));
        joining.iter().for_each(|lane| lane.catch_up(shared));
        lanes.append(&mut joining);
    }

    fn forget_the_gone(&self, lanes: &mut Vec<Arc<Lane>>) {
        let gone = self.gone.load(Ordering::Relaxed);
        if gone > 0 && gone * 8 >= lanes.len() {
            self.gone.fetch_sub(gone, Ordering::Relaxed);
            lanes.retain(|lane| !lane.is_gone());
            if lanes.capacity() > 4 * (lanes.len() + 16) {
                lanes.shrink_to(2 * lanes.len());
            }
        }
    }
}

/// Offers the batch to each connection, and counts the frames that were written or begun. What is
/// published meanwhile goes to those that come later at once, and to the others the next time: nobody
/// waits for more than one round.
async fn write_to_all(lanes: &mut Vec<Arc<Lane>>, batch: &mut Batch, shared: &Shared) -> u64 {
    let mut delivered = 0;
    let mut index = 0;
    let mut turn = 0;
    while index < lanes.len() {
        match lanes[index].offer(batch) {
            Some(frames) => {
                delivered += frames;
                index += 1;
            }
            None => drop(lanes.swap_remove(index)),
        }
        turn += 1;
        if turn % TURN == 0 {
            task::yield_now().await;
            shared.log().extend(batch, BATCH);
        }
    }
    delivered
}
