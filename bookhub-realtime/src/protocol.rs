//! The messages of the protocol, apart from events: what clients say and what the hub answers.
//! Pure values and their JSON; knows no session and no socket.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{
    position::{Epoch, EventId},
    topic::TopicPattern,
};

/// The WebSocket subprotocol (RFC 6455, section 1.9) of clients that start with a `hello`. What is
/// said then stands in [the guide](crate::guide::protocol).
///
/// ```
/// use bookhub_realtime::SUBPROTOCOL;
/// use http::Request;
///
/// let request = Request::get("ws://localhost:5000/ws").header("sec-websocket-protocol", SUBPROTOCOL);
/// assert_eq!(SUBPROTOCOL, "bookhub.v1");
/// ```
pub const SUBPROTOCOL: &str = "bookhub.v1";

/// The reasons for which a connection is closed, as WebSocket close codes (RFC 6455, section 7.4; those
/// from 4000 on are the protocol's own). Over an event stream they stand in the event `close`.
///
/// ```
/// use bookhub_realtime::CloseCode;
///
/// assert_eq!(u16::from(CloseCode::Draining), 1001);
/// assert!(!CloseCode::Replaced.may_reconnect());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: the client said goodbye.
    Normal,
    /// 1001: the server is going away; reconnect after the delay that it told.
    Draining,
    /// 1002: the client broke RFC 6455.
    Protocol,
    /// 1007: a text message was not UTF-8.
    NotUtf8,
    /// 1008: the client may not connect like this, such as from a page of a foreign origin; the
    /// reason of the close says why.
    Policy,
    /// 1009: a message was larger than the limit.
    TooBig,
    /// 1013: the server cannot look at the credential at the moment; try again later.
    Unavailable,
    /// 4401: the credential was refused, has expired or was revoked.
    Unauthorized,
    /// 4408: the client said no hello in time, was silent for too long, or took no byte for too long.
    HeartbeatLost,
    /// 4409: another connection goes on with this one's token.
    Replaced,
    /// 4429: too many connections, messages or topics.
    TooMany,
}

impl CloseCode {
    /// Whether a client may connect again without a change on its side.
    ///
    /// ```
    /// use bookhub_realtime::CloseCode;
    ///
    /// assert!(CloseCode::HeartbeatLost.may_reconnect());
    /// assert!(!CloseCode::Unauthorized.may_reconnect(), "not with the same credential");
    /// ```
    #[must_use]
    pub const fn may_reconnect(self) -> bool {
        !matches!(self, Self::Policy | Self::TooBig | Self::Replaced | Self::Unauthorized)
    }

    /// Its name in metrics and in the answers of transports without close frames.
    ///
    /// ```
    /// assert_eq!(bookhub_realtime::CloseCode::TooMany.name(), "too_many");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Draining => "draining",
            Self::Protocol => "protocol",
            Self::NotUtf8 => "not_utf8",
            Self::Policy => "policy",
            Self::TooBig => "too_big",
            Self::Unavailable => "unavailable",
            Self::Unauthorized => "unauthorized",
            Self::HeartbeatLost => "heartbeat_lost",
            Self::Replaced => "replaced",
            Self::TooMany => "too_many",
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => 1000,
            CloseCode::Draining => 1001,
            CloseCode::Protocol => 1002,
            CloseCode::NotUtf8 => 1007,
            CloseCode::Policy => 1008,
            CloseCode::TooBig => 1009,
            CloseCode::Unavailable => 1013,
            CloseCode::Unauthorized => 4401,
            CloseCode::HeartbeatLost => 4408,
            CloseCode::Replaced => 4409,
            CloseCode::TooMany => 4429,
        }
    }
}

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ClientMessage {
    Hello(Hello),
    Subscribe { topics: Vec<TopicPattern> },
    Unsubscribe { topics: Vec<TopicPattern> },
    Auth { token: String },
    Ping {},
    Pong {},
}

/// The first message of a client that wants more than the default topics.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    pub(crate) topics: Option<Vec<TopicPattern>>,
    pub(crate) auth: Option<String>,
    pub(crate) resume: Option<Resume>,
}

/// Where a client was.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resume {
    pub(crate) token: Option<String>,
    pub(crate) last_id: Option<String>,
}

/// Why a client has to fetch the state anew: from the position that comes with it on, it is live
/// again. When each comes stands in [the guide](crate::guide::guarantees#when-there-is-a-resync).
///
/// ```
/// use bookhub_realtime::ResyncReason;
///
/// assert_eq!(ResyncReason::TooSlow.as_str(), "too_slow");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResyncReason {
    /// The events after the client's position are no longer kept, or were declared lost.
    HistoryExpired,
    /// The log's life ended, or the client's id was never one of this log: its position means
    /// nothing here.
    EpochChanged,
    /// The reconnect token was damaged, expired, revoked, or of somebody else.
    TokenInvalid,
    /// The client read more slowly than the log forgets.
    TooSlow,
    /// The server has not come to the client's position in time.
    NotAvailable,
}

impl ResyncReason {
    /// The reason as the protocol writes it.
    ///
    /// ```
    /// use bookhub_realtime::ResyncReason;
    ///
    /// assert_eq!(ResyncReason::HistoryExpired.as_str(), "history_expired");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HistoryExpired => "history_expired",
            Self::EpochChanged => "epoch_changed",
            Self::TokenInvalid => "token_invalid",
            Self::TooSlow => "too_slow",
            Self::NotAvailable => "not_available",
        }
    }
}

/// What the hub says beside events.
#[derive(Debug, Serialize)]
#[serde(tag = "event", content = "data")]
pub(crate) enum Control<'a> {
    #[serde(rename = "connection:success")]
    Welcome {
        id: &'a str,
        timestamp: String,
        message: &'static str,
        token: String,
        epoch: &'a str,
        position: EventId,
        recovered: bool,
        /// Milliseconds between two heartbeats.
        heartbeat: u64,
    },
    #[serde(rename = "subscribed")]
    Subscribed {
        topics: Vec<TopicPattern>,
        denied: Vec<TopicPattern>,
        position: EventId,
        token: String,
    },
    #[serde(rename = "ping")]
    Ping { position: EventId },
    #[serde(rename = "pong")]
    Pong { position: EventId },
    #[serde(rename = "token")]
    Token { token: String },
    #[serde(rename = "resync")]
    Resync { reason: ResyncReason, position: EventId },
    #[serde(rename = "error")]
    Error { code: &'static str, message: &'a str },
    #[serde(rename = "server:draining")]
    Draining { retry_after_ms: u64 },
    /// The last word where the transport has no close frame.
    #[serde(rename = "close")]
    Close { code: u16, reason: &'a str },
}

impl Control<'_> {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("control events are plain strings and numbers")
    }
}

/// The time as RFC 3339 writes it, to the millisecond.
pub(crate) fn timestamp(now: SystemTime) -> String {
    jiff::Timestamp::try_from(now).map_or_else(|_| String::new(), |now| format!("{now:.3}"))
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The end of the id of an event that was the last one a client saw, or the reason it has none.
pub(crate) fn parse_last_id(text: &str, epoch: &Epoch) -> Result<EventId, ResyncReason> {
    text.parse::<EventId>().ok().filter(|id| id.epoch == *epoch).ok_or(ResyncReason::EpochChanged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_reads_with_any_of_its_parts() {
        let hello = |text: &str| serde_json::from_str::<ClientMessage>(text);
        assert_eq!(hello(r#"{"type":"hello"}"#).unwrap(), ClientMessage::Hello(Hello::default()));
        let full = hello(
            r#"{"type":"hello","topics":["books"],"auth":"t","resume":{"token":"x","last_id":"y"}}"#,
        );
        assert!(matches!(full, Ok(ClientMessage::Hello(Hello { resume: Some(_), .. }))));
        assert!(hello(r#"{"type":"hello","topics":"books"}"#).is_err());
        assert!(hello(r#"{"type":"hello","topcis":["books"]}"#).is_err(), "a typo is told");
        assert!(hello(r#"{"type":"shout"}"#).is_err());
    }

    #[test]
    fn control_events_have_a_name_and_data_and_no_id() {
        let json =
            Control::Resync { reason: ResyncReason::TooSlow, position: "e-15".parse().unwrap() }
                .to_json();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"event":"resync","data":{"reason":"too_slow","position":"e-15"}}"#
        );
    }
}
