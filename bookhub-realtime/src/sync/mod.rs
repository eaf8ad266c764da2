//! Where the tasks of a hub meet: the locks, counters and wake-ups of the log, the writers and the
//! lanes. They are std's and tokio's, or those of a model in which loom tries every order in which
//! two tasks can meet. Knows nothing of what they protect.

#[cfg(bookhub_loom)]
mod model;

#[cfg(not(bookhub_loom))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};

#[cfg(not(bookhub_loom))]
pub(crate) use tokio::{spawn, sync::Notify, task::JoinHandle};

#[cfg(bookhub_loom)]
pub(crate) use loom::{
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};

#[cfg(bookhub_loom)]
pub(crate) use self::model::{JoinHandle, Notify, spawn};

#[cfg(all(test, bookhub_loom))]
pub(crate) use self::model::block_on;
