//! How many and how much: connections of one address or subject, and messages of one client. Takes
//! the time as an argument; does no I/O.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The addresses that count as one client: one IPv4 address, or an IPv6 network of 64 bits, which
/// is what a single customer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let mask = u128::MAX << 64;
                Self(Ipv6Addr::from_bits(address.to_bits() & mask).into())
            }
            address => Self(address),
        }
    }
}

/// Counts how many connections each key has.
#[derive(Debug)]
pub(crate) struct Crowd<K> {
    counts: Mutex<HashMap<K, usize>>,
}

impl<K: Hash + Eq + Clone> Crowd<K> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default() })
    }

    /// A place for one more of `key`, if it has fewer than `limit`.
    pub(crate) fn enter(self: &Arc<Self>, key: K, limit: usize) -> Option<Place<K>> {
        let mut counts = self.lock();
        let count = counts.entry(key.clone()).or_default();
        if *count >= limit {
            if *count == 0 {
                counts.remove(&key);
            }
            return None;
        }
        *count += 1;
        Some(Place { crowd: Arc::clone(self), key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a crowd; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq + Clone> {
    crowd: Arc<Crowd<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.crowd.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// A token bucket: so many messages at once, and so many a second after that.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// When the bucket is full again.
    full_at: Instant,
}

impl Bucket {
    pub(crate) const fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        let each = Duration::from_secs(1) / rate.per_second.max(1);
        let full_at = self.full_at.max(now) + each;
        let fits = full_at - now <= each.saturating_mul(rate.burst.max(1));
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

/// How many messages a client may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client_and_a_mapped_address_is_its_ipv4_one() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let crowd = Crowd::new();
        let first = crowd.enter("a", 2);
        let second = crowd.enter("a", 2);
        assert!(first.is_some() && second.is_some());
        assert!(crowd.enter("a", 2).is_none());
        assert!(crowd.enter("b", 2).is_some());
        drop(first);
        assert!(crowd.enter("a", 2).is_some());
        drop(second);
        assert!(crowd.lock().is_empty(), "nothing is kept of who is gone");
        assert!(crowd.enter("a", 0).is_none());
        assert!(crowd.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_a_burst_and_then_its_rate() {
        let rate = Rate { per_second: 10, burst: 3 };
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert_eq!((0..5).filter(|_| bucket.take(start, rate)).count(), 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| bucket.take(later, rate)).count(), 2);
        let much_later = start + Duration::from_hours(1);
        assert_eq!((0..5).filter(|_| bucket.take(much_later, rate)).count(), 3);
    }
}
