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
/// Cloning is cheap; all clones are one hub. When the last clone is dropped its connections end, and
/// its services answer 503: the program keeps one for as long as it serves.
///
/// What is promised, and what is not, stands in [the guide](crate::guide::guarantees).
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
    /// A hub with an empty log. Needs no runtime until the first client comes.
    ///
    /// Where the runtime of that client has several threads, each of the hub's
    /// [`writers`](HubConfig::writers) gets one of its own, until the hub is dropped: tasks that block
    /// their threads do not keep events from WebSockets. Where it has one thread, the writers are
    /// tasks, which work while that runtime does. The hub may outlive it.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// assert_eq!(hub.connections(), 0);
    /// ```
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let shared = Arc::new(Shared::new(config));
        Self { handle: Arc::new(Handle { shared, mirror: None }) }
    }

    /// A hub that mirrors a journal, under the journal's epoch: the hubs of several servers that
    /// mirror one have the same events at the same positions. Returns once the hub has come to the
    /// present, so that no client finds it without its past. Events are published by appending to
    /// the journal, and by nothing else.
    ///
    /// The epoch is asked for once. After a restore of the journal its hubs have to be made anew.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], and [`JournalError::Trimmed`] if the journal forgets faster
    /// than the hub reads it. A journal that fails later is opened again, for as long as the hub
    /// lives.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use bookhub_realtime::{Hub, HubConfig, Topic, journal::{Journal, MemoryJournal, NewEvent}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = Arc::new(MemoryJournal::new(1000));
    /// let news: Topic = "news".parse()?;
    /// let position = journal.append(NewEvent::new(&news, "headline", "It works")?).await?;
    ///
    /// let hub = Hub::mirroring(HubConfig::new(), Arc::clone(&journal) as _).await?;
    /// assert_eq!(hub.head(), position);
    /// assert_eq!(hub.epoch(), &journal.epoch().await?);
    /// # Ok(()) }
    /// ```
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
    /// The data is written as JSON once, whatever the number of clients; nobody is waited for. The
    /// answer says that the event stands in the log, not that anybody has it.
    ///
    /// # Errors
    /// [`PublishError::EventName`], [`PublishError::Data`] or [`PublishError::TooLarge`],
    /// [`PublishError::Mirror`] of a hub that mirrors a journal, and [`PublishError::OutOfOrder`]
    /// behind the last of all positions; nothing was appended then.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, PublishError, Topic};
    /// use serde_json::json;
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// let books: Topic = "books".parse()?;
    /// let position = hub.publish(&books, "book:created", &json!({ "title": "Ulysses" }))?;
    /// assert_eq!(position, hub.head());
    ///
    /// let refused = hub.publish(&books, "no name", &1);
    /// assert!(matches!(refused, Err(PublishError::EventName(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// The keys are this hub's: another server, or this one after a restart, does not know them.
    /// With several servers give the key to [`NewEvent::with_key`](crate::journal::NewEvent::with_key).
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
    /// positions of its own, such as a database's change feed. Positions may leave gaps.
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
        let shared = self.ordered_here()?;
        let data = event::encode(name, data)?;
        shared.publish(place, Draft { topic, event: name, data: &data })
    }

    /// Says that no event comes at the positions up to this one: for a log that mirrors one whose
    /// changes are not all events, so that a client that knows such a position can resume from it.
    /// A position that the log has passed already changes nothing.
    ///
    /// # Errors
    /// [`PublishError::Mirror`] of a hub that mirrors a journal.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// hub.advance(Position::new(7))?;
    /// assert_eq!(hub.head(), Position::new(7));
    /// # Ok::<(), bookhub_realtime::PublishError>(())
    /// ```
    pub fn advance(&self, position: Position) -> Result<(), PublishError> {
        let shared = self.ordered_here()?;
        shared.log_mut().advance(position);
        shared.grown.notify_waiters();
        Ok(())
    }

    /// Declares everything up to `position` lost: clients that had not seen it get a `resync`
    /// (`history_expired`), those that are connected at once. For a log that mirrors another one and
    /// missed a part of it.
    ///
    /// # Errors
    /// [`PublishError::Mirror`] of a hub that mirrors a journal.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position, Topic};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// let books: Topic = "books".parse()?;
    /// hub.publish_at(Position::new(10), &books, "added", &1)?;
    /// // The feed comes back, and keeps only what comes after 40.
    /// hub.raise_tail(Position::new(40))?;
    /// hub.publish_at(Position::new(41), &books, "added", &2)?;
    /// assert_eq!(hub.inspect().history_events, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raise_tail(&self, position: Position) -> Result<(), PublishError> {
        self.ordered_here()?.raise_tail(position);
        Ok(())
    }

    /// What the program may write to: not a log that a journal orders.
    fn ordered_here(&self) -> Result<&Shared, PublishError> {
        match self.handle.mirror {
            Some(_) => Err(PublishError::Mirror),
            None => Ok(&self.handle.shared),
        }
    }

    /// The newest position of the log.
    ///
    /// Asked for under the lock that guards the state, it is the position that the state includes:
    /// see [the guide](crate::guide::publishing#fetch-then-follow).
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Position, Topic};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// assert_eq!(hub.head(), Position::default());
    /// let position = hub.publish(&"news".parse::<Topic>()?, "headline", "It works")?;
    /// assert_eq!(hub.head(), position);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn head(&self) -> Position {
        self.handle.shared.log().head()
    }

    /// The life of the log.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let hub = Hub::new(HubConfig::new().epoch("shop_2026".parse()?));
    /// assert_eq!(hub.epoch().as_str(), "shop_2026");
    /// # Ok::<(), bookhub_realtime::ParsePositionError>(())
    /// ```
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.handle.shared.config.epoch
    }

    /// The id of a position in this hub's log: what a client resumes from.
    ///
    /// ```
    /// use bookhub_realtime::{EventId, Hub, HubConfig};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// // In the answer to a request for the state, so that its client can follow from there.
    /// let header = hub.id(hub.head()).to_string();
    /// assert_eq!(header.parse::<EventId>()?.epoch, *hub.epoch());
    /// # Ok::<(), bookhub_realtime::ParsePositionError>(())
    /// ```
    #[must_use]
    pub fn id(&self, position: Position) -> EventId {
        EventId { epoch: self.epoch().clone(), position }
    }

    /// The service that takes WebSocket connections (RFC 6455, over HTTP/1.1); mount it at a path of
    /// any hyper or axum program.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// let app: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
    /// ```
    #[must_use]
    pub fn websocket(&self) -> HubService {
        HubService::new(&self.handle.shared, Transport::WebSocket)
    }

    /// The service that answers with server-sent events (HTML standard, section 9.2), for clients
    /// whose network lets no WebSocket through: `GET …?topics=a,b&after=<id>`, resumed by
    /// `Last-Event-ID`.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::Request;
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new());
    /// let stream = hub.event_stream().call(Request::get("/events?topics=news").body(())?).await?;
    /// assert_eq!(stream.headers()["content-type"], "text/event-stream");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn event_stream(&self) -> HubService {
        HubService::new(&self.handle.shared, Transport::EventStream)
    }

    /// The service that answers long polls, for clients that cannot even hold a stream:
    /// `GET …?topics=a,b&after=<id>` answers `{"events":[…],"position":"…"}` once there is something
    /// to say, and at once to a client that says no `after`.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Topic};
    /// use http::Request;
    /// use http_body_util::BodyExt as _;
    /// use serde_json::{Value, json};
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new());
    /// let before = hub.id(hub.head());
    /// let position = hub.publish(&"news".parse::<Topic>()?, "headline", "It works")?;
    ///
    /// let request = Request::get(format!("/poll?topics=news&after={before}")).body(())?;
    /// let answer = hub.long_poll().call(request).await?.into_body().collect().await?;
    /// let answer: Value = serde_json::from_slice(&answer.to_bytes())?;
    /// assert_eq!(answer["events"][0]["data"], "It works");
    /// assert_eq!(answer["position"], json!(hub.id(position)));
    /// # Ok(()) }
    /// ```
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
    /// granted then), a `hello` is waited for. The limits count as they do elsewhere. A client that
    /// is not taken gets a close frame: 1008 for a foreign origin, 4429 or 1001 where there is no
    /// room.
    ///
    /// Events are small: turn off Nagle's algorithm (`set_nodelay`) on a TCP stream.
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
    /// [`Authorizer`](crate::Authorizer)'s to refuse: let it know first, or else the client is back
    /// at once with the credential that it still has.
    ///
    /// It is this hub that ends them: with several servers, each has to be told. A connection that
    /// waits for the authorizer's word on a fresh credential ends once it has that.
    ///
    /// ```
    /// use bookhub_realtime::{
    ///     AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, TopicPattern,
    /// };
    /// use http::Request;
    /// use http_body_util::BodyExt as _;
    /// use tower_service::Service as _;
    ///
    /// /// Takes the sessions that a proxy in front has checked.
    /// struct Sessions;
    ///
    /// impl Authorizer for Sessions {
    ///     fn authenticate<'a>(
    ///         &'a self,
    ///         credential: Credential<'a>,
    ///     ) -> BoxFuture<'a, Result<Identity, AuthError>> {
    ///         Box::pin(async move {
    ///             let Credential::Request(request) = credential else {
    ///                 return Err(AuthError::new("Log in with a cookie"));
    ///             };
    ///             let session = request.headers.get("x-session").and_then(|id| id.to_str().ok());
    ///             let session = session.ok_or_else(|| AuthError::new("Log in first"))?;
    ///             Ok(Identity::user("ada").with_session(session))
    ///         })
    ///     }
    ///
    ///     fn may_follow(&self, _: &Identity, _: &TopicPattern) -> bool {
    ///         true
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new().authorizer(Sessions));
    /// let request = Request::get("/events?topics=news").header("x-session", "7").body(())?;
    /// let stream = hub.event_stream().call(request).await?;
    ///
    /// // The sessions forget number 7 here, and then:
    /// assert_eq!(hub.revoke(|identity| identity.session() == Some("7")), 1);
    /// let heard = stream.into_body().collect().await?.to_bytes();
    /// assert!(String::from_utf8(heard.to_vec())?.contains(r#""code":4401"#), "the last word");
    /// # Ok(()) }
    /// ```
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

    /// How many clients are connected. Long polls count while they wait.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::Request;
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new());
    /// let stream = hub.event_stream().call(Request::get("/events?topics=news").body(())?).await?;
    /// assert_eq!(hub.connections(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn connections(&self) -> usize {
        self.handle.shared.registry().lanes.len()
    }

    /// Whether the hub is being drained: it takes no clients any more. What a health check says to a
    /// load balancer.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::StatusCode;
    ///
    /// fn health(hub: &Hub) -> StatusCode {
    ///     if hub.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    /// }
    ///
    /// assert_eq!(health(&Hub::new(HubConfig::new())), StatusCode::OK);
    /// ```
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.handle.shared.is_draining()
    }

    /// A look at the hub now. Goes over all connections: for people, not for every request.
    ///
    /// ```
    /// use bookhub_realtime::{Hub, HubConfig, Topic};
    ///
    /// let hub = Hub::new(HubConfig::new());
    /// hub.publish(&"news".parse::<Topic>()?, "headline", "It works")?;
    /// let view = hub.inspect();
    /// assert_eq!((view.connections, view.history_events), (0, 1));
    /// assert_eq!(view.head, hub.id(hub.head()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// gone, after five seconds at most. There is no way back: a drained hub stays drained.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bookhub_realtime::{Hub, HubConfig};
    /// use http::Request;
    /// use http_body_util::BodyExt as _;
    /// use tower_service::Service as _;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(HubConfig::new());
    /// let stream = hub.event_stream().call(Request::get("/events?topics=news").body(())?).await?;
    /// let heard = tokio::spawn(stream.into_body().collect());
    ///
    /// hub.drain(Duration::from_secs(5)).await;
    /// assert_eq!(hub.connections(), 0);
    /// let heard = String::from_utf8(heard.await??.to_bytes().to_vec())?;
    /// assert!(heard.contains("event: server:draining"));
    /// # Ok(()) }
    /// ```
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

    /// How many bytes all connections hold for their sockets.
    pub(crate) fn unwritten(&self) -> usize {
        let registry = self.handle.shared.registry();
        registry.lanes.values().map(|lane| lane.lock().held()).sum()
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
