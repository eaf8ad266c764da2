//! How often somebody may fail in a span of time. Takes the time as an argument.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// From this number of keys on, those that have nothing to say any more are looked for.
const FEW: usize = 1024;

/// The failures of each key in the last while, exactly: a sliding log.
#[derive(Debug)]
pub(super) struct Failures<K> {
    most: usize,
    window: Duration,
    recent: Mutex<Recent<K>>,
}

#[derive(Debug)]
struct Recent<K> {
    times: HashMap<K, VecDeque<Instant>>,
    purge_at: usize,
}

impl<K: Eq + Hash> Failures<K> {
    pub(super) fn new(most: usize, window: Duration) -> Self {
        let recent = Recent { times: HashMap::new(), purge_at: FEW };
        Self { most, window, recent: Mutex::new(recent) }
    }

    /// Counts a failure before it has happened, so that no number of tries at the same time gets
    /// past the limit. Answers how many are left, or how long to wait for the next.
    pub(super) fn count(&self, key: K, now: Instant) -> Result<usize, Duration> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.times.len() >= recent.purge_at {
            recent.purge(now, self.window);
        }
        let times = recent.times.entry(key).or_default();
        forget_old(times, now, self.window);
        if times.len() >= self.most {
            let oldest = times.front().copied().unwrap_or(now);
            return Err(self.window.saturating_sub(now.saturating_duration_since(oldest)));
        }
        times.push_back(now);
        Ok(self.most - times.len())
    }

    /// Takes back what was counted at that time.
    pub(super) fn take_back(&self, key: &K, counted: Instant) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = recent.times.get_mut(key) {
            if let Some(at) = times.iter().rposition(|time| *time == counted) {
                times.remove(at);
            }
            if times.is_empty() {
                recent.times.remove(key);
            }
        }
    }

    /// Forgets all failures of a key.
    pub(super) fn clear(&self, key: &K) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).times.remove(key);
    }

    /// How many may fail, and in which span of time.
    pub(super) const fn policy(&self) -> (usize, Duration) {
        (self.most, self.window)
    }
}

impl<K> Recent<K> {
    fn purge(&mut self, now: Instant, window: Duration) {
        self.times.retain(|_, times| {
            forget_old(times, now, window);
            !times.is_empty()
        });
        self.purge_at = (2 * self.times.len()).max(FEW);
    }
}

fn forget_old(times: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while times.front().is_some_and(|time| now.saturating_duration_since(*time) >= window) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(900);

    #[test]
    fn the_window_slides() {
        let failures = Failures::new(3, WINDOW);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(failures.count("ada", at(0)), Ok(2));
        assert_eq!(failures.count("ada", at(100)), Ok(1));
        assert_eq!(failures.count("ada", at(200)), Ok(0));
        assert_eq!(failures.count("ada", at(300)), Err(Duration::from_secs(600)));
        assert_eq!(failures.count("eve", at(300)), Ok(2), "nobody pays for others");
        // The first one is forgotten, and only that.
        assert_eq!(failures.count("ada", at(900)), Ok(0));
        assert_eq!(failures.count("ada", at(901)), Err(Duration::from_secs(99)));
    }

    #[test]
    fn what_was_no_failure_is_taken_back() {
        let failures = Failures::new(2, WINDOW);
        let now = Instant::now();
        for _ in 0..10 {
            assert_eq!(failures.count("ada", now), Ok(1));
            failures.take_back(&"ada", now);
        }
        failures.count("ada", now).unwrap();
        failures.count("ada", now).unwrap();
        failures.clear(&"ada");
        assert_eq!(failures.count("ada", now), Ok(1));
    }

    #[test]
    fn keys_that_are_over_take_no_memory() {
        let failures = Failures::new(2, WINDOW);
        let start = Instant::now();
        for key in 0..10_000_u32 {
            failures.count(key, start + Duration::from_secs(key.into())).unwrap();
        }
        let kept = failures.recent.lock().unwrap().times.len();
        assert!(kept <= 2 * FEW, "{kept}");
    }
}
