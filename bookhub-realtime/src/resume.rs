//! Where a client goes on: what its `hello` says of before, checked against the log.
//!
//! A resume is by position; the reconnect token adds which connection it was and with which topics.

use std::time::SystemTime;

use tokio::time::timeout;

use crate::{
    auth::Identity,
    hub::Shared,
    log::{Log, Lookup},
    position::Position,
    protocol::{Hello, ResyncReason, parse_last_id},
    token::Claims,
    topic::{Topic, TopicPattern},
};

/// What a client was before it connected.
pub(crate) struct Before {
    /// What its valid token says.
    claims: Option<Claims>,
    /// Up to where it has seen everything; none for a new client.
    position: Option<Result<Position, ResyncReason>>,
}

/// Where a client begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the head: it is new.
    Live,
    /// At the first entry it has not seen.
    Replay { seq: u64, position: Position },
    /// At the head, and it has to fetch the state anew.
    Resync(ResyncReason),
}

impl Before {
    /// Reads the `resume` of a hello.
    pub(crate) fn read(
        shared: &Shared,
        hello: &Hello,
        identity: &Identity,
        now: SystemTime,
    ) -> Self {
        let Some(resume) = &hello.resume else {
            return Self { claims: None, position: None };
        };
        let claims = match &resume.token {
            None => None,
            Some(token) => match verified(shared, token, identity, now) {
                Some(claims) => Some(claims),
                None => {
                    let invalid = Some(Err(ResyncReason::TokenInvalid));
                    return Self { claims: None, position: invalid };
                }
            },
        };
        let epoch = &shared.config.epoch;
        let position = match (&resume.last_id, &claims) {
            (Some(last_id), _) => Some(parse_last_id(last_id, epoch).map(|id| id.position)),
            (None, Some(claims)) if claims.position.epoch == *epoch => {
                Some(Ok(claims.position.position))
            }
            (None, Some(_)) => Some(Err(ResyncReason::EpochChanged)),
            (None, None) => None,
        };
        Self { claims, position }
    }

    pub(crate) fn connection(&self) -> Option<&str> {
        self.claims.as_ref().map(|claims| &*claims.connection)
    }

    pub(crate) fn topics(&self) -> Option<&[TopicPattern]> {
        self.claims.as_ref().map(|claims| &*claims.topics)
    }

    /// Whether the client followed the topic before. Without a token that is not known: then all
    /// that it asks for counts as followed.
    pub(crate) fn had(&self, topic: &TopicPattern) -> bool {
        let covers = |known: &TopicPattern| {
            known == topic
                || topic.as_str().parse::<Topic>().is_ok_and(|topic| known.matches(&topic))
        };
        self.topics().is_none_or(|known| known.iter().any(covers))
    }

    /// Waits a while for a log that has not come to the client's position yet.
    pub(crate) async fn wait_for_log(&self, shared: &Shared) {
        let Some(Ok(position)) = self.position else {
            return;
        };
        let reached = async {
            loop {
                let mut grown = std::pin::pin!(shared.grown.notified());
                grown.as_mut().enable();
                if shared.log().head() >= position {
                    return;
                }
                grown.await;
            }
        };
        let _ = timeout(shared.config.ahead_timeout, reached).await;
    }

    /// Where to begin in the log as it is now.
    pub(crate) fn start(&self, log: &Log) -> Start {
        match self.position {
            None => Start::Live,
            Some(Err(reason)) => Start::Resync(reason),
            Some(Ok(position)) => match log.after(position) {
                Lookup::At(seq) => Start::Replay { seq, position },
                Lookup::Expired => Start::Resync(ResyncReason::HistoryExpired),
                Lookup::Ahead => Start::Resync(ResyncReason::NotAvailable),
            },
        }
    }
}

/// What the token says, if it is valid, not revoked, and of the same client.
fn verified(shared: &Shared, token: &str, identity: &Identity, now: SystemTime) -> Option<Claims> {
    let claims = shared
        .tokens
        .verify(token, now)
        .inspect_err(|error| tracing::debug!(%error, "a reconnect token was refused"))
        .ok()?;
    let same = claims.subject.as_deref() == identity.subject();
    (same && !shared.is_revoked(&claims.connection)).then_some(claims)
}
