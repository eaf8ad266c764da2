//! The tasks of the model: each has a thread of loom's, which sleeps until its waker is called. A
//! wake-up that is lost therefore ends in a deadlock, and that loom reports.

use std::{
    pin::{Pin, pin},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use loom::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

/// What a task may put on its stack, in words.
const STACK: usize = 64 * 1024;

/// Runs a future on a thread of its own.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    let run = move || Arc::<Task>::default().run(future);
    thread::Builder::new().stack_size(STACK).spawn(run).expect("threads of the model always start");
}

pub(crate) fn spawn_apart(_: String, future: impl Future<Output = ()> + Send + 'static) {
    spawn(future);
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
            *state = State::default();
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
