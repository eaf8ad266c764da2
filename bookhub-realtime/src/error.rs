//! What can go wrong for the program that embeds the hub.

use crate::position::Position;

/// Why an event was not published. Nothing was appended.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Position, PublishError, Topic};
///
/// let hub = Hub::new(HubConfig::new().start(Position::new(7)));
/// let books: Topic = "books".parse()?;
/// match hub.publish_at(Position::new(5), &books, "added", &1) {
///     // The feed has told it before: the log has it.
///     Err(PublishError::OutOfOrder { head, .. }) => assert_eq!(head, Position::new(7)),
///     other => drop(other?),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The publisher's fault: the given position does not come after the log's head. Positions of
    /// one log only ever rise; an event that was published before may be left out.
    #[error("position {given} does not come after the head of the log, {head}")]
    OutOfOrder {
        /// The position that the caller gave.
        given: Position,
        /// The position of the newest event in the log.
        head: Position,
    },
    /// The publisher's fault: the hub mirrors a journal. Append to that instead.
    #[error("this hub mirrors a journal: append to the journal instead")]
    Mirror,
    /// The publisher's fault: an event's name has 1 to 64 ASCII letters, digits, `_`, `-`, `.` or
    /// `:`.
    #[error("{0:?} is no event name: expected 1 to 64 letters, digits, '_', '-', '.' or ':'")]
    EventName(String),
    /// The publisher's fault: a key has 1 to 256 bytes.
    #[error("an idempotency key has 1 to 256 bytes, not {0}")]
    Key(usize),
    /// The publisher's fault: the data cannot be written as JSON.
    #[error("the event's data cannot be written as JSON: {0}")]
    Data(#[from] serde_json::Error),
    /// The publisher's fault: the data is longer than 16 MiB as JSON.
    #[error("the event's data is {0} bytes as JSON; at most 16 MiB can be published")]
    TooLarge(usize),
}
