//! Where the tasks of a hub meet: the locks, counters and wake-ups of the log, the writers and the
//! lanes, and how writers run. They are std's and tokio's, or those of a model in which loom tries
//! every order in which two tasks can meet. Knows nothing of what they protect.

#[cfg(bookhub_loom)]
mod model;
#[cfg(not(bookhub_loom))]
mod real;

#[cfg(not(bookhub_loom))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};

#[cfg(not(bookhub_loom))]
pub(crate) use tokio::sync::Notify;

#[cfg(not(bookhub_loom))]
pub(crate) use self::real::spawn_apart;

#[cfg(bookhub_loom)]
pub(crate) use loom::{
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};

#[cfg(bookhub_loom)]
pub(crate) use self::model::{Notify, spawn_apart};

#[cfg(all(test, bookhub_loom))]
pub(crate) use self::model::{block_on, end_apart, spawn};
