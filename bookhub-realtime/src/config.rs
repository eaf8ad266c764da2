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
/// The settings that belong together are told in the guide: [the log and its
/// restarts](crate::guide::operation), [who may follow what](crate::guide::access) and [mounting
/// behind a proxy](crate::guide::mounting).
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
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let (one, other) = (Hub::new(HubConfig::new()), Hub::new(HubConfig::new()));
    /// assert_ne!(one.epoch(), other.epoch());
    /// ```
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
    ///
    /// Keep an epoch only for as long as its positions keep their meaning: a hub that begins to
    /// count anew under an old epoch would take the positions of its clients for its own. See
    /// [`start`](Self::start).
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position};
    ///
    /// let hub = Hub::new(HubConfig::new().epoch("shop_2026".parse()?));
    /// assert_eq!(hub.id(Position::new(255)).to_string(), "shop_2026-2ff");
    /// # Ok::<(), bookhub_realtime::ParsePositionError>(())
    /// ```
    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = epoch;
        self
    }

    /// Where the log begins: who was at an earlier position gets a `resync`. Default: 0.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position, Topic};
    ///
    /// let news: Topic = "news".parse()?;
    /// let hub = Hub::new(HubConfig::new().start(Position::new(500)));
    /// assert_eq!(hub.publish(&news, "headline", "It works")?, Position::new(501));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn start(mut self, start: Position) -> Self {
        self.start = start;
        self
    }

    /// The secret from which the keys of reconnect tokens derive; the same on every server that
    /// shares the log. Called again, it adds a retired secret whose tokens are still accepted.
    /// Default: a random one, so that tokens end with the process.
    ///
    /// Take at least 32 random bytes: a secret that can be guessed lets anybody write tokens.
    ///
    /// # Panics
    /// If the secret has less than 16 bytes: a setting that was left empty must not go unnoticed.
    ///
    /// ```
    /// use bookhub_realtime::HubConfig;
    ///
    /// # fn of_the_deployment() -> (Vec<u8>, Vec<u8>) { (vec![1; 32], vec![2; 32]) }
    /// let (new, old) = of_the_deployment();
    /// // For a day after the change; then without the old one.
    /// let config = HubConfig::new().secret(new).secret(old);
    /// ```
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        let secret = secret.into();
        assert!(
            secret.len() >= 16,
            "the hub's secret has {} bytes: at least 16 are needed",
            secret.len()
        );
        self.secrets.push(secret.into());
        self
    }

    /// How much of the past is kept: events, and bytes of frames and their index, whichever is
    /// reached first. The newest event is always kept. Defaults: 100,000 and
    /// 64 MiB.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Topic};
    ///
    /// let news: Topic = "news".parse()?;
    /// let hub = Hub::new(HubConfig::new().history(2, 64 << 20));
    /// for number in 0..5 {
    ///     hub.publish(&news, "number", &number)?;
    /// }
    /// assert_eq!(hub.inspect().history_events, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn history(mut self, events: usize, bytes: usize) -> Self {
        self.history_events = events;
        self.history_bytes = bytes;
        self
    }

    /// The time between two heartbeats. Default: 25 s.
    ///
    /// Each tells the client its position. Over WebSocket a ping frame goes with it, which the
    /// client's library answers by itself. The first one comes earlier by a random part, so that
    /// clients that came together do not answer together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// // A proxy in front cuts connections that are silent for 10 s.
    /// let config = HubConfig::new().heartbeat(Duration::from_secs(5));
    /// ```
    pub const fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// How long after a heartbeat the client may stay silent before it is closed with 4408.
    /// Default: 10 s.
    ///
    /// For WebSocket only: over the other transports a client has nothing to answer with. One that
    /// still takes what was sent before the heartbeat counts as alive.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// // Phones that sleep are waited for.
    /// let config = HubConfig::new().heartbeat_timeout(Duration::from_secs(60));
    /// ```
    pub const fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    /// How long a client of the subprotocol may take to its `hello`. Default: 5 s.
    /// Later ones are closed with 4408. It does not limit what the
    /// [`Authorizer`](crate::Authorizer) takes to look at the credential.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().hello_timeout(Duration::from_secs(15));
    /// ```
    pub const fn hello_timeout(mut self, timeout: Duration) -> Self {
        self.hello_timeout = timeout;
        self
    }

    /// How long a socket may take no byte while some wait for it. Default: 30 s.
    /// One that takes none for longer is closed with 4408.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().write_timeout(Duration::from_secs(10));
    /// ```
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long a client whose position is ahead of this log waits for the log to come there,
    /// before it gets a `resync`. Default: 5 s.
    /// That happens where servers mirror one log and this one is behind the one that the client
    /// comes from.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().ahead_timeout(Duration::from_secs(2));
    /// ```
    pub const fn ahead_timeout(mut self, timeout: Duration) -> Self {
        self.ahead_timeout = timeout;
        self
    }

    /// How long a reconnect token is valid. Default: 24 h.
    /// A connection is sent a fresh one each half of this.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().token_lifetime(Duration::from_secs(3600));
    /// ```
    pub const fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// How long a connection goes on after its credential has expired, so that its client can send
    /// a fresh one; it is told at once. Default: 10 s.
    /// It goes on getting events meanwhile.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::HubConfig;
    ///
    /// // Who cannot send one in band is given hardly any time.
    /// let config = HubConfig::new().auth_grace(Duration::from_millis(10));
    /// ```
    pub const fn auth_grace(mut self, grace: Duration) -> Self {
        self.auth_grace = grace;
        self
    }

    /// How long a long poll waits for something to say. Default: 25 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::Request;
    /// use http_body_util::BodyExt as _;
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = HubConfig::new().epoch("e".parse()?).poll_wait(Duration::from_millis(50));
    /// let hub = Hub::new(config);
    /// let request = Request::get("/poll?topics=news&after=e-10").body(())?;
    /// let answer = hub.long_poll().call(request).await?.into_body().collect().await?;
    /// assert_eq!(answer.to_bytes(), r#"{"events":[],"position":"e-10"}"#);
    /// # Ok(()) }
    /// ```
    pub const fn poll_wait(mut self, wait: Duration) -> Self {
        self.poll_wait = wait;
        self
    }

    /// The longest message that is taken from a client, in bytes. A longer one ends the connection
    /// with 1009. Default: 64 KiB.
    ///
    /// ```
    /// use bookhub_realtime::HubConfig;
    ///
    /// // A hello with a few topics and a token is all that these clients have to say.
    /// let config = HubConfig::new().max_message(4 << 10);
    /// ```
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How many messages a client may send: so many a second, and so many at once after a pause;
    /// each 1 at least. One that sends more is closed with 4429. Pings count too. Default: 20 and
    /// 200.
    ///
    /// ```
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().message_rate(5, 50);
    /// ```
    pub const fn message_rate(mut self, per_second: u32, burst: u32) -> Self {
        self.message_rate = Rate { per_second, burst };
        self
    }

    /// How many connections one address may have, where [`client_ip`](Self::client_ip) tells it: an
    /// IPv4 address, or an IPv6 network of 64 bits. More are refused with 429. Default: 1,000.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::{Request, StatusCode};
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = HubConfig::new().client_ip(|_| Some([192, 0, 2, 1].into())).max_per_address(1);
    /// let hub = Hub::new(config);
    /// let mut streams = hub.event_stream();
    /// let first = streams.call(Request::get("/events?topics=news").body(())?).await?;
    /// let second = streams.call(Request::get("/events?topics=news").body(())?).await?;
    /// assert_eq!(first.status(), StatusCode::OK);
    /// assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    /// # Ok(()) }
    /// ```
    pub const fn max_per_address(mut self, connections: usize) -> Self {
        self.max_per_address = connections;
        self
    }

    /// How many connections one subject may have; more are closed with 4429. A connection that
    /// goes on with the token of another one takes its place. Guests are not counted. Default: 100.
    ///
    /// ```
    /// use bookhub_realtime::HubConfig;
    ///
    /// let config = HubConfig::new().max_per_subject(10);
    /// ```
    pub const fn max_per_subject(mut self, connections: usize) -> Self {
        self.max_per_subject = connections;
        self
    }

    /// How to find out from where a request comes: the program knows its listener and which proxies
    /// it trusts. Default: not known, and no limit for an address.
    ///
    /// A header such as `X-Forwarded-For` may be believed only where a proxy of the program's own
    /// writes it: anybody else can write it too. See [the guide](crate::guide::mounting).
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

    /// How many connections there may be, those that are just being opened included; more are
    /// refused with 503. Default: 100,000.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::{Request, StatusCode};
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new().max_connections(0));
    /// let answer = hub.event_stream().call(Request::get("/events").body(())?).await?;
    /// assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    /// assert_eq!(answer.headers()["retry-after"], "2");
    /// # Ok(()) }
    /// ```
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// How many topics a connection may follow, patterns counted like topics. One that asks for
    /// more is closed with 4429. Default: 100.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::{Request, StatusCode};
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new().max_topics(1));
    /// let answer = hub.long_poll().call(Request::get("/poll?topics=a,b").body(())?).await?;
    /// assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    /// # Ok(()) }
    /// ```
    pub const fn max_topics(mut self, topics: usize) -> Self {
        self.max_topics = topics;
        self
    }

    /// What a client follows that names no topics, as far as it may. Default: nothing.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let hub = Hub::new(HubConfig::new().default_topics(["news".parse()?, "offers.*".parse()?]));
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    pub fn default_topics(mut self, topics: impl IntoIterator<Item = TopicPattern>) -> Self {
        self.default_topics = topics.into_iter().collect();
        self
    }

    /// The origins (RFC 6454, such as `https://shop.example`) from which browsers may connect,
    /// beside the server's own; a request from another one is refused with 403. Default: any origin
    /// may connect, but cookies count only from the server's own.
    ///
    /// The server's own is the one whose host and port stand in the request's `Host`. Origins are
    /// compared as they are written: `https://shop.example`, with no path and no slash at the end.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::{Request, StatusCode};
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new().allowed_origins(["https://shop.example".to_owned()]));
    /// let from = |origin| {
    ///     let request = Request::get("/poll").header("host", "live.shop.example");
    ///     hub.long_poll().call(request.header("origin", origin).body(()).unwrap())
    /// };
    /// assert_eq!(from("https://shop.example").await?.status(), StatusCode::OK);
    /// assert_eq!(from("https://live.shop.example").await?.status(), StatusCode::OK);
    /// assert_eq!(from("https://evil.example").await?.status(), StatusCode::FORBIDDEN);
    /// # Ok(()) }
    /// ```
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.allowed_origins = Some(origins.into_iter().collect());
        self
    }

    /// Who decides who clients are and what they may follow. Default: [`Public`].
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Public};
    ///
    /// let hub = Hub::new(HubConfig::new().authorizer(Public));
    /// ```
    ///
    /// See [`Authorizer`] for one that does decide.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Arc::new(authorizer);
        self
    }

    /// How many writers share the sockets, 1 at least: each a thread, or a task where the runtime
    /// has one thread only. Default: one for each core.
    ///
    /// ```
    /// use bookhub_realtime::HubConfig;
    ///
    /// // Most of the machine is for something else.
    /// let config = HubConfig::new().writers(1);
    /// ```
    pub const fn writers(mut self, writers: usize) -> Self {
        self.writers = Some(writers);
        self
    }

    /// Where the time of day comes from, by which tokens and credentials expire: for tests of clocks
    /// that are wrong. All else goes by tokio's clock, which no change of the time of day moves.
    /// Default: the system's clock.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "the hub's secret has 0 bytes"]
    fn a_secret_that_was_left_empty_is_refused() {
        let _ = HubConfig::new().secret("");
    }
}
