//! How the hub runs what works for long.

use std::{sync::mpsc, thread};

use tokio::runtime::Handle;

/// Runs a future apart from the tasks of this runtime: on a thread of its own, which waits for no
/// task and which no scheduler of tasks moves from core to core.
///
/// On a runtime with one worker it is a task. A second thread would have no core of its own there,
/// only the publisher's time; and the clock of such a runtime may be paused, which has to know when
/// there is nothing left to do.
pub(crate) fn spawn_apart(name: String, future: impl Future<Output = ()> + Send + 'static) {
    let runtime = Handle::current();
    if runtime.metrics().num_workers() == 1 {
        runtime.spawn(future);
        return;
    }
    let (give, take) = mpsc::channel();
    let run = {
        let runtime = runtime.clone();
        move || take.recv().into_iter().for_each(|future| runtime.block_on(future))
    };
    match thread::Builder::new().name(name).spawn(run) {
        Ok(_) => drop(give.send(future)),
        Err(error) => {
            tracing::warn!(%error, "A writer has no thread of its own: it is a task");
            runtime.spawn(future);
        }
    }
}
