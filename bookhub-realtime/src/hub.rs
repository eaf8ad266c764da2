//! The hub: the log, the connections that read it, and what the embedding program does with both.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::{sync::Notify, time};

use crate::{
    auth::Identity,
    config::HubConfig,
    error::PublishError,
    fanout::FanOut,
    lane::{Ending, Lane},
    log::{Draft, HistoryLimits, Log},
    position::{Epoch, EventId, Position},
    protocol::{CloseCode, Control, millis},
    service::WebSocketService,
    token::{TokenKeys, unix_seconds},
    topic::Topic,
};

/// The most that one event may carry, as JSON.
const MAX_DATA: usize = 16 << 20;

/// How long [`Hub::drain`] waits for the last connection.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// An ordered, resumable broadcast: what is published reaches every client that follows its topic,
/// once and in order, also across a dropped connection.
///
/// Cloning is cheap; all clones are one hub. When the last clone is dropped its connections end.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Topic};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let prices: Topic = "prices".parse()?;
/// let hub = Hub::new(HubConfig::new().default_topics([prices.clone().into()]));
/// let app: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
///
/// let first = hub.publish(&prices, "tick", &serde_json::json!({ "BHUB": 42.5 }))?;
/// let second = hub.publish(&prices, "tick", &serde_json::json!({ "BHUB": 42.7 }))?;
/// assert!(first < second);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Hub {
    handle: Arc<Handle>,
}

/// What the clones of a hub hold together; its end is the end of the connections.
struct Handle {
    shared: Arc<Shared>,
}

/// What the hub shares with its sessions and writers.
pub(crate) struct Shared {
    pub(crate) config: HubConfig,
    pub(crate) tokens: TokenKeys,
    pub(crate) fanout: FanOut,
    /// Wakes sessions that wait for the log to reach their position.
    pub(crate) grown: Notify,
    log: RwLock<Log>,
    registry: Mutex<Registry>,
    seats: AtomicUsize,
    /// How many connections there have been.
    arrivals: AtomicU64,
    draining: AtomicBool,
    /// How many milliseconds those who are sent away spread their return over.
    drain_window: AtomicU64,
    /// Counts the calls of [`Hub::revoke`].
    revocations: AtomicU64,
    emptied: Notify,
}

#[derive(Default)]
struct Registry {
    lanes: HashMap<String, Arc<Lane>>,
    /// Connections whose tokens are refused, with the time at which the last one ends anyway.
    revoked: HashMap<String, u64>,
}

/// A look at a hub.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Position};
///
/// let view = Hub::new(HubConfig::new()).inspect();
/// assert_eq!((view.connections, view.history_events), (0, 0));
/// assert_eq!(view.head.position, Position::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubView {
    /// How many clients are connected.
    pub connections: usize,
    /// The newest position of the log.
    pub head: EventId,
    /// How many events are kept for those who come back.
    pub history_events: usize,
    /// What they take, in bytes.
    pub history_bytes: usize,
    /// Whether the hub is being drained.
    pub draining: bool,
}

impl Hub {
    /// A hub with an empty log. Needs no runtime until the first client comes.
    #[must_use]
    pub fn new(mut config: HubConfig) -> Self {
        if config.secrets.is_empty() {
            config = config.secret(rand::random::<[u8; 32]>());
        }
        let limits =
            HistoryLimits { events: config.history_events.max(1), bytes: config.history_bytes };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            tokens: TokenKeys::new(config.secrets(), config.token_lifetime),
            fanout: FanOut::new(config.writers.unwrap_or_else(cores)),
            log: RwLock::new(Log::new(config.epoch.clone(), limits, config.start)),
            config,
            grown: Notify::new(),
            registry: Mutex::default(),
            seats: AtomicUsize::new(0),
            arrivals: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            drain_window: AtomicU64::new(0),
            revocations: AtomicU64::new(0),
            emptied: Notify::new(),
        };
        Self { handle: Arc::new(Handle { shared: Arc::new(shared) }) }
    }

    /// Appends an event at the position after the newest one, and answers that position.
    ///
    /// The data is written as JSON once, whatever the number of clients; nobody is waited for.
    ///
    /// # Errors
    /// [`PublishError::EventName`], [`PublishError::Data`] or [`PublishError::TooLarge`]; nothing
    /// was appended then.
    pub fn publish(
        &self,
        topic: &Topic,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Position, PublishError> {
        self.append(None, topic, event, data)
    }

    /// Appends an event at a position that the program gives: for a log that mirrors one with
    /// positions of its own, such as a database's change feed.
    ///
    /// # Errors
    /// [`PublishError::OutOfOrder`] if the position does not come after [`Hub::head`], and those of
    /// [`Hub::publish`].
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position, PublishError, Topic};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// let books: Topic = "books".parse()?;
    /// hub.publish_at(Position::new(10), &books, "added", &1)?;
    /// let again = hub.publish_at(Position::new(10), &books, "added", &1);
    /// assert!(matches!(again, Err(PublishError::OutOfOrder { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_at(
        &self,
        position: Position,
        topic: &Topic,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Position, PublishError> {
        self.append(Some(position), topic, event, data)
    }

    fn append(
        &self,
        position: Option<Position>,
        topic: &Topic,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Position, PublishError> {
        let named = (1..=64).contains(&event.len())
            && event.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:".contains(&c));
        if !named {
            return Err(PublishError::EventName(event.to_owned()));
        }
        let data = serde_json::to_vec(data)?;
        if data.len() > MAX_DATA {
            return Err(PublishError::TooLarge(data.len()));
        }
        let draft = Draft { topic, event, data: &data };
        let shared = &self.handle.shared;
        let position = {
            let mut log = shared.log.write().unwrap_or_else(PoisonError::into_inner);
            let position = position.unwrap_or_else(|| log.head().next());
            log.append(position, draft)
                .map_err(|head| PublishError::OutOfOrder { given: position, head })?;
            position
        };
        shared.announce();
        Ok(position)
    }

    /// Says that no event comes at the positions up to this one: for a log that mirrors one whose
    /// changes are not all events, so that a client that knows such a position can resume from it.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// hub.advance(Position::new(7));
    /// assert_eq!(hub.head(), Position::new(7));
    /// ```
    pub fn advance(&self, position: Position) {
        let shared = &self.handle.shared;
        shared.log.write().unwrap_or_else(PoisonError::into_inner).advance(position);
        shared.grown.notify_waiters();
    }

    /// Declares everything up to `position` lost: clients that had not seen it get a `resync`. For
    /// a log that mirrors another one and missed a part of it.
    pub fn raise_tail(&self, position: Position) {
        let shared = &self.handle.shared;
        shared.log.write().unwrap_or_else(PoisonError::into_inner).raise_tail(position);
        shared.announce();
    }

    /// The newest position of the log.
    #[must_use]
    pub fn head(&self) -> Position {
        self.handle.shared.log().head()
    }

    /// The life of the log.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.handle.shared.config.epoch
    }

    /// The id of a position in this hub's log: what a client resumes from.
    #[must_use]
    pub fn id(&self, position: Position) -> EventId {
        EventId { epoch: self.epoch().clone(), position }
    }

    /// The service that takes WebSocket connections; mount it at a path of any hyper or axum
    /// program.
    #[must_use]
    pub fn websocket(&self) -> WebSocketService {
        WebSocketService::new(&self.handle.shared)
    }

    /// Ends, within a second and with 4401, every connection whose identity fits, and refuses
    /// their reconnect tokens from now on. Answers how many there were.
    pub fn revoke(&self, fits: impl Fn(&Identity) -> bool) -> usize {
        let shared = &self.handle.shared;
        let now = SystemTime::now();
        // Told before the connections are looked at, for those that are just being opened.
        shared.revocations.fetch_add(1, Ordering::SeqCst);
        let lanes: Vec<_> = shared
            .registry()
            .lanes
            .iter()
            .map(|(id, lane)| (id.clone(), Arc::clone(lane)))
            .collect();
        // Asked with no lock held: the embedding program may look at the hub.
        let ended: Vec<_> = lanes
            .into_iter()
            .filter(|(_, lane)| {
                let identity = lane.lock().identity.clone();
                fits(&identity)
            })
            .collect();
        let mut registry = shared.registry();
        registry.revoked.retain(|_, ends| *ends > unix_seconds(now));
        let until = shared.tokens.expiry(now);
        registry.revoked.extend(ended.iter().map(|(id, _)| (id.clone(), until)));
        drop(registry);
        for (_, lane) in &ended {
            lane.end(Ending::unauthorized("the credential was revoked"));
        }
        ended.len()
    }

    /// A look at the hub now.
    #[must_use]
    pub fn inspect(&self) -> HubView {
        let shared = &self.handle.shared;
        let connections = shared.registry().lanes.len();
        let log = shared.log();
        HubView {
            connections,
            head: log.id(log.head()),
            history_events: log.len(),
            history_bytes: log.bytes(),
            draining: shared.is_draining(),
        }
    }

    /// Ends the hub's service: takes no more connections, tells each client after what part of
    /// `window` to come back, spread at random, and closes it with 1001. Returns when all are
    /// gone, after five seconds at most.
    pub async fn drain(&self, window: Duration) {
        let shared = &self.handle.shared;
        shared.drain_window.store(millis(window), Ordering::SeqCst);
        shared.draining.store(true, Ordering::SeqCst);
        for lane in shared.registry().lanes.values() {
            lane.end(shared.going_away());
        }
        let empty = async {
            loop {
                let emptied = shared.emptied.notified();
                if shared.seats.load(Ordering::SeqCst) == 0 {
                    return;
                }
                emptied.await;
            }
        };
        let _ = time::timeout(DRAIN_GRACE, empty).await;
    }
}

#[cfg(test)]
impl Hub {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("view", &self.inspect()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.draining.store(true, Ordering::SeqCst);
        for lane in self.shared.registry().lanes.values() {
            lane.end(Ending {
                code: CloseCode::Draining,
                reason: "the hub has ended",
                last_words: None,
            });
        }
    }
}

impl Ending {
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self {
            code: CloseCode::Unauthorized,
            reason: "unauthorized",
            last_words: Some(Control::Error { code: "unauthorized", message }.to_json()),
        }
    }
}

impl Shared {
    pub(crate) fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn log_lock(&self) -> &RwLock<Log> {
        &self.log
    }

    fn announce(&self) {
        self.fanout.wake();
        self.grown.notify_waiters();
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Enters a connection under its id, and ends an older one that goes on as this one. The one
    /// that came first is the older one, whichever has said its hello first: a hello whose client
    /// is gone may be read late, and must not end the connection with which that client is back.
    pub(crate) fn register(&self, id: &str, lane: &Arc<Lane>) {
        let older = {
            let mut registry = self.registry();
            match registry.lanes.get(id) {
                Some(newer) if newer.number() > lane.number() => Some(Arc::clone(lane)),
                _ => registry.lanes.insert(id.to_owned(), Arc::clone(lane)),
            }
        };
        if let Some(older) = older {
            older.end(Ending {
                code: CloseCode::Replaced,
                reason: "another connection goes on with this one's token",
                last_words: None,
            });
        }
        if self.is_draining() {
            lane.end(self.going_away());
        }
    }

    /// The end of a connection to a hub that is being drained, with its own part of the window.
    fn going_away(&self) -> Ending {
        let window = self.drain_window.load(Ordering::SeqCst);
        let retry_after_ms = rand::random_range(0..=window);
        Ending {
            code: CloseCode::Draining,
            reason: "the server is going away",
            last_words: Some(Control::Draining { retry_after_ms }.to_json()),
        }
    }

    /// Removes the connection, unless another one has taken over its id.
    pub(crate) fn unregister(&self, id: &str, lane: &Arc<Lane>) {
        let mut registry = self.registry();
        if registry.lanes.get(id).is_some_and(|known| Arc::ptr_eq(known, lane)) {
            registry.lanes.remove(id);
        }
    }

    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    pub(crate) fn is_revoked(&self, connection: &str) -> bool {
        self.registry().revoked.contains_key(connection)
    }

    /// A place for one more connection, if there is one.
    pub(crate) fn take_seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.seats.fetch_add(1, Ordering::SeqCst);
        let number = self.arrivals.fetch_add(1, Ordering::SeqCst);
        let seat = Seat { shared: Arc::clone(self), number };
        (taken < self.config.max_connections).then_some(seat)
    }
}

/// A connection's place among the connections of the hub; free again when dropped.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    number: u64,
}

impl Seat {
    /// Rises from each connection to the next.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.shared.seats.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.emptied.notify_waiters();
        }
    }
}
