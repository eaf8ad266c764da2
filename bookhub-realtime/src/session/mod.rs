//! One client from its opening to its end: the protocol over a lane, whatever the transport below.
//!
//! A session sleeps unless its client speaks, its socket stalls or a timer runs out: events reach
//! the socket past it.

mod opening;
mod timers;

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request;
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    auth::{AuthError, Credential, Identity},
    fanout::Member,
    hub::{Seat, Shared},
    lane::{Ending, Io, Lane, Signal, State},
    log::Log,
    protocol::{ClientMessage, CloseCode, Control},
    token::Claims,
    topic::{Filter, TopicPattern},
    transport::websocket::{Inbound, Incoming},
};

/// How long a closing connection may take for its last bytes and the peer's answer.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// How a connection begins.
pub(crate) struct Opening {
    /// The request that opened it.
    pub(crate) parts: Option<Box<request::Parts>>,
    /// Whether the client has said that it will send a `hello`.
    pub(crate) awaits_hello: bool,
    /// Bytes that came with the handshake.
    pub(crate) received: Vec<u8>,
}

/// Serves one connection to its end.
pub(crate) async fn run(shared: Arc<Shared>, seat: Seat, io: Box<dyn Io>, mut opening: Opening) {
    let now = Instant::now();
    let mut session = Session {
        lane: Lane::new(seat.number(), io),
        inbound: Inbound::new(shared.config.max_message),
        id: String::new(),
        heard_at: now,
        next_beat: now + spread(shared.config.heartbeat),
        token_due: now + shared.tokens.lifetime() / 2,
        opened: false,
        member: None,
        _seat: seat,
        shared,
    };
    session.inbound.feed(std::mem::take(&mut opening.received));
    let ended = match session.open(opening).await {
        Ok(()) => session.serve().await,
        Err(ended) => Err(ended),
    };
    match ended {
        Ok(()) | Err(Ended::Lost) => {}
        Err(Ended::ByPeer) => {
            session.lane.lock().finish();
            session.say_goodbye().await;
        }
        Err(Ended::ByHub(ending)) => {
            tracing::debug!(connection = %session.id, code = u16::from(ending.code), "closing");
            session.lane.lock().close(&ending);
            session.say_goodbye().await;
        }
    }
}

struct Session {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    inbound: Inbound,
    id: String,
    heard_at: Instant,
    next_beat: Instant,
    token_due: Instant,
    opened: bool,
    member: Option<Member>,
    _seat: Seat,
}

/// Why a session is over.
enum Ended {
    /// The peer is gone without a word.
    Lost,
    /// The peer has closed; the answer is still to be written.
    ByPeer,
    ByHub(Ending),
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
        Self::ByHub(Ending::unauthorized(&error.to_string()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.lane.lock().hang_up();
        self.unregister();
        self.member = None;
    }
}

impl Session {
    async fn serve(&mut self) -> Result<(), Ended> {
        let mut timer = pin!(sleep_until(self.deadline()));
        loop {
            while let Some(message) = self.received()? {
                self.answer(message).await?;
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
                self.inbound.feed(bytes);
                Ok(())
            }
            Signal::Stalled => Ok(()),
            Signal::End(ending) => Err(Ended::ByHub(ending)),
            Signal::Gone | Signal::Flushed => Err(Ended::Lost),
        }
    }

    /// The next whole message of what was received. One that is not understood is answered here.
    fn received(&mut self) -> Result<Option<ClientMessage>, Ended> {
        loop {
            let next = self.inbound.next();
            let replies = self.inbound.take_replies();
            if !replies.is_empty() {
                self.lane.lock().put(&replies);
            }
            match next? {
                None => return Ok(None),
                Some(Incoming::Close) => return Err(Ended::ByPeer),
                Some(Incoming::Binary) => {
                    self.complain("invalid_message", "Messages are JSON text, not binary");
                }
                Some(Incoming::Text(text)) => match serde_json::from_str(&text) {
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
                let mut state = self.lane.lock();
                topics.iter().for_each(|topic| state.filter.remove(topic));
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
        topics.into_iter().for_each(|topic| state.filter.add(topic, from));
        self.confirm(&mut state, denied);
        Ok(())
    }

    /// A fresh credential: what the client may no longer follow, it follows no longer.
    async fn authenticate(&self, token: &str) -> Result<(), Ended> {
        let authorizer = &self.shared.config.authorizer;
        loop {
            let revocations = self.shared.revocations();
            let identity = authorizer.authenticate(Credential::Token(token)).await?;
            self.lane.lock().identity = identity.clone();
            if self.shared.revocations() != revocations {
                continue;
            }
            let followed = Claims::topics_of(&self.lane.lock().filter);
            let (_, denied) = self.allowed(&identity, followed);
            let mut state = self.lane.lock();
            denied.iter().for_each(|topic| state.filter.remove(topic));
            self.confirm(&mut state, denied);
            return Ok(());
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
        let message =
            format!("At most {} topics for one connection", self.shared.config.max_topics);
        let words = Control::Error { code: "too_many_topics", message: &message }.to_json();
        Err(Ended::ByHub(Ending {
            code: CloseCode::TooMany,
            reason: "too many topics",
            last_words: Some(words),
        }))
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
            expires_at: tokens.expiry(SystemTime::now()),
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
        poll_fn(|cx| self.lane.poll_signal(self.shared.log_lock(), cx)).await
    }
}

/// A random part of the interval, so that the heartbeats of clients that came together do not.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests;
