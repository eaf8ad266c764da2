//! The settings of a hub, with their defaults and units.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::{
    auth::{Authorizer, Public},
    limits::Rate,
    position::{Epoch, Position},
    topic::TopicPattern,
};

/// Finds out from where a request comes.
pub(crate) type ClientIp = dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync;

/// Tells the time of day.
type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// The shortest and the longest duration that a timer is set to.
const TIMERS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_hours(24 * 365));

/// The settings of a [`Hub`](crate::Hub). Every one has a default. Durations are held between 10 ms
/// and a year.
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
    pub(crate) auth_grace: Duration,
    pub(crate) poll_wait: Duration,
    pub(crate) max_message: usize,
    pub(crate) message_rate: Rate,
    pub(crate) max_connections: usize,
    pub(crate) max_per_address: usize,
    pub(crate) max_per_subject: usize,
    pub(crate) max_topics: usize,
    pub(crate) client_ip: Option<Arc<ClientIp>>,
    pub(crate) default_topics: Vec<TopicPattern>,
    pub(crate) allowed_origins: Option<Vec<String>>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) writers: Option<usize>,
    clock: Arc<Clock>,
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
            auth_grace: Duration::from_secs(10),
            poll_wait: Duration::from_secs(25),
            max_message: 64 << 10,
            message_rate: Rate { per_second: 20, burst: 200 },
            max_connections: 100_000,
            max_per_address: 1000,
            max_per_subject: 100,
            max_topics: 100,
            client_ip: None,
            default_topics: Vec::new(),
            allowed_origins: None,
            authorizer: Arc::new(Public),
            writers: None,
            clock: Arc::new(SystemTime::now),
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

    /// How long a connection goes on after its credential has expired, so that its client can send
    /// a fresh one; it is told at once. Default: 10 s.
    pub const fn auth_grace(mut self, grace: Duration) -> Self {
        self.auth_grace = grace;
        self
    }

    /// How long a long poll waits for something to say. Default: 25 s.
    pub const fn poll_wait(mut self, wait: Duration) -> Self {
        self.poll_wait = wait;
        self
    }

    /// The longest message that is taken from a client, in bytes. Default: 64 KiB.
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How many messages a client may send: so many a second, and so many at once after a pause.
    /// One that sends more is closed with 4429. Pings count too. Default: 20 and 200.
    pub const fn message_rate(mut self, per_second: u32, burst: u32) -> Self {
        self.message_rate = Rate { per_second, burst };
        self
    }

    /// How many connections one address may have, where [`client_ip`](Self::client_ip) tells it: an
    /// IPv4 address, or an IPv6 network of 64 bits. More are refused with 429. Default: 1,000.
    pub const fn max_per_address(mut self, connections: usize) -> Self {
        self.max_per_address = connections;
        self
    }

    /// How many connections one subject may have; more are closed with 4429. Default: 100.
    pub const fn max_per_subject(mut self, connections: usize) -> Self {
        self.max_per_subject = connections;
        self
    }

    /// How to find out from where a request comes: the program knows its listener and which proxies
    /// it trusts. Default: not known, and no limit for an address.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use bookhub_realtime::HubConfig;
    ///
    /// // With `axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())`:
    /// let config = HubConfig::new().client_ip(|request| {
    ///     request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
    /// });
    /// ```
    pub fn client_ip(
        mut self,
        of: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.client_ip = Some(Arc::new(of));
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

    /// Where the time of day comes from, by which tokens and credentials expire: for tests of clocks
    /// that are wrong. Default: the system's clock.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let an_hour_ahead = || SystemTime::now() + Duration::from_secs(3600);
    /// let hub = Hub::new(HubConfig::new().clock(an_hour_ahead));
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The settings as the hub uses them: complete, and within what its timers can do.
    pub(crate) fn finished(mut self) -> Self {
        if self.secrets.is_empty() {
            self = self.secret(rand::random::<[u8; 32]>());
        }
        self.history_events = self.history_events.max(1);
        for duration in [
            &mut self.heartbeat,
            &mut self.heartbeat_timeout,
            &mut self.hello_timeout,
            &mut self.write_timeout,
            &mut self.ahead_timeout,
            &mut self.token_lifetime,
            &mut self.auth_grace,
            &mut self.poll_wait,
        ] {
            *duration = (*duration).clamp(TIMERS.0, TIMERS.1);
        }
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
