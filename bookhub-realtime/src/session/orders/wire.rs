//! A socket of the model. What it has taken, its other end has heard at once.

use std::{
    io,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sync::{Mutex, MutexGuard};

/// The hub's end.
pub(super) struct Socket(pub(super) Arc<Wire>);

/// What both ends see.
pub(super) struct Wire(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    /// What the client has said, until it is read.
    pub(super) said: Vec<u8>,
    /// What the client has heard so far.
    pub(super) heard: Vec<u8>,
    /// How many bytes more the socket takes.
    pub(super) room: usize,
    /// How often it has taken nothing.
    pub(super) refusals: usize,
    /// The client is gone.
    pub(super) hung_up: bool,
    /// The hub has let go of its end.
    pub(super) dropped: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) client: Option<Waker>,
}

impl Wire {
    pub(super) fn new(state: State) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something that the client may wait for.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let client = state.client.take();
        drop(state);
        client.into_iter().for_each(Waker::wake);
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        self.0.change(|state| {
            taken = bytes.len().min(state.room);
            state.room -= taken;
            state.heard.extend_from_slice(&bytes[..taken]);
            if taken == 0 {
                state.refusals += 1;
                state.writer = Some(cx.waker().clone());
            }
        });
        if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.said.is_empty() && !state.hung_up {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&std::mem::take(&mut state.said));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.change(|state| state.dropped = true);
    }
}
