//! How many requests one client may make: a bucket that fills evenly (GCRA), one for each network.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
};

use super::Standing;
use crate::peer::Network;

const MINUTE: Duration = Duration::from_secs(60);

/// The requests of every network in the last while.
#[derive(Debug)]
pub(super) struct Rates {
    per_minute: NonZeroU32,
    buckets: DefaultKeyedRateLimiter<Network, StateInformationMiddleware>,
    clock: DefaultClock,
}

impl Rates {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let buckets = RateLimiter::keyed(Quota::per_minute(per_minute)).with_middleware();
        Self { per_minute, buckets, clock: DefaultClock::default() }
    }

    /// Counts a request; `Err` if it is one too many.
    pub(super) fn count(&self, network: Network) -> Result<Standing, Standing> {
        let quota = self.per_minute.get();
        let standing = |left: u32, reset| Standing {
            policy: "requests",
            quota: quota as usize,
            window: MINUTE,
            left: left as usize,
            reset,
        };
        match self.buckets.check_key(&network) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(standing(left, MINUTE * (quota - left.min(quota)) / quota))
            }
            Err(refused) => Err(standing(0, refused.wait_time_from(self.clock.now()))),
        }
    }

    /// Forgets the networks whose buckets are full again.
    pub(super) fn purge(&self) {
        self.buckets.retain_recent();
    }
}
