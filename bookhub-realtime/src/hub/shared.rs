//! What a hub, its sessions and its writers share: the log, who is connected, and who may still come.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use http::request;

use crate::{
    config::HubConfig,
    error::PublishError,
    fanout::FanOut,
    lane::{Ending, Lane, LastWords},
    limits::{self, Crowd, Network},
    log::{Draft, HistoryLimits, Log},
    metrics::Meters,
    position::Position,
    protocol::CloseCode,
    service::Transport,
    sync::{Notify, RwLock, RwLockReadGuard, RwLockWriteGuard},
    token::TokenKeys,
    transport::http::Refusal,
};

/// What the hub shares with its sessions and writers.
pub(crate) struct Shared {
    pub(crate) config: HubConfig,
    pub(crate) tokens: TokenKeys,
    pub(crate) fanout: FanOut,
    pub(crate) meters: Meters,
    /// Wakes sessions that wait for the log to reach their position.
    pub(crate) grown: Notify,
    log: RwLock<Log>,
    registry: Mutex<Registry>,
    networks: Arc<Crowd<Network>>,
    subjects: Arc<Crowd<String>>,
    pub(super) seats: AtomicUsize,
    /// How many connections there have been.
    arrivals: AtomicU64,
    pub(super) draining: AtomicBool,
    /// How many milliseconds those who are sent away spread their return over.
    pub(super) drain_window: AtomicU64,
    /// Counts the calls of [`Hub::revoke`](crate::Hub::revoke).
    pub(super) revocations: AtomicU64,
    pub(super) emptied: Notify,
}

/// Where an event goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Next,
    At(Position),
    /// Next, unless the key is known.
    Once(&'a str),
}

#[derive(Default)]
pub(super) struct Registry {
    pub(super) lanes: HashMap<String, Arc<Lane>>,
    /// Connections whose tokens are refused, with the time at which the last one ends anyway.
    pub(super) revoked: HashMap<String, u64>,
}

impl Shared {
    pub(super) fn new(config: HubConfig) -> Self {
        let config = config.finished();
        let limits = HistoryLimits { events: config.history_events, bytes: config.history_bytes };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            tokens: TokenKeys::new(config.secrets(), config.token_lifetime),
            fanout: FanOut::new(config.writers.unwrap_or_else(cores)),
            log: RwLock::new(Log::new(config.epoch.clone(), limits, config.start)),
            config,
            meters: Meters::new(),
            grown: Notify::new(),
            registry: Mutex::default(),
            networks: Crowd::new(),
            subjects: Crowd::new(),
            seats: AtomicUsize::new(0),
            arrivals: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            drain_window: AtomicU64::new(0),
            revocations: AtomicU64::new(0),
            emptied: Notify::new(),
        }
    }

    /// Appends an event and has it written to all who follow its topic.
    pub(super) fn publish(
        &self,
        place: Place<'_>,
        draft: Draft<'_>,
    ) -> Result<Position, PublishError> {
        let position = {
            let mut log = self.log_mut();
            let position = match place {
                Place::At(position) => position,
                Place::Next => log.head().next(),
                Place::Once(key) => match log.published(key) {
                    Some(before) => return Ok(before),
                    None => log.head().next(),
                },
            };
            log.append(position, draft)
                .map_err(|head| PublishError::OutOfOrder { given: position, head })?;
            if let Place::Once(key) = place {
                log.remember(key);
            }
            position
        };
        self.meters.published.increment(1);
        self.announce();
        Ok(position)
    }

    /// Appends an event at the position that it has elsewhere.
    pub(crate) fn append(&self, at: Position, draft: Draft<'_>) -> Result<Position, PublishError> {
        self.publish(Place::At(at), draft)
    }

    /// Declares everything up to the position lost.
    pub(crate) fn raise_tail(&self, position: Position) {
        self.log_mut().raise_tail(position);
        self.announce();
    }

    pub(super) fn log_mut(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn announce(&self) {
        self.fanout.wake();
        self.grown.notify_waiters();
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
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
    pub(super) fn going_away(&self) -> Ending {
        let window = self.drain_window.load(Ordering::SeqCst);
        let retry_after_ms = rand::random_range(0..=window);
        Ending {
            code: CloseCode::Draining,
            reason: "the server is going away",
            last_words: Some(LastWords::Draining { retry_after_ms }),
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
    pub(crate) fn take_seat(
        self: &Arc<Self>,
        request: &request::Parts,
        transport: Transport,
    ) -> Result<Seat, Refusal> {
        let network = match self.config.client_ip.as_ref().and_then(|of| of(request)) {
            Some(address) => Some(
                self.networks
                    .enter(address.into(), self.config.max_per_address)
                    .ok_or(Refusal::TOO_MANY_HERE)?,
            ),
            None => None,
        };
        let taken = self.seats.fetch_add(1, Ordering::SeqCst);
        let number = self.arrivals.fetch_add(1, Ordering::SeqCst);
        self.meters.connections(transport).increment(1);
        let seat = Seat { shared: Arc::clone(self), number, transport, _network: network };
        if taken < self.config.max_connections { Ok(seat) } else { Err(Refusal::TOO_MANY) }
    }

    /// A place among the connections of a subject, for the connection `id`. One that it replaces
    /// does not count.
    pub(crate) fn take_place(&self, subject: &str, id: &str) -> Option<limits::Place<String>> {
        let replaced = usize::from(self.registry().lanes.contains_key(id));
        self.subjects
            .enter(subject.to_owned(), self.config.max_per_subject.saturating_add(replaced))
    }
}

/// A connection's place among the connections of the hub; free again when dropped.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    number: u64,
    transport: Transport,
    _network: Option<limits::Place<Network>>,
}

impl Seat {
    /// Rises from each connection to the next.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.meters.connections(self.transport).decrement(1);
        if self.shared.seats.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.emptied.notify_waiters();
        }
    }
}
