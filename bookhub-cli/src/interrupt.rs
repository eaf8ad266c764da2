//! Ctrl-C: heard once, it asks; heard twice, it ends the program. Must not know what is asked to
//! end.

use std::{future::Future, process};

use tokio::{signal, sync::watch};

use crate::error::{Error, Exit, Result};

/// Whether somebody has pressed Ctrl-C.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (pressed, receiver) = watch::channel(false);
        tokio::spawn(async move {
            while signal::ctrl_c().await.is_ok() {
                if pressed.send_replace(true) {
                    process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
            // Without a handler Ctrl-C ends the program by itself: nobody is to be told.
            pressed.closed().await;
        });
        Self(receiver)
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    pub(crate) async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pressed| *pressed).await.is_err() {
            std::future::pending().await
        }
    }

    /// The outcome of `work`, unless Ctrl-C comes first.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            outcome = work => outcome,
            () = self.wait() => Err(Error::Interrupted),
        }
    }
}
