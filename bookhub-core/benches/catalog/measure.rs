//! Times and memory, and how they are written down.

use std::{
    fs,
    time::{Duration, Instant},
};

/// How long many runs of the same thing took.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Runs something so many times, each with its number; the first tenth is to warm up.
    pub(crate) fn of(runs: usize, mut run: impl FnMut(usize)) -> Self {
        let warm_up = runs / 10;
        let mut times = Vec::with_capacity(runs);
        for number in 0..warm_up + runs {
            let start = Instant::now();
            run(number);
            if number >= warm_up {
                times.push(start.elapsed());
            }
        }
        times.sort_unstable();
        Self(times)
    }

    fn percentile(&self, hundredths: usize) -> Duration {
        self.0[(self.0.len() * hundredths / 100).min(self.0.len() - 1)]
    }

    /// The middle one, and the one that 1 in 100 exceeds.
    pub(crate) fn cell(&self) -> String {
        format!("{} / {}", short(self.percentile(50)), short(self.percentile(99)))
    }
}

fn short(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        0.0..100.0 => format!("{micros:.1} µs"),
        100.0..1000.0 => format!("{micros:.0} µs"),
        _ => format!("{:.2} ms", micros / 1e3),
    }
}

/// The memory that this process holds, in bytes.
pub(crate) fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
