//! One client from its opening to its end: the protocol over a lane, whatever the transport below.
//!
//! A session sleeps unless its client speaks, its socket stalls or a timer runs out: events reach
//! the socket past it.

mod opening;
mod timers;

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request;
use tokio::{
    select,
    time::{Instant, sleep, sleep_until, timeout},
};

use tracing::{Instrument as _, Span};

use crate::{
    auth::{AuthError, Credential, Identity},
    hub::{Seat, Shared},
    lane::{Ending, Io, Lane, LastWords, Signal, State},
    limits::{Bucket, Place},
    log::Log,
    metrics,
    position::EventId,
    protocol::{ClientMessage, CloseCode, Control, Hello},
    token::Claims,
    topic::{Filter, TopicPattern},
    transport::{
        pipe,
        websocket::{Inbound, Incoming},
    },
};

/// How long a closing connection may take for its last bytes and the peer's answer.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// How a connection begins.
pub(crate) struct Opening {
    /// The request that opened it.
    pub(crate) parts: Option<Box<request::Parts>>,
    pub(crate) hello: Introduction,
}

impl Opening {
    /// Whether the client says where it was.
    pub(crate) const fn resumes(&self) -> bool {
        matches!(&self.hello, Introduction::Said(Hello { resume: Some(_), .. }))
    }
}

/// How the hub learns what a client wants.
pub(crate) enum Introduction {
    /// Not at all: it follows the default topics.
    None,
    /// A `hello` will come.
    Awaited,
    /// The request has said it.
    Said(Hello),
}

/// Serves one WebSocket connection to its end. `received` came with the handshake.
///
/// What happens once, or hardly ever, has its state on the heap for that time: a session that sleeps
/// is as small as its serving.
pub(crate) fn run(
    shared: Arc<Shared>,
    seat: Seat,
    io: Box<dyn Io>,
    opening: Opening,
    received: Vec<u8>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut inbound = Inbound::new(shared.config.max_message);
    inbound.feed(received);
    let mut session = Box::new(Session::new(shared, seat, io));
    session.inbound = Some(inbound);
    let span = session.span();
    let serving = async move {
        if let Err(ended) = Box::pin(session.open(opening)).await {
            Box::pin(session.end(ended)).await;
        } else {
            session.serve_to_the_end().await;
        }
    };
    serving.instrument(span)
}

pub(crate) struct Session {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    /// The reading side, if clients of this transport can speak.
    inbound: Option<Inbound>,
    id: String,
    heard_at: Instant,
    next_beat: Instant,
    token_due: Instant,
    /// Of which expiry of its credential the client was told.
    told_expiry: Option<SystemTime>,
    messages: Bucket,
    opened: bool,
    /// Among the connections of its subject.
    place: Option<Place<String>>,
    seat: Seat,
}

/// Why a session is over.
pub(crate) enum Ended {
    /// The peer is gone without a word.
    Lost,
    /// The peer has closed; the answer is still to be written.
    ByPeer,
    ByHub(Ending),
}

impl Ended {
    /// The authorizer is late: the client may come back.
    fn unanswered() -> Self {
        let message = "The credential could not be looked at in time".to_owned();
        let last_words = Some(LastWords::Error { code: "not_authorized_in_time", message });
        let reason = "the credential could not be looked at in time";
        Self::ByHub(Ending { code: CloseCode::HeartbeatLost, reason, last_words })
    }

    fn too_many(code: &'static str, reason: &'static str, message: String) -> Self {
        metrics::refused(code);
        let last_words = Some(LastWords::Error { code, message });
        Self::ByHub(Ending { code: CloseCode::TooMany, reason, last_words })
    }
}

impl From<CloseCode> for Ended {
    fn from(code: CloseCode) -> Self {
        let reason = match code {
            CloseCode::NotUtf8 => "text must be UTF-8",
            CloseCode::TooBig => "the message is too big",
            CloseCode::HeartbeatLost => "nothing was heard for too long",
            _ => "against RFC 6455",
        };
        Self::ByHub(Ending { code, reason, last_words: None })
    }
}

impl From<AuthError> for Ended {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        if !error.is_unavailable() {
            return Self::ByHub(Ending::unauthorized(&message));
        }
        let last_words = Some(LastWords::Error { code: "unavailable", message });
        let reason = "the credential cannot be looked at now";
        Self::ByHub(Ending { code: CloseCode::Unavailable, reason, last_words })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.lane.leave();
        self.unregister();
    }
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, seat: Seat, io: Box<dyn Io>) -> Self {
        let now = Instant::now();
        Self {
            lane: Lane::new(seat.number(), io, seat.transport(), shared.fanout.assign()),
            inbound: None,
            id: String::new(),
            heard_at: now,
            next_beat: now + spread(shared.config.heartbeat),
            token_due: now + shared.tokens.lifetime() / 2,
            told_expiry: None,
            messages: Bucket::full(now),
            opened: false,
            place: None,
            seat,
            shared,
        }
    }

    /// What is logged of this connection is logged in here.
    pub(crate) fn span(&self) -> Span {
        let transport = self.seat.transport().as_str();
        tracing::debug_span!(parent: None, "connection", transport, id = tracing::field::Empty)
    }

    /// Serves an opened session until it is over, and says why it is.
    pub(crate) async fn serve_to_the_end(mut self: Box<Self>) {
        let Err(ended) = self.serve().await;
        Box::pin(self.end(ended)).await;
    }

    /// Serves an opened session until something stands in `written` or the time is up. Answers
    /// what there is to say, and up to where that goes.
    pub(crate) async fn serve_once(
        mut self: Box<Self>,
        written: &pipe::Reader,
        wait: Duration,
    ) -> Result<(Vec<u8>, EventId), Ended> {
        select! {
            biased;
            over = self.serve() => {
                let Err(ended) = over;
                return Err(ended);
            }
            () = written.filled() => {}
            () = sleep(wait) => {}
        }
        let mut state = self.lane.lock();
        state.finish();
        let position = state.position(&self.shared.log());
        let mut said = written.take();
        said.extend_from_slice(state.unwritten());
        Ok((said, position))
    }

    async fn end(&mut self, ended: Ended) {
        match ended {
            Ended::Lost => return,
            Ended::ByPeer => self.lane.lock().finish(),
            Ended::ByHub(ending) => {
                metrics::closed(ending.code);
                tracing::debug!(code = u16::from(ending.code), "closing");
                self.lane.lock().close(&ending);
            }
        }
        self.say_goodbye().await;
    }

    async fn serve(&mut self) -> Result<Infallible, Ended> {
        let mut timer = pin!(sleep_until(self.deadline()));
        loop {
            while self.lane.lock().may_answer()
                && let Some(message) = self.received()?
            {
                Box::pin(self.answer(message)).await?;
            }
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            let signal = select! {
                biased;
                signal = self.signal() => Some(signal),
                () = &mut timer => None,
            };
            if let Some(signal) = signal {
                self.act_on(signal)?;
            }
            // Looked at even when there is always something to read.
            if Instant::now() >= deadline {
                self.on_time()?;
            }
        }
    }

    fn act_on(&mut self, signal: Signal) -> Result<(), Ended> {
        match signal {
            Signal::Received(bytes) => {
                self.heard_at = Instant::now();
                if let Some(inbound) = &mut self.inbound {
                    inbound.feed(bytes);
                }
                Ok(())
            }
            Signal::Stalled | Signal::Relieved => Ok(()),
            Signal::End(ending) => Err(Ended::ByHub(ending)),
            Signal::Gone | Signal::Flushed => Err(Ended::Lost),
        }
    }

    /// The next whole message of what was received. One that is not understood is answered here.
    fn received(&mut self) -> Result<Option<ClientMessage>, Ended> {
        loop {
            let Some(inbound) = &mut self.inbound else {
                return Ok(None);
            };
            let next = inbound.next();
            let replies = inbound.take_replies();
            if !replies.is_empty() {
                self.lane.lock().put(&replies);
            }
            let incoming = match next? {
                None => return Ok(None),
                Some(Incoming::Close) => return Err(Ended::ByPeer),
                Some(incoming) => incoming,
            };
            self.check_rate()?;
            match incoming {
                Incoming::Ping | Incoming::Close => {}
                Incoming::Binary => {
                    self.complain("invalid_message", "Messages are JSON text, not binary");
                }
                Incoming::Text(text) => match serde_json::from_str(&text) {
                    Ok(message) => return Ok(Some(message)),
                    Err(error) => self.complain("invalid_message", &error.to_string()),
                },
            }
        }
    }

    async fn answer(&mut self, message: ClientMessage) -> Result<(), Ended> {
        match message {
            ClientMessage::Hello(_) => {
                self.complain("hello_too_late", "A hello is the first message, and only once");
            }
            ClientMessage::Subscribe { topics } => self.subscribe(topics)?,
            ClientMessage::Unsubscribe { topics } => {
                self.check_number(topics.len())?;
                let mut state = self.lane.lock();
                state.unfollow(topics);
                self.confirm(&mut state, Vec::new());
            }
            ClientMessage::Auth { token } => self.authenticate(&token).await?,
            ClientMessage::Ping {} => {
                let mut state = self.lane.lock();
                let position = state.position(&self.shared.log());
                state.say(&Control::Pong { position });
            }
            ClientMessage::Pong {} => {}
        }
        Ok(())
    }

    fn subscribe(&self, wanted: Vec<TopicPattern>) -> Result<(), Ended> {
        self.check_number(wanted.len())?;
        let (identity, new) = {
            let state = self.lane.lock();
            let new: Vec<_> = wanted.into_iter().filter(|topic| !state.filter.has(topic)).collect();
            self.check_number(state.filter.len() + new.len())?;
            (state.identity.clone(), new)
        };
        // Asked with no lock held: the embedding program may look at the hub.
        let (topics, denied) = self.allowed(&identity, new);
        let mut state = self.lane.lock();
        let from = self.shared.log().next_seq();
        topics.into_iter().for_each(|topic| state.follow(topic, from));
        self.confirm(&mut state, denied);
        Ok(())
    }

    /// A fresh credential: what the client may no longer follow, it follows no longer.
    async fn authenticate(&mut self, token: &str) -> Result<(), Ended> {
        loop {
            let revocations = self.shared.revocations();
            let identity = self.identify(Credential::Token(token)).await?;
            // It was not listened to meanwhile.
            self.heard_at = Instant::now();
            self.take_place(&identity)?;
            self.lane.lock().identity = identity.clone();
            if self.shared.revocations() != revocations {
                continue;
            }
            let followed = Claims::topics_of(&self.lane.lock().filter);
            let (_, denied) = self.allowed(&identity, followed);
            let mut state = self.lane.lock();
            state.unfollow(denied.clone());
            self.confirm(&mut state, denied);
            return Ok(());
        }
    }

    /// Asks the authorizer whose credential it is. What there is to write is written meanwhile, and
    /// the connection may be ended.
    async fn identify(&self, credential: Credential<'_>) -> Result<Identity, Ended> {
        let config = &self.shared.config;
        let mut asking =
            pin!(timeout(config.hello_timeout, config.authorizer.authenticate(credential)));
        loop {
            select! {
                biased;
                signal = poll_fn(|cx| self.lane.poll_written(&self.shared, cx)) => match signal {
                    Signal::End(ending) => return Err(Ended::ByHub(ending)),
                    Signal::Gone | Signal::Flushed => return Err(Ended::Lost),
                    Signal::Stalled | Signal::Relieved | Signal::Received(_) => {}
                },
                answer = &mut asking => {
                    let identity = answer.map_err(|_| Ended::unanswered())??;
                    if identity.expires_at().is_some_and(|ends| ends <= config.now()) {
                        return Err(Ended::ByHub(Ending::unauthorized("the credential has expired")));
                    }
                    return Ok(identity);
                }
            }
        }
    }

    fn confirm(&self, state: &mut State, denied: Vec<TopicPattern>) {
        let log = self.shared.log();
        let topics = Claims::topics_of(&state.filter);
        let position = state.position(&log);
        let token = self.token(state, &log);
        state.say(&Control::Subscribed { topics, denied, position, token });
    }
}

// What all parts need.
impl Session {
    fn complain(&self, code: &'static str, message: &str) {
        self.lane.lock().say(&Control::Error { code, message });
    }

    fn check_number(&self, topics: usize) -> Result<(), Ended> {
        if topics <= self.shared.config.max_topics {
            return Ok(());
        }
        let most = self.shared.config.max_topics;
        let message = format!("At most {most} topics for one connection");
        Err(Ended::too_many("too_many_topics", "too many topics", message))
    }

    fn check_rate(&mut self) -> Result<(), Ended> {
        let rate = self.shared.config.message_rate;
        if self.messages.take(Instant::now(), rate) {
            return Ok(());
        }
        let message =
            format!("At most {} messages a second, {} at once", rate.per_second, rate.burst);
        Err(Ended::too_many("too_many_messages", "too many messages", message))
    }

    /// Enters the client among the connections of its subject, in the place of who it was before.
    fn take_place(&mut self, identity: &Identity) -> Result<(), Ended> {
        let Some(subject) = identity.subject() else {
            self.place = None;
            return Ok(());
        };
        if self.lane.lock().identity.subject() == Some(subject) && self.place.is_some() {
            return Ok(());
        }
        let most = self.shared.config.max_per_subject;
        self.place = Some(self.shared.take_place(subject, &self.id).ok_or_else(|| {
            let message = format!("At most {most} connections for one subject: close some");
            Ended::too_many("too_many_connections_of_subject", "too many connections", message)
        })?);
        Ok(())
    }

    /// The topics that this client may follow, and those that it may not.
    fn allowed(
        &self,
        identity: &Identity,
        wanted: Vec<TopicPattern>,
    ) -> (Vec<TopicPattern>, Vec<TopicPattern>) {
        let mut filter = Filter::default();
        wanted.into_iter().for_each(|topic| filter.add(topic, 0));
        let authorizer = &self.shared.config.authorizer;
        Claims::topics_of(&filter)
            .into_iter()
            .partition(|topic| authorizer.may_follow(identity, topic))
    }

    fn token(&self, state: &mut State, log: &Log) -> String {
        let tokens = &self.shared.tokens;
        tokens.sign(&Claims {
            connection: self.id.clone(),
            subject: state.identity.subject().map(str::to_owned),
            topics: Claims::topics_of(&state.filter),
            position: state.position(log),
            expires_at: tokens.expiry(self.shared.config.now()),
        })
    }

    /// Writes what is left and the close frame, and gives the peer a moment to answer, so that the
    /// last bytes are not lost to a reset.
    async fn say_goodbye(&mut self) {
        let goodbye = async {
            while !matches!(self.signal().await, Signal::Flushed | Signal::Gone) {}
            self.lane.lock().shut_down();
            while matches!(self.signal().await, Signal::Received(_)) {}
        };
        let _ = timeout(CLOSE_GRACE, goodbye).await;
    }

    async fn signal(&self) -> Signal {
        poll_fn(|cx| self.lane.poll_signal(&self.shared, cx)).await
    }
}

/// A random part of the interval, so that the heartbeats of clients that came together do not.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
#[cfg(bookhub_loom)]
mod orders;
#[cfg(test)]
mod tests;
