//! What the hub counts, through the `metrics` facade: costs next to nothing without a recorder. The
//! names stand in the guide, `guide/operation.md`.

use std::fmt;

use metrics::{Counter, Gauge, counter, gauge};

use crate::{
    protocol::{CloseCode, ResyncReason},
    service::Transport,
};

/// The meters of one hub. Those that are moved often are looked up once, so a recorder has to be
/// installed before the hub is made.
pub(crate) struct Meters {
    pub(crate) published: Counter,
    pub(crate) deliveries: Counter,
    connections: [Gauge; 3],
}

impl Meters {
    pub(crate) fn new() -> Self {
        let connections = [Transport::WebSocket, Transport::EventStream, Transport::LongPoll];
        Self {
            published: counter!("realtime_events_published_total"),
            deliveries: counter!("realtime_events_delivered_total"),
            connections: connections
                .map(|transport| gauge!("realtime_connections", "transport" => transport.as_str())),
        }
    }

    /// How many connections there are over one transport.
    pub(crate) const fn connections(&self, transport: Transport) -> &Gauge {
        &self.connections[match transport {
            Transport::WebSocket => 0,
            Transport::EventStream => 1,
            Transport::LongPoll => 2,
        }]
    }
}

/// A request that was not taken.
pub(crate) fn refused(code: &'static str) {
    counter!("realtime_refusals_total", "code" => code).increment(1);
}

/// A connection that the hub has ended.
pub(crate) fn closed(code: CloseCode) {
    counter!("realtime_closes_total", "code" => code.name()).increment(1);
}

/// A client that was told to fetch the state anew.
pub(crate) fn resynced(reason: ResyncReason) {
    counter!("realtime_resyncs_total", "reason" => reason.as_str()).increment(1);
}

/// A client that goes on where it was.
pub(crate) fn resumed() {
    counter!("realtime_resumes_total").increment(1);
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
