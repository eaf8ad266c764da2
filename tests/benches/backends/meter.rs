//! The processor time that a process takes, user and system together.

use std::{collections::HashMap, fs, io, time::Duration};

/// What each thread of a process had taken at one moment, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Meter {
    process: u32,
    threads: HashMap<String, u64>,
}

impl Meter {
    pub(crate) fn start(process: u32) -> io::Result<Self> {
        Ok(Self { process, threads: threads(process)? })
    }

    /// What the process has taken since.
    pub(crate) fn taken(&self) -> io::Result<Duration> {
        let now = threads(self.process)?;
        let taken = now.iter().map(|(thread, time)| {
            time.saturating_sub(self.threads.get(thread).copied().unwrap_or(0))
        });
        Ok(Duration::from_nanos(taken.sum()))
    }
}

fn threads(process: u32) -> io::Result<HashMap<String, u64>> {
    let mut threads = HashMap::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        // A thread may end while it is looked at.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        threads.insert(task.file_name().to_string_lossy().into_owned(), time.unwrap_or(0));
    }
    Ok(threads)
}
