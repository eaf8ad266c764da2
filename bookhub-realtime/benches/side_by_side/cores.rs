//! The cores of the machine, and the time that a process spends on them.

use std::{ffi::OsStr, fmt, fs, io, num::ParseIntError, path::Path, process, str::FromStr, thread};

use rustix::thread::{CpuSet, sched_setaffinity};

/// A core of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Core(pub(crate) usize);

impl Core {
    pub(crate) const SERVER: Self = Self(0);
    pub(crate) const LOAD: Self = Self(1);
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Core {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Whether servers and clients can have a core each.
pub(crate) fn two_cores() -> bool {
    // Asked before this process is pinned, and by the machine's files after that.
    Path::new("/sys/devices/system/cpu/cpu1").exists()
}

/// Keeps this process, with the threads that it will start, on a core.
pub(crate) fn pin(core: Option<Core>) {
    if let Some(Core(core)) = core.filter(|_| two_cores()) {
        let mut set = CpuSet::new();
        set.set(core);
        if let Err(error) = sched_setaffinity(None, &set) {
            eprintln!("not pinned to core {core}: {error}");
        }
    }
}

/// Lets this process run on every core again, for the children that it will start.
pub(crate) fn unpin() -> io::Result<()> {
    let mut set = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// What a process has had of the processors, in nanoseconds, all its threads together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) running: u64,
    /// Ready to run, while something else did.
    pub(crate) waiting: u64,
}

impl Times {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        Self::of_threads(pid, |_| true)
    }

    /// Of this process, without its main thread.
    pub(crate) fn of_others() -> io::Result<Self> {
        let main = process::id();
        Self::of_threads(main, |thread| *thread != *main.to_string())
    }

    fn of_threads(pid: u32, counts: impl Fn(&OsStr) -> bool) -> io::Result<Self> {
        let mut all = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?;
            if !counts(&task.file_name()) {
                continue;
            }
            // A thread may end meanwhile.
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let mut times = times.split(' ').map(|time| time.parse::<u64>().unwrap_or(0));
            all.running += times.next().unwrap_or(0);
            all.waiting += times.next().unwrap_or(0);
        }
        Ok(all)
    }

    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self { running: self.running - earlier.running, waiting: self.waiting - earlier.waiting }
    }
}

/// Waits for what the machine does by itself after a change.
pub(crate) fn settle() {
    thread::sleep(std::time::Duration::from_millis(500));
}
