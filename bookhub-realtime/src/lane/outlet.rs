//! The sending side of a connection: its socket, what the socket has not taken yet, and since when it
//! takes nothing. Knows neither the log nor whose hands the connection is in.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// What a session reads and writes.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) struct Outlet {
    io: Option<Box<dyn Io>>,
    /// What goes before everything else, from `written` on.
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
    stall_untold: bool,
    stalled_since: Option<Instant>,
    /// When a socket that had stalled last took something.
    moved_at: Option<Instant>,
}

impl Outlet {
    pub(super) const fn new(io: Box<dyn Io>) -> Self {
        Self {
            io: Some(io),
            out: Vec::new(),
            written: 0,
            unflushed: false,
            stall_untold: false,
            stalled_since: None,
            moved_at: None,
        }
    }

    /// Where to put what goes behind what was put before.
    pub(super) const fn end(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// What the socket has not taken yet.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.out[self.written..]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) const fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    pub(super) const fn moved_at(&self) -> Option<Instant> {
        self.moved_at
    }

    /// Whether the socket has begun to take nothing since this was asked last.
    pub(super) const fn has_stalled(&mut self) -> bool {
        std::mem::replace(&mut self.stall_untold, false)
    }

    /// Notes that the socket has taken all there is.
    pub(super) const fn note_done(&mut self) {
        self.stalled_since = None;
    }

    /// Writes what was put.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() && !self.unflushed {
            return match self.io {
                Some(_) => Poll::Ready(Ok(())),
                None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
        }
        let mut out = std::mem::take(&mut self.out);
        let mut taken = self.written;
        let result = self.poll_write(&out, &mut taken, cx);
        if taken < out.len() {
            if taken > out.len() / 2 {
                // A client that is always a little behind would let it grow for ever.
                out.drain(..std::mem::take(&mut taken));
            }
            self.out = out;
            self.written = taken;
            return result;
        }
        // A connection that is idle keeps no buffer.
        self.written = 0;
        result
    }

    /// Writes the bytes from `taken` on, counting there, and flushes. Nothing that was put may wait.
    pub(super) fn poll_write(
        &mut self,
        bytes: &[u8],
        taken: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let begun = *taken;
        // The stream is the embedding program's. One that panics is not used again, and takes no
        // writer with it.
        let write = AssertUnwindSafe(|| write_all(Pin::new(io), bytes, taken, cx));
        let result = catch_unwind(write).unwrap_or_else(|_| {
            self.io = None;
            Poll::Ready(Err(io::Error::other("the stream has panicked")))
        });
        self.unflushed = result.is_pending();
        // A flush of nothing is no sign that the socket takes something again.
        if *taken > begun && self.stalled_since.take().is_some() {
            self.moved_at = Some(Instant::now());
        }
        if result.is_pending() && self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
            self.stall_untold = true;
        }
        result
    }

    /// What the peer has sent; nothing once it is gone.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(Vec::new());
        };
        let mut space = [0; 2048];
        let mut buf = ReadBuf::new(&mut space);
        Poll::Ready(match ready!(Pin::new(io).poll_read(cx, &mut buf)) {
            Ok(()) => buf.filled().to_vec(),
            Err(_) => Vec::new(),
        })
    }

    /// Says to the peer's socket that nothing more comes.
    pub(super) fn shut_down(&mut self, cx: &mut Context<'_>) {
        if let Some(io) = &mut self.io {
            let _ = Pin::new(io).poll_shutdown(cx);
        }
    }

    /// Drops the socket.
    pub(super) fn hang_up(&mut self) {
        self.io = None;
        self.out = Vec::new();
        self.written = 0;
    }
}

fn write_all(
    mut io: Pin<&mut Box<dyn Io>>,
    bytes: &[u8],
    taken: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while *taken < bytes.len() {
        match ready!(io.as_mut().poll_write(cx, &bytes[*taken..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => *taken += count,
        }
    }
    io.poll_flush(cx)
}
