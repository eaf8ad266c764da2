//! The hub: the log, the connections that read it, and what the embedding program does with both.

mod shared;
mod view;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    task::AbortHandle,
    time,
};

use self::shared::Place;
pub(crate) use self::shared::{Seat, Shared};
pub use self::view::{ConnectionView, HubView};

use crate::{
    auth::Identity,
    config::HubConfig,
    error::PublishError,
    event, frame,
    journal::{self, Journal, JournalError},
    lane::{Ending, LastWords},
    log::Draft,
    position::{Epoch, EventId, Position},
    protocol::{CloseCode, millis},
    service::{HubService, Transport},
    session::{self, Opening},
    token::unix_seconds,
    topic::Topic,
    transport::{http, websocket},
};

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
    /// What follows the journal, if there is one.
    mirror: Option<AbortHandle>,
}

impl Hub {
    /// A hub with an empty log. Needs no runtime until the first client comes; its writers run on
    /// the runtime of that client.
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let shared = Arc::new(Shared::new(config));
        Self { handle: Arc::new(Handle { shared, mirror: None }) }
    }

    /// A hub that mirrors a journal, under the journal's epoch: the hubs of several servers that
    /// mirror one have the same events at the same positions. Returns once the hub has come to the
    /// present, so that no client finds it without its past. Events are published by appending to
    /// the journal.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]. A journal that fails later is opened again, for as long as
    /// the hub lives.
    ///
    /// See [`Journal`] for an example.
    pub async fn mirroring(
        config: HubConfig,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, JournalError> {
        let epoch = journal.epoch().await?;
        let shared = Arc::new(Shared::new(config.epoch(epoch)));
        let mirror = tokio::spawn(journal::mirror(&shared, journal).await?);
        Ok(Self { handle: Arc::new(Handle { shared, mirror: Some(mirror.abort_handle()) }) })
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
        self.append(Place::Next, topic, event, data)
    }

    /// Appends an event unless one with the same `key` still stands in the history, and answers the
    /// position of the one that does: for a publisher that does not know whether its last try went
    /// through. A key is kept for as long as its event is; what the repeat carries is not compared.
    ///
    /// # Errors
    /// [`PublishError::Key`] if the key is empty or longer than 256 bytes, and those of
    /// [`Hub::publish`].
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Topic};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// let orders: Topic = "orders".parse()?;
    /// let first = hub.publish_once("order 7", &orders, "placed", &7)?;
    /// let again = hub.publish_once("order 7", &orders, "placed", &7)?;
    /// assert_eq!(first, again);
    /// assert_eq!(hub.inspect().history_events, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_once(
        &self,
        key: &str,
        topic: &Topic,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Position, PublishError> {
        event::check_key(key)?;
        self.append(Place::Once(key), topic, event, data)
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
        self.append(Place::At(position), topic, event, data)
    }

    fn append(
        &self,
        place: Place<'_>,
        topic: &Topic,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Position, PublishError> {
        let shared = &self.handle.shared;
        if self.handle.mirror.is_some() {
            return Err(PublishError::Mirror);
        }
        let data = event::encode(name, data)?;
        shared.publish(place, Draft { topic, event: name, data: &data })
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
        shared.log_mut().advance(position);
        shared.grown.notify_waiters();
    }

    /// Declares everything up to `position` lost: clients that had not seen it get a `resync`. For
    /// a log that mirrors another one and missed a part of it.
    pub fn raise_tail(&self, position: Position) {
        self.handle.shared.raise_tail(position);
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
    pub fn websocket(&self) -> HubService {
        HubService::new(&self.handle.shared, Transport::WebSocket)
    }

    /// The service that answers with server-sent events, for clients whose network lets no
    /// WebSocket through: `GET …?topics=a,b&after=<id>`, resumed by `Last-Event-ID`.
    #[must_use]
    pub fn event_stream(&self) -> HubService {
        HubService::new(&self.handle.shared, Transport::EventStream)
    }

    /// The service that answers long polls, for clients that cannot even hold a stream:
    /// `GET …?topics=a,b&after=<id>` answers `{"events":[…],"position":"…"}` once there is something
    /// to say, and at once to a client that says no `after`.
    #[must_use]
    pub fn long_poll(&self) -> HubService {
        HubService::new(&self.handle.shared, Transport::LongPoll)
    }

    /// Serves one client over a stream on which another part of the program has done the opening
    /// handshake of a WebSocket: for servers that are neither hyper nor axum. Returns when the
    /// connection is over.
    ///
    /// `request` is the one that opened it: its headers are the client's credential, and if it asks
    /// for the subprotocol [`SUBPROTOCOL`](crate::SUBPROTOCOL) (which the handshake has to have
    /// granted then), a `hello` is waited for.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::Request;
    /// use tokio::io::{AsyncReadExt, duplex};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let hub = Hub::new(HubConfig::new());
    /// let (mut client, server) = duplex(4096);
    /// let serving = tokio::spawn(hub.serve_stream(server, Request::new(())));
    /// let mut frame = [0; 4];
    /// client.read_exact(&mut frame).await?;
    /// assert_eq!(frame[0], 0x81, "a text frame: the welcome");
    /// # drop(client); serving.await?; Ok(()) }
    /// ```
    pub fn serve_stream<S>(
        &self,
        mut stream: S,
        request: ::http::Request<()>,
    ) -> impl Future<Output = ()> + Send + 'static + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::clone(&self.handle.shared);
        async move {
            let (mut parts, ()) = request.into_parts();
            let seat = http::check_origin(&mut parts, shared.config.allowed_origins.as_deref())
                .and_then(|()| http::admit(&shared, &parts, Transport::WebSocket));
            match seat {
                Ok(seat) => {
                    let hello = websocket::introduction(&parts);
                    let opening = Opening { parts: Some(Box::new(parts)), hello };
                    session::run(shared, seat, Box::new(stream), opening, Vec::new()).await;
                }
                Err(refusal) => {
                    crate::metrics::refused(refusal.code);
                    let mut close = Vec::new();
                    frame::put_close(&mut close, refusal.close_code().into(), &refusal.sentence);
                    // Who is gone already needs no reason.
                    let _ = stream.write_all(&close).await;
                }
            }
        }
    }

    /// Ends, within a second and with 4401, every connection whose identity fits, and refuses
    /// their reconnect tokens from now on. Answers how many there were. Who comes later is the
    /// [`Authorizer`](crate::Authorizer)'s to refuse: let it know first.
    pub fn revoke(&self, fits: impl Fn(&Identity) -> bool) -> usize {
        let shared = &self.handle.shared;
        let now = shared.config.now();
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

    /// How many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.handle.shared.registry().lanes.len()
    }

    /// Whether the hub is being drained: it takes no clients any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.handle.shared.is_draining()
    }

    /// A look at the hub now. Goes over all connections: for people, not for every request.
    #[must_use]
    pub fn inspect(&self) -> HubView {
        HubView::of(&self.handle.shared)
    }

    /// A look at each connection, the one that has been here longest first.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// for connection in Hub::new(HubConfig::new()).inspect_connections() {
    ///     println!("{} is {} events behind", connection.id, connection.lag);
    /// }
    /// ```
    #[must_use]
    pub fn inspect_connections(&self) -> Vec<ConnectionView> {
        ConnectionView::all(&self.handle.shared)
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
    /// Whether a client at this position can be resumed.
    pub(crate) fn keeps_after(&self, position: Position) -> bool {
        matches!(self.handle.shared.log().after(position), crate::log::Lookup::At(_))
    }

    /// How many bytes all connections hold that their sockets have not taken.
    pub(crate) fn unwritten(&self) -> usize {
        let registry = self.handle.shared.registry();
        registry.lanes.values().map(|lane| lane.lock().unwritten().len()).sum()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("view", &self.inspect()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(mirror) = &self.mirror {
            mirror.abort();
        }
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
            last_words: Some(LastWords::Error {
                code: "unauthorized",
                message: message.to_owned(),
            }),
        }
    }
}
