//! The tasks of the model: each has a thread of loom's, which sleeps until its waker is called. A
//! wake-up that is lost therefore ends in a deadlock, and that loom reports.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, PoisonError, Weak},
    task::{Context, Poll, Wake, Waker},
};

use loom::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

/// What a task may put on its stack, in words.
const STACK: usize = 64 * 1024;

/// Runs a future on a thread of its own.
#[cfg(test)]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    spawn_as(Arc::default(), future);
}

fn spawn_as(task: Arc<Task>, future: impl Future<Output = ()> + Send + 'static) {
    let run = move || task.run(future);
    thread::Builder::new().stack_size(STACK).spawn(run).expect("threads of the model always start");
}

std::thread_local! {
    /// The tasks that were begun apart. All threads of a model run on one of the system's.
    static APART: RefCell<Vec<Weak<Task>>> = RefCell::default();
}

/// The same, until [`end_apart`].
pub(crate) fn spawn_apart(_: String, future: impl Future<Output = ()> + Send + 'static) {
    let task = Arc::<Task>::default();
    APART.with_borrow_mut(|tasks| tasks.push(Arc::downgrade(&task)));
    let mut future = Box::pin(future);
    let until_ended = poll_fn({
        let task = Arc::clone(&task);
        move |cx| {
            let ended = lock(&task.state).ended;
            if ended { Poll::Ready(()) } else { future.as_mut().poll(cx) }
        }
    });
    spawn_as(task, until_ended);
}

/// Ends what was begun apart, as a runtime that ends does: it is dropped where it would go on.
#[cfg(test)]
pub(crate) fn end_apart() {
    let tasks = APART.take();
    for task in tasks.iter().filter_map(Weak::upgrade) {
        let mut state = lock(&task.state);
        state.ended = true;
        task.ring(state);
    }
}

/// Runs a future on this thread.
#[cfg(test)]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    Arc::<Task>::default().run(future)
}

#[derive(Default)]
struct Task {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    asleep: bool,
    ended: bool,
}

impl Task {
    fn run<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        let waker = Waker::from(Arc::clone(&self));
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            let mut state = lock(&self.state);
            while !state.woken {
                state.asleep = true;
                state = self.rung.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.woken = false;
            state.asleep = false;
        }
    }

    fn ring(&self, mut state: MutexGuard<'_, State>) {
        state.woken = true;
        if state.asleep {
            self.rung.notify_one();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring(lock(&self.state));
    }
}

/// As much of tokio's as the hub needs.
#[derive(Default)]
pub(crate) struct Notify {
    state: Mutex<Notices>,
}

#[derive(Default)]
struct Notices {
    /// Whether the next who waits need not.
    permit: bool,
    /// How often all who waited were woken.
    calls: u64,
    waiting: Vec<Waker>,
}

/// The wait for a notice that is given after this was made.
pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    calls: u64,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Wakes one: there is never more than one who waits for this.
    pub(crate) fn notify_one(&self) {
        self.notify(|notices| notices.permit = true);
    }

    pub(crate) fn notify_waiters(&self) {
        self.notify(|notices| notices.calls += 1);
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified { notify: self, calls: lock(&self.state).calls }
    }

    fn notify(&self, notice: impl FnOnce(&mut Notices)) {
        let mut notices = lock(&self.state);
        notice(&mut notices);
        let waiting = std::mem::take(&mut notices.waiting);
        drop(notices);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Notified<'_> {
    /// It waits from its making on, as tokio's does for those who are all woken.
    pub(crate) fn enable(self: Pin<&mut Self>) -> bool {
        false
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut notices = lock(&self.notify.state);
        if std::mem::take(&mut notices.permit) || notices.calls > self.calls {
            return Poll::Ready(());
        }
        notices.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
