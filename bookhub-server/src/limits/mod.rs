//! How often a client may ask, and how often it may fail to say who it is. Each server counts for
//! itself, in memory. Must not know what is asked for.

mod failures;
mod headers;
mod rates;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bookhub_core::AccountsError;

use self::{failures::Failures, rates::Rates};
pub(crate) use headers::Standing;

use crate::{
    error::ApiError,
    peer::{Network, Peer},
    state::AppState,
};

/// In which span of time failures count.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// How many failures one network may have with one account. Others' failures do not count, so
/// nobody locks out anybody else.
const FAILURES_WITH_ACCOUNT: usize = 5;

/// How many failures and new accounts one network may have in all.
const FAILURES_OF_NETWORK: usize = 100;

/// The longest part of a name that tells accounts apart: no account has a longer one.
const NAME_CHARS: usize = 64;

/// What is counted.
#[derive(Debug)]
pub(crate) struct Limits(Option<Counters>);

#[derive(Debug)]
struct Counters {
    rates: Rates,
    with_account: Failures<(Network, String)>,
    of_network: Failures<Network>,
}

impl Limits {
    /// Every network may make so many requests a minute.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self(Some(Counters {
            rates: Rates::new(per_minute),
            with_account: Failures::new(FAILURES_WITH_ACCOUNT, WINDOW),
            of_network: Failures::new(FAILURES_OF_NETWORK, WINDOW),
        }))
    }

    /// Nothing is counted.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Somebody says that an account is theirs. The try counts as a failure until [`Attempt::end`]
    /// is told otherwise.
    pub(crate) fn attempt(&self, peer: Peer, name: &str) -> Result<Attempt<'_>, ApiError> {
        let at = Instant::now();
        let name = name.trim().chars().take(NAME_CHARS).flat_map(char::to_lowercase).collect();
        let key = (peer.network(), name);
        let Some(counters) = &self.0 else {
            return Ok(Attempt { counters: None, key, at, left: FAILURES_WITH_ACCOUNT });
        };
        counters.of_network(key.0, at)?;
        match counters.with_account.count(key.clone(), at) {
            Ok(left) => Ok(Attempt { counters: Some(counters), key, at, left }),
            Err(wait) => {
                counters.of_network.take_back(&key.0, at);
                Err(too_many_failures(standing("login", &counters.with_account, 0, wait)))
            }
        }
    }

    /// Somebody wants a new account.
    pub(crate) fn newcomer(&self, peer: Peer) -> Result<(), ApiError> {
        match &self.0 {
            Some(counters) => counters.of_network(peer.network(), Instant::now()),
            None => Ok(()),
        }
    }

    /// Forgets who has not asked for a while.
    pub(crate) fn purge(&self) {
        if let Some(counters) = &self.0 {
            counters.rates.purge();
        }
    }
}

impl Counters {
    fn of_network(&self, network: Network, at: Instant) -> Result<(), ApiError> {
        match self.of_network.count(network, at) {
            Ok(_) => Ok(()),
            Err(wait) => Err(too_many_failures(standing("logins", &self.of_network, 0, wait))),
        }
    }
}

/// A try to say who one is. If nobody is told how it ended, it has failed.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    counters: Option<&'a Counters>,
    key: (Network, String),
    at: Instant,
    left: usize,
}

impl Attempt<'_> {
    /// It ended like this. Answers how many failures are left, to put into the answer.
    pub(crate) fn end<T>(self, result: &Result<T, AccountsError>) -> Option<Standing> {
        let Self { counters, key, at, mut left } = self;
        let counters = counters?;
        match result {
            Err(AccountsError::WrongCredentials | AccountsError::WrongPassword) => {}
            Ok(_) => {
                counters.of_network.take_back(&key.0, at);
                counters.with_account.clear(&key);
                left = FAILURES_WITH_ACCOUNT;
            }
            // The password was right, but another one was not: that has cost as much.
            Err(AccountsError::Invalid(_)) => {
                counters.with_account.take_back(&key, at);
                left += 1;
            }
            // Nobody has looked at the password.
            Err(_) => {
                counters.of_network.take_back(&key.0, at);
                counters.with_account.take_back(&key, at);
                left += 1;
            }
        }
        let reset = if left < FAILURES_WITH_ACCOUNT { WINDOW } else { Duration::ZERO };
        Some(standing("login", &counters.with_account, left, reset))
    }
}

fn standing<K: Eq + std::hash::Hash>(
    policy: &'static str,
    failures: &Failures<K>,
    left: usize,
    reset: Duration,
) -> Standing {
    let (quota, window) = failures.policy();
    Standing { policy, quota, window, left, reset }
}

const fn too_many_failures(standing: Standing) -> ApiError {
    ApiError::TooMany { what: "failed logins", code: "too_many_failures", standing }
}

/// Counts the requests of a client, and refuses what is too many. A private address stands for
/// many clients, and is not counted.
pub(crate) async fn count_requests(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let client = peer.filter(|peer| peer.client().is_some());
    let (Some(counters), Some(peer)) = (&state.limits.0, client) else {
        return next.run(request).await;
    };
    match counters.rates.count(peer.network()) {
        Ok(standing) => {
            let mut response = next.run(request).await;
            standing.put(response.headers_mut());
            response
        }
        Err(standing) => {
            ApiError::TooMany { what: "requests", code: "too_many_requests", standing }
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::new([203, 0, 113, last].into())
    }

    fn fail(limits: &Limits, peer: Peer, name: &str) -> Result<usize, ApiError> {
        let wrong = Err::<(), _>(AccountsError::WrongCredentials);
        limits.attempt(peer, name).map(|attempt| attempt.end(&wrong).unwrap().left)
    }

    fn limits() -> Limits {
        Limits::new(NonZeroU32::new(60).unwrap())
    }

    #[test]
    fn five_failures_with_an_account_and_nobody_else_is_locked_out() {
        let limits = limits();
        for left in (0..5).rev() {
            assert_eq!(fail(&limits, peer(1), "Ada").unwrap(), left);
        }
        let refused = fail(&limits, peer(1), " ada").unwrap_err();
        assert!(matches!(refused, ApiError::TooMany { code: "too_many_failures", .. }));
        assert_eq!(fail(&limits, peer(2), "ada").unwrap(), 4, "from elsewhere");
        assert_eq!(fail(&limits, peer(1), "eve").unwrap(), 4, "another account");
    }

    #[test]
    fn a_success_makes_good_and_a_busy_server_is_nobodys_failure() {
        let limits = limits();
        for _ in 0..4 {
            fail(&limits, peer(1), "ada").unwrap();
        }
        let busy = Err::<(), _>(AccountsError::Busy);
        assert_eq!(limits.attempt(peer(1), "ada").unwrap().end(&busy).unwrap().left, 1);
        assert_eq!(limits.attempt(peer(1), "ada").unwrap().end(&Ok(())).unwrap().left, 5);
        assert_eq!(fail(&limits, peer(1), "ada").unwrap(), 4);
    }

    #[test]
    fn who_goes_away_before_the_answer_has_failed() {
        let limits = limits();
        for _ in 0..5 {
            drop(limits.attempt(peer(1), "ada").unwrap());
        }
        assert!(limits.attempt(peer(1), "ada").is_err());
    }

    #[test]
    fn one_network_may_not_try_every_account() {
        let limits = limits();
        for number in 0..FAILURES_OF_NETWORK {
            fail(&limits, peer(1), &format!("user{number}")).unwrap();
        }
        assert!(fail(&limits, peer(1), "another").is_err());
        assert!(limits.newcomer(peer(1)).is_err());
        assert!(limits.newcomer(peer(2)).is_ok());
    }

    #[test]
    fn a_bucket_of_requests_runs_dry_for_its_network_alone() {
        let rates = Rates::new(NonZeroU32::new(3).unwrap());
        for left in (0..3).rev() {
            assert_eq!(rates.count(peer(1).network()).unwrap().left, left);
        }
        let refused = rates.count(peer(1).network()).unwrap_err();
        assert!((1..=20).contains(&refused.retry_after()), "{refused:?}");
        assert!(rates.count(peer(2).network()).is_ok());
    }
}
