//! A client of the hub that reconnects, resumes and never delivers an event twice.
//!
//! [`Client`] is a stream of [`Notice`]s: events in order, and news of the connection. It keeps
//! trying for ever, with full jitter, except where trying again cannot help. Where WebSockets do not
//! come through it reads an event stream, and nothing is lost or repeated on the way from one to the
//! other.
//!
//! ```
//! use bookhub_realtime::{Hub, HubConfig, Topic, client::{Client, Notice}};
//!
//! # async fn serve(hub: &Hub) -> std::io::Result<String> {
//! #     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! #     let url = format!("ws://{}/ws", listener.local_addr()?);
//! #     let app: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
//! #     tokio::spawn(async move { axum::serve(listener, app).await });
//! #     Ok(url)
//! # }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new(HubConfig::new());
//! let url = serve(&hub).await?; // with axum, at /ws
//!
//! let news: Topic = "news".parse()?;
//! let mut client = Client::builder(url).topics([news.clone().into()]).connect();
//! while let Some(notice) = client.next().await {
//!     match notice {
//!         Notice::Connected { .. } => drop(hub.publish(&news, "headline", "It works")?),
//!         Notice::Event(event) => {
//!             assert_eq!(event.parse::<String>()?, "It works");
//!             break;
//!         }
//!         Notice::Resync { reason, .. } => println!("fetch anew: {}", reason.as_str()),
//!         Notice::Disconnected { reason, retry_in } => println!("{reason}, next try in {retry_in:?}"),
//!         Notice::Closed { reason, .. } => return Err(reason.into()),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! It shows one credential, and once that has expired or was revoked ends with [`Notice::Closed`] and
//! the code 4401 (401 or 403 over an event stream); or it asks the program for a new one whenever it
//! needs one, see [`ClientBuilder::bearer_with`]. More in [the guide](crate::guide::clients).

mod backoff;
mod connection;
mod credential;
mod message;
mod wire;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use secrecy::SecretString;
use tokio::{sync::mpsc, task::JoinHandle};

use self::credential::Bearer;
pub use self::message::Event;
use crate::{position::EventId, protocol::ResyncReason, topic::TopicPattern};

/// How many notices wait for a slow application before the socket is no longer read.
const WAITING: usize = 256;

/// What a [`Client`] has to tell.
///
/// ```
/// use std::time::Duration;
/// use bookhub_realtime::client::Notice;
///
/// fn in_words(notice: &Notice) -> String {
///     match notice {
///         Notice::Connected { recovered: true, .. } => "going on".to_owned(),
///         Notice::Connected { .. } => "beginning here".to_owned(),
///         Notice::Event(event) => format!("{} in {}", event.name, event.topic),
///         Notice::Resync { reason, .. } => format!("fetch anew: {}", reason.as_str()),
///         Notice::Disconnected { retry_in, .. } => format!("next try in {retry_in:?}"),
///         Notice::Closed { reason, .. } => format!("ended: {reason}"),
///         _ => String::new(),
///     }
/// }
///
/// let lost = Notice::Disconnected { reason: "reset".to_owned(), retry_in: Duration::from_secs(2) };
/// assert_eq!(in_words(&lost), "next try in 2s");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// The connection stands. What was missed meanwhile follows, or a [`Notice::Resync`] does.
    Connected {
        /// Whether the server goes on where the client was.
        recovered: bool,
        /// The topics that it refused.
        denied: Vec<TopicPattern>,
    },
    /// An event: each exactly once and in order for the life of this client.
    Event(Event),
    /// Events were missed: fetch the state anew; the events after this position follow.
    Resync {
        /// Why.
        reason: ResyncReason,
        /// From where on the client is live again. [`Client::position`] stands there already.
        position: EventId,
    },
    /// The connection is lost; the next try comes after `retry_in`.
    Disconnected {
        /// What happened, as a sentence.
        reason: String,
        /// How long the client waits.
        retry_in: Duration,
    },
    /// The client has given up, since trying again cannot help. Nothing follows.
    Closed {
        /// The WebSocket close code or HTTP status, if there was one.
        code: Option<u16>,
        /// What happened, as a sentence.
        reason: String,
    },
}

/// The settings of a [`Client`], begun with [`Client::builder`].
///
/// ```
/// use bookhub_realtime::client::Client;
///
/// let settings = Client::builder("wss://shop.example/ws")
///     .topics(["books".parse()?, "orders.ada".parse()?])
///     .bearer("sesame")
///     .fallback("https://shop.example/live/events");
/// assert!(!format!("{settings:?}").contains("sesame"), "what it logs names no credential");
/// # Ok::<(), bookhub_realtime::ParseTopicError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    pub(crate) url: String,
    pub(crate) topics: Option<Vec<TopicPattern>>,
    pub(crate) bearer: Option<Bearer>,
    pub(crate) resume_from: Option<EventId>,
    pub(crate) fallback: Fallback,
}

/// Where events come from if no WebSocket comes through.
#[derive(Debug, Clone)]
pub(crate) enum Fallback {
    /// `/events` beside a `/ws`.
    Sibling,
    At(String),
    None,
}

impl ClientBuilder {
    /// What to follow. Default: the server's default topics.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// let settings = Client::builder("ws://localhost:5000/ws").topics(["books".parse()?]);
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    pub fn topics(mut self, topics: impl IntoIterator<Item = TopicPattern>) -> Self {
        self.topics = Some(topics.into_iter().collect());
        self
    }

    /// The credential to show, as a bearer token, for as long as the client lives: once it has
    /// expired the client is closed with 4401. [`bearer_with`](Self::bearer_with) brings new ones.
    /// It goes into the header `Authorization` (RFC 6750), never into a URL.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// let settings = Client::builder("wss://shop.example/ws").bearer("sesame");
    /// ```
    pub fn bearer(mut self, token: impl Into<SecretString>) -> Self {
        self.bearer = Some(Bearer::Fixed(token.into()));
        self
    }

    /// Where to ask for a credential to show, as a bearer token: before each connection, and when
    /// the server says that the last one has expired; the connection then goes on with the new one.
    /// While there is none, because of an error or for 30 s, the client tries again and again. It
    /// gives up with the first one if that is refused, and where a connection is closed with 4401
    /// before it was welcomed.
    ///
    /// ```
    /// use std::io;
    /// use bookhub_realtime::client::Client;
    ///
    /// async fn log_in() -> Result<String, io::Error> {
    ///     // Asks the service that issues tokens.
    ///     Ok("sesame".to_owned())
    /// }
    ///
    /// let settings = Client::builder("wss://shop.example/ws").bearer_with(log_in);
    /// ```
    pub fn bearer_with<F, T, S, E>(mut self, ask: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<SecretString>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.bearer = Some(Bearer::asked(ask));
        self
    }

    /// Goes on after this event or position, which the application has stored with its effect.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// # let stored = || "shop_2026-2ff";
    /// let settings = Client::builder("wss://shop.example/ws").resume_from(stored().parse()?);
    /// # Ok::<(), bookhub_realtime::ParsePositionError>(())
    /// ```
    pub fn resume_from(mut self, position: EventId) -> Self {
        self.resume_from = Some(position);
        self
    }

    /// Where to ask for an event stream when WebSockets do not come through, as an `http://` or
    /// `https://` address. Default: for a WebSocket at `…/ws`, `…/events` on the same server.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// let settings = Client::builder("wss://shop.example/live")
    ///     .fallback("https://shop.example/live-events");
    /// ```
    pub fn fallback(mut self, url: impl Into<String>) -> Self {
        self.fallback = Fallback::At(url.into());
        self
    }

    /// WebSockets only.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// let settings = Client::builder("ws://localhost:5000/ws").without_fallback();
    /// ```
    pub fn without_fallback(mut self) -> Self {
        self.fallback = Fallback::None;
        self
    }

    /// The address of the event stream, if there is one.
    pub(crate) fn stream_url(&self) -> Option<String> {
        match &self.fallback {
            Fallback::None => None,
            Fallback::At(url) => Some(url.clone()),
            Fallback::Sibling => {
                let http = self.url.strip_prefix("ws")?;
                Some(format!("http{}/events", http.strip_suffix("/ws")?))
            }
        }
    }

    /// Starts connecting, in a task of its own that ends with the client.
    ///
    /// It tries for ever, unless the server refuses it for good: see [`Notice::Closed`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use bookhub_realtime::client::{Client, Notice};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // Nobody listens there.
    /// let mut client = Client::builder("ws://127.0.0.1:9/ws").without_fallback().connect();
    /// assert!(matches!(client.next().await, Some(Notice::Disconnected { .. })));
    /// # }
    /// ```
    #[must_use]
    pub fn connect(self) -> Client {
        let (notices, receiver) = mpsc::channel(WAITING);
        let position = self.resume_from.clone();
        let task = tokio::spawn(connection::run(self, notices));
        Client { notices: receiver, position, task }
    }
}

/// A stream of events that reconnects and resumes by itself. It ends when it is dropped.
///
/// [`next`](Self::next) is its own method, so that a program needs no trait for it; as a
/// [`Stream`] it goes with all that takes one.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Topic, client::{Client, Notice}};
/// use futures_util::StreamExt as _;
///
/// # async fn serve(hub: &Hub) -> std::io::Result<String> {
/// #     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// #     let url = format!("ws://{}/ws", listener.local_addr()?);
/// #     let app: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
/// #     tokio::spawn(async move { axum::serve(listener, app).await });
/// #     Ok(url)
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(HubConfig::new());
/// let news: Topic = "news".parse()?;
/// let before = hub.id(hub.head());
/// for number in 0..3 {
///     hub.publish(&news, "number", &number)?;
/// }
///
/// let client = Client::builder(serve(&hub).await?).topics([news.into()]).resume_from(before);
/// let numbers = client.connect().filter_map(async |notice| match notice {
///     Notice::Event(event) => event.parse::<u32>().ok(),
///     _ => None,
/// });
/// assert_eq!(numbers.take(3).collect::<Vec<_>>().await, [0, 1, 2]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Client {
    notices: mpsc::Receiver<Step>,
    position: Option<EventId>,
    task: JoinHandle<()>,
}

/// A notice, and up to where the application has seen everything once it has taken it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) notice: Option<Notice>,
    pub(crate) position: Option<EventId>,
}

impl Client {
    /// A client of the hub at this `ws://` or `wss://` address.
    ///
    /// ```
    /// use bookhub_realtime::client::Client;
    ///
    /// let settings = Client::builder("ws://localhost:5000/ws");
    /// ```
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            topics: None,
            bearer: None,
            resume_from: None,
            fallback: Fallback::Sibling,
        }
    }

    /// The next notice; `None` after [`Notice::Closed`].
    ///
    /// It may be dropped before it is done, as in a `select!`: no notice is lost. A client whose
    /// notices are not taken reads no further after 256 of them, and becomes a slow reader.
    ///
    /// ```
    /// use bookhub_realtime::client::{Client, Notice};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // Trying again does not make an address of it.
    /// let mut client = Client::builder("no address").connect();
    /// assert!(matches!(client.next().await, Some(Notice::Closed { .. })));
    /// assert!(client.next().await.is_none());
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Notice> {
        StreamExt::next(self).await
    }

    /// Up to where the application has seen everything: to be stored together with its effect, and
    /// given to [`ClientBuilder::resume_from`] by the next process.
    ///
    /// It names the last event that [`next`](Self::next) gave, or a later position up to which there
    /// was none for this client. The latter is taken in while `next` is waited for.
    ///
    /// ```
    /// use bookhub_realtime::{EventId, client::Client};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_realtime::ParsePositionError> {
    /// let stored: EventId = "shop_2026-2ff".parse()?;
    /// let client = Client::builder("ws://localhost:5000/ws").resume_from(stored.clone()).connect();
    /// assert_eq!(client.position(), Some(&stored));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn position(&self) -> Option<&EventId> {
        self.position.as_ref()
    }
}

impl Stream for Client {
    type Item = Notice;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        while let Some(step) = std::task::ready!(self.notices.poll_recv(cx)) {
            if step.position.is_some() {
                self.position = step.position;
            }
            if step.notice.is_some() {
                return Poll::Ready(step.notice);
            }
        }
        Poll::Ready(None)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
