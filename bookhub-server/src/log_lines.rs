//! The lines of the log on their way to standard error, several with one write: a write costs as much
//! as all the rest of a line. A line waits a moment for others; a warning or an error does not, nor
//! does what stands before it. Must not know what the lines say.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// For how long a line waits for others.
const WAIT: Duration = Duration::from_millis(50);

/// With so many bytes nothing waits any more.
const ENOUGH: usize = 64 << 10;

/// Where lines wait, for [`tracing_subscriber`]. The thread that writes them ends with it.
#[derive(Debug)]
pub(crate) struct LogLines {
    waiting: Arc<Waiting>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Waiting {
    lines: Mutex<Lines>,
    /// The first line has come, or the end.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    is_end: bool,
}

impl LogLines {
    pub(crate) fn start() -> io::Result<Self> {
        let waiting = Arc::new(Waiting { lines: Mutex::default(), changed: Condvar::new() });
        let theirs = Arc::clone(&waiting);
        let writer = thread::Builder::new().name("log".to_owned()).spawn(move || theirs.write())?;
        Ok(Self { waiting, writer: Some(writer) })
    }

    /// What makes the places where lines are written to.
    pub(crate) fn maker(&self) -> LineMaker {
        LineMaker(Arc::clone(&self.waiting))
    }
}

impl Drop for LogLines {
    /// Nothing waits any more, and what has waited is written.
    fn drop(&mut self) {
        self.waiting.lock().is_end = true;
        self.waiting.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits, until the end.
    fn write(&self) {
        let mut lines = self.lock();
        while !lines.is_end {
            let idle = |lines: &mut Lines| lines.bytes.is_empty() && !lines.is_end;
            lines = self.changed.wait_while(lines, idle).unwrap_or_else(PoisonError::into_inner);
            let more = |lines: &mut Lines| !lines.is_end;
            let waited = self.changed.wait_timeout_while(lines, WAIT, more);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
            lines.write();
        }
    }
}

impl Lines {
    fn write(&mut self) {
        // There is nobody to tell that nobody reads the log.
        let _ = io::stderr().write_all(&self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(ENOUGH);
    }
}

/// Makes a [`Line`] for each event.
#[derive(Debug)]
pub(crate) struct LineMaker(Arc<Waiting>);

/// Where one event is written to.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    waiting: &'a Waiting,
    is_urgent: bool,
}

impl<'a> MakeWriter<'a> for LineMaker {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { waiting: &self.0, is_urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { waiting: &self.0, is_urgent: *event.level() <= Level::WARN }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.waiting.lock();
        let is_first = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        if self.is_urgent || lines.is_end || lines.bytes.len() >= ENOUGH {
            lines.write();
        } else if is_first {
            self.waiting.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
