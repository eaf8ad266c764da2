//! From where a request comes: the other end of its connection, or, behind a proxy that is trusted,
//! the client whom that proxy names. Must not know what is done with it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName},
};
use ipnet::IpNet;

use crate::state::AppState;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// From where a request comes, in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(IpAddr);

/// Those who are counted together: an IPv4 address, or the /64 of an IPv6 address, any address of
/// which one customer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Peer {
    pub(crate) const fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }

    /// The address, if it is one client's. A private one is a proxy's or a developer's, and stands
    /// for many.
    pub(crate) const fn client(self) -> Option<IpAddr> {
        let shared = match self.0 {
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                let carrier = first == 100 && second & 0xc0 == 64;
                carrier || address.is_loopback() || address.is_private() || address.is_link_local()
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        };
        if shared { None } else { Some(self.0) }
    }

    pub(crate) const fn network(self) -> Network {
        Network(match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let prefix = u128::from_be_bytes(address.octets()) & !(u64::MAX as u128);
                IpAddr::V6(Ipv6Addr::from_bits(prefix))
            }
        })
    }
}

/// The proxies whose word is taken for where a request comes from.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    trusted: Vec<IpNet>,
    /// Whether the log has been told of one that is not trusted.
    is_told: AtomicBool,
}

impl Proxies {
    pub(crate) fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, is_told: AtomicBool::new(false) }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Who sent a request that came from `peer`. Each proxy adds at the end of `X-Forwarded-For`
    /// whom it saw, so the last one there who is not a trusted proxy is the client: what stands
    /// before it may be made up.
    fn client(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        let mut client = peer;
        if self.trusted.is_empty() {
            return client;
        }
        let values = headers.get_all(&FORWARDED_FOR).iter().rev();
        for hop in values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')) {
            if !self.is_trusted(client.0) {
                break;
            }
            let Some(address) = std::str::from_utf8(hop).ok().and_then(address) else { break };
            client = Peer::new(address);
        }
        client
    }

    /// Tells the operator once of a proxy that they have perhaps forgotten to name.
    fn tell(&self, peer: Peer, headers: &HeaderMap) {
        let is_proxy = peer.client().is_none() && !self.is_trusted(peer.0);
        if is_proxy
            && headers.contains_key(&FORWARDED_FOR)
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                proxy = %peer.0,
                "requests come through a proxy that is not trusted, so that all clients behind it \
                 are taken for one: name it in TRUSTED_PROXIES"
            );
        }
    }
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// Puts into the request from where it really comes.
pub(crate) async fn find_out(State(state): State<AppState>, mut request: Request) -> Request {
    let unknown = Peer::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(unknown);
    let proxies = &state.proxies;
    proxies.tell(peer, request.headers());
    let client = proxies.client(peer, request.headers());
    request.extensions_mut().insert(client);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::new(address.parse().unwrap())
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (FORWARDED_FOR.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn nobody_is_believed_without_being_trusted() {
        let headers = forwarded(&["203.0.113.7"]);
        let of = |proxies: &Proxies, from| proxies.client(peer(from), &headers);
        assert_eq!(of(&Proxies::default(), "10.0.0.1"), peer("10.0.0.1"));
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(of(&proxies, "10.0.0.1"), peer("203.0.113.7"));
        assert_eq!(of(&proxies, "198.51.100.9"), peer("198.51.100.9"));
    }

    #[test]
    fn what_stands_before_the_last_untrusted_hop_is_made_up() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let of = |values: &[&str]| proxies.client(peer("10.0.0.1"), &forwarded(values));
        for values in [
            &["1.2.3.4, 203.0.113.7"][..],
            &["1.2.3.4, 203.0.113.7, 10.9.9.9"],
            &["1.2.3.4", "203.0.113.7,10.9.9.9"],
            &["nonsense, 203.0.113.7:443"],
        ] {
            assert_eq!(of(values), peer("203.0.113.7"), "{values:?}");
        }
        assert_eq!(of(&["[2001:db8::1]:80"]), peer("2001:db8::1"));
        assert_eq!(of(&["[2001:db8::1]"]), peer("2001:db8::1"));
        // What cannot be read ends the way back: the last known is taken.
        assert_eq!(of(&["203.0.113.7, who"]), peer("10.0.0.1"));
        assert_eq!(of(&[]), peer("10.0.0.1"));
        assert_eq!(of(&["10.1.1.1, 10.2.2.2"]), peer("10.1.1.1"));
    }

    #[test]
    fn an_ipv6_customer_is_counted_once() {
        let network = |address| peer(address).network();
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("203.0.113.7"), network("203.0.113.8"));
        assert_eq!(network("::ffff:203.0.113.7"), network("203.0.113.7"));
    }

    #[test]
    fn private_addresses_stand_for_many() {
        for address in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.9", "::1", "fd00::1"] {
            assert_eq!(peer(address).client(), None, "{address}");
        }
        for address in ["203.0.113.7", "100.128.0.1", "2001:db8::1"] {
            assert!(peer(address).client().is_some(), "{address}");
        }
    }
}
