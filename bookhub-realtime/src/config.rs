//! The settings of a hub, with their defaults and units.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretSlice};

use crate::{
    auth::{Authorizer, Public},
    position::{Epoch, Position},
    topic::TopicPattern,
};

/// The settings of a [`Hub`](crate::Hub). Every one has a default.
///
/// ```
/// use std::time::Duration;
/// use bookhub_realtime::{Hub, HubConfig};
///
/// let hub = Hub::new(
///     HubConfig::new()
///         .secret(b"at least 32 bytes that only the servers know".as_slice())
///         .history(10_000, 16 << 20)
///         .heartbeat(Duration::from_secs(10))
///         .default_topics(["prices".parse()?]),
/// );
/// # Ok::<(), bookhub_realtime::ParseTopicError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct HubConfig {
    pub(crate) epoch: Epoch,
    pub(crate) start: Position,
    pub(crate) secrets: Vec<SecretSlice<u8>>,
    pub(crate) history_events: usize,
    pub(crate) history_bytes: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) hello_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) ahead_timeout: Duration,
    pub(crate) token_lifetime: Duration,
    pub(crate) max_message: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_topics: usize,
    pub(crate) default_topics: Vec<TopicPattern>,
    pub(crate) allowed_origins: Option<Vec<String>>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) writers: Option<usize>,
}

impl HubConfig {
    /// The defaults: a log in memory under a random epoch, a random secret, 100,000 events or
    /// 64 MiB of history, a heartbeat each 25 s, and no default topics.
    pub fn new() -> Self {
        Self {
            epoch: Epoch::random(),
            start: Position::default(),
            secrets: Vec::new(),
            history_events: 100_000,
            history_bytes: 64 << 20,
            heartbeat: Duration::from_secs(25),
            heartbeat_timeout: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            ahead_timeout: Duration::from_secs(5),
            token_lifetime: Duration::from_hours(24),
            max_message: 64 << 10,
            max_connections: 100_000,
            max_topics: 100,
            default_topics: Vec::new(),
            allowed_origins: None,
            authorizer: Arc::new(Public),
            writers: None,
        }
    }

    /// The life of the log, for a log that outlives the process. Default: a random one.
    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = epoch;
        self
    }

    /// Where the log begins: who was at an earlier position gets a `resync`. Default: 0.
    pub const fn start(mut self, start: Position) -> Self {
        self.start = start;
        self
    }

    /// The secret from which the keys of reconnect tokens derive; the same on every server that
    /// shares the log. Called again, it adds a retired secret whose tokens are still accepted.
    /// Default: a random one, so that tokens end with the process.
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secrets.push(secret.into().into());
        self
    }

    /// How much of the past is kept: events, and bytes of frames and their index. Defaults:
    /// 100,000 and 64 MiB.
    pub const fn history(mut self, events: usize, bytes: usize) -> Self {
        self.history_events = events;
        self.history_bytes = bytes;
        self
    }

    /// The time between two heartbeats. Default: 25 s.
    pub const fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// How long after a heartbeat the client may stay silent before it is closed with 4408.
    /// Default: 10 s.
    pub const fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    /// How long a client of the subprotocol may take to its `hello`. Default: 5 s.
    pub const fn hello_timeout(mut self, timeout: Duration) -> Self {
        self.hello_timeout = timeout;
        self
    }

    /// How long a socket may take no byte while some wait for it. Default: 30 s.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long a client whose position is ahead of this log waits for the log to come there,
    /// before it gets a `resync`. Default: 5 s.
    pub const fn ahead_timeout(mut self, timeout: Duration) -> Self {
        self.ahead_timeout = timeout;
        self
    }

    /// How long a reconnect token is valid. Default: 24 h.
    pub const fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The longest message that is taken from a client, in bytes. Default: 64 KiB.
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How many connections there may be; more are refused with 503. Default: 100,000.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// How many topics a connection may follow. Default: 100.
    pub const fn max_topics(mut self, topics: usize) -> Self {
        self.max_topics = topics;
        self
    }

    /// What a client follows that names no topics. Default: nothing.
    pub fn default_topics(mut self, topics: impl IntoIterator<Item = TopicPattern>) -> Self {
        self.default_topics = topics.into_iter().collect();
        self
    }

    /// The origins (such as `https://shop.example`) from which browsers may connect, beside the
    /// server's own; a request from another one is refused with 403. Default: any origin may
    /// connect, but cookies count only from the server's own.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.allowed_origins = Some(origins.into_iter().collect());
        self
    }

    /// Who decides who clients are and what they may follow. Default: [`Public`].
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Arc::new(authorizer);
        self
    }

    /// How many tasks write to the sockets. Default: one for each core.
    pub const fn writers(mut self, writers: usize) -> Self {
        self.writers = Some(writers);
        self
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.iter().map(|secret| secret.expose_secret())
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubConfig")
            .field("epoch", &self.epoch)
            .field("history_events", &self.history_events)
            .field("history_bytes", &self.history_bytes)
            .field("heartbeat", &self.heartbeat)
            .field("default_topics", &self.default_topics)
            .finish_non_exhaustive()
    }
}
