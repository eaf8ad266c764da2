//! The settings of the edge: who may come, how many, and how often.

use std::num::NonZeroU32;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

use super::{ConfigError, Raw};

/// How many requests a client may make in a minute: a page with a hundred covers ten times over.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1200).expect("it is not zero");

/// The shortest `METRICS_TOKEN`, in bytes.
const TOKEN_BYTES: usize = 16;

/// Who may come, how many, and how often.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many requests a client may make in a minute; `None` for any number, and then failed
    /// logins and the sockets of one address are not counted either.
    pub requests_per_minute: Option<NonZeroU32>,
    /// How many connections there may be that are not live updates; `None` for what the limit of
    /// open files leaves.
    pub max_connections: Option<usize>,
    /// What has to be shown at `/metrics`. Without one there is no `/metrics` in production.
    pub metrics_token: Option<SecretString>,
}

impl Raw {
    pub(super) fn edge(&self) -> Result<EdgeConfig, ConfigError> {
        let limited = self.rate_limit_enabled.unwrap_or(true);
        let per_minute = self.rate_limit_per_minute.unwrap_or(REQUESTS_PER_MINUTE);
        if self.max_connections == Some(0) {
            return Err(ConfigError::new("MAX_CONNECTIONS is 0: nobody could come in."));
        }
        let token = self.metrics_token.clone();
        if token.as_ref().is_some_and(|token| token.expose_secret().len() < TOKEN_BYTES) {
            return Err(ConfigError::new(
                "METRICS_TOKEN is weak: give it 16 bytes or more. Make one with: openssl rand -hex 24",
            ));
        }
        Ok(EdgeConfig {
            trusted_proxies: self.proxies()?,
            requests_per_minute: limited.then_some(per_minute),
            max_connections: self.max_connections,
            metrics_token: token,
        })
    }

    fn proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let listed = self.trusted_proxies.as_deref().unwrap_or_default();
        let entries = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = entries.map(|entry| {
            let address = || entry.parse::<std::net::IpAddr>().map(IpNet::from);
            let network = entry.parse().or_else(|_| address());
            network.map_err(|_| {
                ConfigError::new(format!(
                    "TRUSTED_PROXIES has {entry:?}: give addresses or networks such as 10.0.0.0/8, \
                     separated by commas."
                ))
            })
        });
        read.collect()
    }
}
