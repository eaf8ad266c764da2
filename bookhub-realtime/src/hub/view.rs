//! A look at a hub from outside: for admin pages and tests.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::Shared;
use crate::{position::EventId, service::Transport, topic::TopicPattern};

/// A look at a hub, made by [`Hub::inspect`](crate::Hub::inspect).
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Position};
///
/// let view = Hub::new(HubConfig::new()).inspect();
/// assert_eq!((view.connections, view.history_events), (0, 0));
/// assert_eq!(view.head.position, Position::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubView {
    /// How many clients are connected.
    pub connections: usize,
    /// How many there are over each transport.
    pub transports: BTreeMap<Transport, usize>,
    /// How many follow each topic or pattern.
    pub topics: BTreeMap<TopicPattern, usize>,
    /// How many clients have not been sent everything yet.
    pub behind: usize,
    /// By how many events the last of them is behind.
    pub most_behind: u64,
    /// The newest position of the log.
    pub head: EventId,
    /// How many events are kept for those who come back.
    pub history_events: usize,
    /// What they take, in bytes.
    pub history_bytes: usize,
    /// Whether the hub is being drained.
    pub draining: bool,
}

/// A look at one connection.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Transport};
/// use http::Request;
/// use tower_service::Service as _;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(HubConfig::new());
/// let stream = hub.event_stream().call(Request::get("/events?topics=news").body(())?).await?;
///
/// let connection = &hub.inspect_connections()[0];
/// assert_eq!((connection.transport, connection.lag), (Transport::EventStream, 0));
/// assert_eq!(connection.topics, ["news".parse()?]);
/// assert_eq!(connection.subject, None, "a guest");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionView {
    /// Its name, as its welcome told it. It stays the same when its client resumes.
    pub id: String,
    /// Whose it is; `None` for a guest.
    pub subject: Option<String>,
    /// How it is spoken with.
    pub transport: Transport,
    /// What it follows.
    pub topics: Vec<TopicPattern>,
    /// How many events of the log it has still to be sent or passed over.
    pub lag: u64,
    /// For how long it has taken no byte although some wait for it.
    pub stalled: Option<Duration>,
    /// For how long it has been connected.
    pub age: Duration,
}

impl HubView {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let connections = ConnectionView::all(shared);
        let mut transports = BTreeMap::new();
        let mut topics = BTreeMap::new();
        for connection in &connections {
            *transports.entry(connection.transport).or_default() += 1;
            for topic in &connection.topics {
                *topics.entry(topic.clone()).or_default() += 1;
            }
        }
        let log = shared.log();
        Self {
            connections: connections.len(),
            transports,
            topics,
            behind: connections.iter().filter(|connection| connection.lag > 0).count(),
            most_behind: connections.iter().map(|connection| connection.lag).max().unwrap_or(0),
            head: log.id(log.head()),
            history_events: log.len(),
            history_bytes: log.bytes(),
            draining: shared.is_draining(),
        }
    }
}

impl ConnectionView {
    pub(super) fn all(shared: &Arc<Shared>) -> Vec<Self> {
        let mut lanes: Vec<_> = {
            let registry = shared.registry();
            registry.lanes.iter().map(|(id, lane)| (id.clone(), Arc::clone(lane))).collect()
        };
        lanes.sort_unstable_by_key(|(_, lane)| lane.number());
        lanes.into_iter().map(|(id, lane)| lane.lock().view(id, &shared.log())).collect()
    }
}
