//! What the operating system knows of a process, and the clock that processes share.

use std::{fs, io};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Nanoseconds on a clock that is the same in all processes.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The memory that a process holds, in bytes.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.unwrap_or(0) * rustix::param::page_size() as u64)
}

/// Why so many clients do not fit into one process, if they do not. Raises the limit if it can.
pub(crate) fn too_many(clients: usize) -> Option<String> {
    let needed = clients as u64 + 200;
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.map_or(needed, |maximum| maximum.max(needed));
    if limit.current.is_none_or(|current| current >= needed) {
        return None;
    }
    let raised = Rlimit { current: Some(needed), maximum: Some(maximum) };
    let result = setrlimit(Resource::Nofile, raised);
    result.err().map(|error| format!("{needed} descriptors are not to be had ({error})"))
}
