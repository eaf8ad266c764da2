//! The socket of a session whose client is answered by the body of an HTTP response: what the
//! session writes at one end, the body takes at the other. Bounded, so that a slow client is a slow
//! socket here too.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The session's end. Nothing is ever read from it but the end, once the client is gone.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Pipe>);

/// The body's end. Dropping it tells the session that the client is gone.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Pipe>);

#[derive(Debug)]
struct Pipe {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// The session says nothing more.
    finished: bool,
    /// The client is gone.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A pipe that holds about `capacity` bytes: a write finds it open until they are reached.
pub(crate) fn pipe(capacity: usize) -> (Writer, Reader) {
    let pipe = Arc::new(Pipe { capacity, state: Mutex::default() });
    (Writer(Arc::clone(&pipe)), Reader(pipe))
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn take(&mut self) -> Vec<u8> {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
        std::mem::take(&mut self.bytes)
    }
}

impl Writer {
    /// Puts bytes before all others, whatever the capacity.
    pub(crate) fn say_first(&self, bytes: &[u8]) {
        self.0.lock().bytes.extend_from_slice(bytes);
    }
}

impl Reader {
    /// What was written since the last time; `None` once all is taken and nothing more comes.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.0.lock();
        if !state.bytes.is_empty() {
            return Poll::Ready(Some(state.take().into()));
        }
        if state.finished {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What was written, perhaps nothing.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().take()
    }

    /// Returns once something was written.
    pub(crate) async fn filled(&self) {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if state.bytes.is_empty() && !state.finished {
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.bytes = Vec::new();
        if let Some(waker) = state.writer.take() {
            waker.wake();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.finished = true;
        state.wake_reader();
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.abandoned || state.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = self.0.capacity.saturating_sub(state.bytes.len());
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = room.min(bytes.len());
        state.bytes.extend_from_slice(&bytes[..taken]);
        state.wake_reader();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        state.finished = true;
        state.wake_reader();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Writer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.abandoned {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_full_pipe_takes_more_when_the_body_has_taken_what_it_held() {
        let (mut writer, reader) = pipe(4);
        let writing = tokio::spawn(async move {
            writer.write_all(b"sixteen letters!").await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut seen = Vec::new();
        while let Some(bytes) = poll_fn(|cx| reader.poll_take(cx)).await {
            assert!(bytes.len() <= 4);
            seen.extend_from_slice(&bytes);
        }
        assert_eq!(seen, b"sixteen letters!");
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_is_gone_ends_the_reading() {
        let (mut writer, reader) = pipe(4);
        drop(reader);
        assert_eq!(writer.read(&mut [0]).await.unwrap(), 0);
        assert!(writer.write(b"x").await.is_err());
    }
}
