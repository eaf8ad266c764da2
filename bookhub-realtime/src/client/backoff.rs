//! How long to wait before the next try: full jitter, doubling, and patience after a crash.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(4);

/// How long a connection has to stand before the waits begin anew.
const STABLE: Duration = Duration::from_mins(1);

/// The waits between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// The next wait: a random part of a ceiling that doubles each time. The first one is random
    /// too, so that the clients of a crashed server do not come back all at once.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(rand::random_range(0.0..=1.0));
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        wait
    }

    /// Begins anew after a connection that stood for so long, if it was stable.
    pub(crate) fn stood(&mut self, time: Duration) {
        if time >= STABLE {
            self.ceiling = FIRST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_ceiling_that_doubles_to_four_seconds() {
        let mut backoff = Backoff::new();
        for ceiling in [500, 1000, 2000, 4000, 4000] {
            assert!(backoff.next() <= Duration::from_millis(ceiling));
        }
        backoff.stood(Duration::from_secs(59));
        assert_eq!(backoff.ceiling, LONGEST);
        backoff.stood(STABLE);
        assert!(backoff.next() <= FIRST);
    }
}
