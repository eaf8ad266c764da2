//! A client of the hub that reconnects, resumes and never delivers an event twice.
//!
//! [`Client`] is a stream of [`Notice`]s: events in order, and news of the connection. It keeps
//! trying for ever, with full jitter, except where trying again cannot help. Where WebSockets do not
//! come through it reads an event stream, and nothing is lost or repeated on the way from one to the
//! other.

mod backoff;
mod connection;
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

pub use self::message::Event;
use crate::{position::EventId, protocol::ResyncReason, topic::TopicPattern};

/// How many notices wait for a slow application before the socket is no longer read.
const WAITING: usize = 256;

/// What a [`Client`] has to tell.
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
    /// Events were missed: fetch the state anew; events from this position on follow.
    Resync {
        /// Why.
        reason: ResyncReason,
        /// From where on the client is live again.
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

/// The settings of a [`Client`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    pub(crate) url: String,
    pub(crate) topics: Option<Vec<TopicPattern>>,
    pub(crate) bearer: Option<SecretString>,
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
    pub fn topics(mut self, topics: impl IntoIterator<Item = TopicPattern>) -> Self {
        self.topics = Some(topics.into_iter().collect());
        self
    }

    /// The credential to show, as a bearer token.
    pub fn bearer(mut self, token: impl Into<SecretString>) -> Self {
        self.bearer = Some(token.into());
        self
    }

    /// Goes on after this event or position, which the application has stored with its effect.
    pub fn resume_from(mut self, position: EventId) -> Self {
        self.resume_from = Some(position);
        self
    }

    /// Where to ask for an event stream when WebSockets do not come through, as an `http://` or
    /// `https://` address. Default: for a WebSocket at `…/ws`, `…/events` on the same server.
    pub fn fallback(mut self, url: impl Into<String>) -> Self {
        self.fallback = Fallback::At(url.into());
        self
    }

    /// WebSockets only.
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
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn connect(self) -> Client {
        let (notices, receiver) = mpsc::channel(WAITING);
        let position = self.resume_from.clone();
        let task = tokio::spawn(connection::run(self, notices));
        Client { notices: receiver, position, task }
    }
}

/// A stream of events that reconnects and resumes by itself.
///
/// ```no_run
/// use bookhub_realtime::client::{Client, Notice};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::builder("ws://localhost:5000/ws").topics(["books".parse()?]).connect();
/// while let Some(notice) = client.next().await {
///     match notice {
///         Notice::Event(event) => println!("{} {}", event.name, event.data),
///         Notice::Resync { reason, .. } => println!("fetch anew: {}", reason.as_str()),
///         _ => {}
///     }
/// }
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
    pub async fn next(&mut self) -> Option<Notice> {
        StreamExt::next(self).await
    }

    /// Up to where the application has seen everything: to be stored together with its effect, and
    /// given to [`ClientBuilder::resume_from`] by the next process.
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
