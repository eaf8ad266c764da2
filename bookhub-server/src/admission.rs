//! How many connections there may be, in all and of one network, before anything is read from them.
//! Must not know what they are for.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::peer::{Network, Peer};

/// How many connections one network may have at the same time; a browser has six.
const OF_NETWORK: usize = 256;

/// Files that are open beside connections: the log, the database, what the system needs.
const OTHER_FILES: usize = 128;

/// The limit of open files, raised as far as the system lets us; of all of them, a quarter is for
/// requests, and the rest for live updates. Where there is no limit, or where nobody can say.
pub(crate) fn budget(max_connections: Option<usize>) -> (usize, usize) {
    let files = open_file_limit().unwrap_or(usize::MAX);
    let places = files.saturating_sub(OTHER_FILES).max(8);
    let requests = max_connections.unwrap_or_else(|| (places / 4).min(10_000));
    (requests, places.saturating_sub(requests).clamp(1, 100_000))
}

#[cfg(unix)]
fn open_file_limit() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    let files = if raised.is_ok() { most } else { limit.current };
    files.and_then(|files| files.try_into().ok())
}

#[cfg(not(unix))]
const fn open_file_limit() -> Option<usize> {
    None
}

/// The connections that are being served.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    of_network: usize,
    served: Mutex<Served>,
}

#[derive(Debug, Default)]
struct Served {
    all: usize,
    networks: HashMap<Network, usize>,
}

impl Admission {
    /// So many connections in all. Networks are `limited`, or not.
    pub(crate) fn new(most: usize, limited: bool) -> Arc<Self> {
        let of_network = if limited { OF_NETWORK } else { usize::MAX };
        Arc::new(Self { most, of_network, served: Mutex::default() })
    }

    /// A place for a connection, if there is one. A private address stands for many clients, and
    /// has as many places as there are.
    pub(crate) fn enter(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let network = peer.client().map(|_| peer.network());
        let mut served = self.served();
        if served.all >= self.most {
            return None;
        }
        if let Some(network) = network {
            let count = served.networks.entry(network).or_default();
            if *count >= self.of_network {
                return None;
            }
            *count += 1;
        }
        served.all += 1;
        drop(served);
        Some(Place { admission: Arc::clone(self), network })
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    network: Option<Network>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut served = self.admission.served();
        served.all -= 1;
        if let Some(Entry::Occupied(mut count)) = self.network.map(|it| served.networks.entry(it)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: [u8; 4]) -> Peer {
        Peer::new(address.into())
    }

    #[test]
    fn places_are_free_again_and_one_network_does_not_take_all() {
        let admission = Admission::new(300, true);
        let one: Vec<_> = (0..400).map_while(|_| admission.enter(peer([203, 0, 113, 1]))).collect();
        assert_eq!(one.len(), OF_NETWORK);
        let local: Vec<_> = (0..400).map_while(|_| admission.enter(peer([127, 0, 0, 1]))).collect();
        assert_eq!(local.len(), 300 - OF_NETWORK);
        assert!(admission.enter(peer([203, 0, 113, 2])).is_none(), "the house is full");
        drop(one);
        assert!(admission.enter(peer([203, 0, 113, 1])).is_some());
        drop(local);
        assert_eq!(admission.served().all, 0);
        assert!(admission.served().networks.is_empty());
    }

    #[test]
    fn requests_and_live_updates_share_what_there_is() {
        let (requests, sockets) = budget(Some(7));
        assert_eq!(requests, 7);
        assert!((1..=100_000).contains(&sockets));
        assert!(budget(None).0 >= 2);
    }
}
