//! From the handshake to the welcome: who the client is, what it may follow, and where it goes on.

use std::sync::Arc;

use http::request;
use tokio::time::timeout;

use super::{Ended, Introduction, Opening, Session};
use crate::{
    auth::{Credential, Identity},
    metrics,
    protocol::{ClientMessage, CloseCode, Control, Hello, millis, timestamp},
    resume::{self, Start},
    topic::TopicPattern,
};

impl Session {
    /// From the handshake to the welcome. Answers the topics that the client may not follow.
    pub(crate) async fn open(&mut self, opening: Opening) -> Result<Vec<TopicPattern>, Ended> {
        let said_hello = !matches!(opening.hello, Introduction::None);
        let hello = match opening.hello {
            Introduction::None => Hello::default(),
            Introduction::Said(hello) => hello,
            Introduction::Awaited => timeout(self.shared.config.hello_timeout, self.hello())
                .await
                .map_err(|_| Ended::from(CloseCode::HeartbeatLost))??,
        };
        let mut waited = false;
        loop {
            // Read before the credential is: a revocation that comes meanwhile is seen below, and
            // one that comes later finds the connection registered.
            let revocations = self.shared.revocations();
            let identity = self.identify_opener(opening.parts.as_deref(), &hello).await?;
            let before =
                resume::Before::read(&self.shared, &hello, &identity, self.shared.config.now());
            if !std::mem::replace(&mut waited, true) {
                before.wait_for_log(&self.shared).await;
            }
            self.register(&before, identity)?;
            if self.shared.revocations() == revocations {
                return self.welcome(hello, &before, said_hello);
            }
            self.unregister();
        }
    }

    /// Who opens the connection: by the hello's credential, or else by that of the request.
    async fn identify_opener(
        &self,
        parts: Option<&request::Parts>,
        hello: &Hello,
    ) -> Result<Identity, Ended> {
        let credential = match (&hello.auth, parts) {
            (Some(token), _) => Credential::Token(token),
            (None, Some(parts)) => Credential::Request(parts),
            (None, None) => return Ok(Identity::guest()),
        };
        self.identify(credential).await
    }

    fn register(&mut self, before: &resume::Before, identity: Identity) -> Result<(), Ended> {
        self.id = before.connection().map_or_else(new_connection_id, str::to_owned);
        self.take_place(&identity)?;
        self.lane.lock().identity = identity;
        self.shared.register(&self.id, &self.lane);
        self.opened = true;
        Ok(())
    }

    pub(super) fn unregister(&mut self) {
        if std::mem::take(&mut self.opened) {
            self.shared.unregister(&self.id, &self.lane);
        }
    }

    async fn hello(&mut self) -> Result<Hello, Ended> {
        loop {
            match self.next_message().await? {
                ClientMessage::Hello(hello) => return Ok(hello),
                ClientMessage::Ping {} | ClientMessage::Pong {} => {}
                _ => self.complain("hello_expected", "The first message must be a hello"),
            }
        }
    }

    async fn next_message(&mut self) -> Result<ClientMessage, Ended> {
        loop {
            if let Some(message) = self.received()? {
                return Ok(message);
            }
            let signal = self.signal().await;
            self.act_on(signal)?;
        }
    }

    /// Finds out what the client may follow and from where, and begins.
    fn welcome(
        &mut self,
        hello: Hello,
        before: &resume::Before,
        said_hello: bool,
    ) -> Result<Vec<TopicPattern>, Ended> {
        let shared = Arc::clone(&self.shared);
        let wanted = hello
            .topics
            .or_else(|| before.topics().map(<[TopicPattern]>::to_vec))
            .unwrap_or_else(|| shared.config.default_topics.clone());
        self.check_number(wanted.len())?;
        let identity = self.lane.lock().identity.clone();
        let (topics, denied) = self.allowed(&identity, wanted);
        {
            let mut state = self.lane.lock();
            let log = shared.log();
            let start = before.start(&log);
            let (cursor, position) = match start {
                Start::Replay { seq, position } => (seq, position),
                Start::Live | Start::Resync(_) => (log.next_seq(), log.head()),
            };
            for topic in topics.iter().cloned() {
                let from = if before.had(&topic) { cursor } else { log.next_seq() };
                state.filter.add(topic, from);
            }
            state.filter.shrink();
            state.go_live(cursor);
            let position = log.id(position);
            let token = self.token(&mut state, &log);
            state.say(&Control::Welcome {
                id: &self.id,
                timestamp: timestamp(shared.config.now()),
                message: "Connected: events follow",
                token: token.clone(),
                epoch: shared.config.epoch.as_str(),
                position: position.clone(),
                recovered: matches!(start, Start::Replay { .. }),
                heartbeat: millis(shared.config.heartbeat),
            });
            if said_hello {
                let position = position.clone();
                let denied = denied.clone();
                state.say(&Control::Subscribed { topics, denied, position, token });
            }
            match start {
                Start::Replay { .. } => metrics::resumed(),
                Start::Resync(reason) => metrics::resynced(reason),
                Start::Live => {}
            }
            match start {
                Start::Resync(reason) => state.say(&Control::Resync { reason, position }),
                // Where a browser goes on that is cut off before the first event.
                _ if self.inbound.is_none() => state.say(&Control::Ping { position }),
                _ => {}
            }
        }
        shared.fanout.start(&shared);
        tracing::Span::current().record("id", &*self.id);
        tracing::debug!("connected");
        Ok(denied)
    }
}

fn new_connection_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
