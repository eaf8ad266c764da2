//! What the server says, as the client reads it.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{position::EventId, protocol::ResyncReason, topic::TopicPattern};

/// An event as it was published.
///
/// ```
/// use bookhub_realtime::client::Event;
///
/// // As it stands on the wire.
/// let event: Event = serde_json::from_str(
///     r#"{"id":"shop-2ff","event":"book:created","topic":"books","data":{"title":"Ulysses"}}"#,
/// )?;
/// assert_eq!((event.name.as_str(), event.topic.as_str()), ("book:created", "books"));
/// assert_eq!(event.data.get(), r#"{"title":"Ulysses"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Where it stands in the log.
    pub id: EventId,
    /// What happened, such as `book:created`.
    #[serde(rename = "event")]
    pub name: String,
    /// What it is about.
    pub topic: String,
    /// The data, as the JSON text that the server sent.
    pub data: Box<RawValue>,
}

impl Event {
    /// The data as a type of the application's.
    ///
    /// # Errors
    /// If the data does not have that shape.
    ///
    /// ```
    /// use bookhub_realtime::client::Event;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Book {
    ///     title: String,
    /// }
    ///
    /// # let event: Event = serde_json::from_str(
    /// #     r#"{"id":"shop-2ff","event":"book:created","topic":"books","data":{"title":"Ulysses"}}"#,
    /// # )?;
    /// // {"id":"…","event":"book:created","topic":"books","data":{"title":"Ulysses"}}
    /// assert_eq!(event.parse::<Book>()?.title, "Ulysses");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }
}

/// A message of the server.
#[derive(Debug)]
pub(crate) enum ServerMessage {
    Event(Event),
    Control(ServerControl),
    /// Of a newer protocol, or not of the protocol at all.
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "event", content = "data")]
pub(crate) enum ServerControl {
    #[serde(rename = "connection:success")]
    Welcome { token: String, position: EventId, recovered: bool, heartbeat: u64 },
    #[serde(rename = "subscribed")]
    Subscribed { token: String, denied: Vec<TopicPattern> },
    #[serde(rename = "ping")]
    Ping { position: EventId },
    #[serde(rename = "pong")]
    Pong { position: EventId },
    #[serde(rename = "token")]
    Token { token: String },
    #[serde(rename = "resync")]
    Resync { reason: ResyncReason, position: EventId },
    #[serde(rename = "error")]
    Error { code: String, message: String },
    #[serde(rename = "close")]
    Close { code: u16, reason: String },
    #[serde(rename = "server:draining")]
    Draining { retry_after_ms: u64 },
}

impl ServerMessage {
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text)
            .map(Self::Event)
            .or_else(|_| serde_json::from_str(text).map(Self::Control))
            .unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_control_events_are_told_apart_and_unknown_ones_ignored() {
        let event = r#"{"id":"e-15","event":"ping","topic":"t","data":{"a":1}}"#;
        assert!(
            matches!(ServerMessage::parse(event), ServerMessage::Event(event) if event.data.get() == r#"{"a":1}"#)
        );
        let ping = r#"{"event":"ping","data":{"position":"e-15"}}"#;
        assert!(matches!(
            ServerMessage::parse(ping),
            ServerMessage::Control(ServerControl::Ping { .. })
        ));
        let news = r#"{"event":"server:news","data":{}}"#;
        assert!(matches!(ServerMessage::parse(news), ServerMessage::Unknown));
    }
}
