//! The flags of `bookhub watch`.

use bookhub_realtime::{EventId, TopicPattern};

/// Show what changes, as it changes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A lost connection is taken up again where it was: each event is shown once, in order. Where the
server cannot do that, `resync` says so: fetch the catalogue anew. The times are those at which the
events came in. At the end, standard error names the place to go on from with --since.

With --output ndjson (json is the same here) each line is an event as the server sent it; a resync
is a line {\"event\":\"resync\",...} among them.

Examples:
  bookhub watch
  bookhub watch --topic books --count 1 --output ndjson
  bookhub watch --since 5f2c91d0a4e8b7c6-100")]
pub(crate) struct WatchArgs {
    /// What to follow; several times for several topics [default: what the server follows]
    #[arg(long = "topic", short, value_name = "TOPIC")]
    pub(crate) topics: Vec<TopicPattern>,
    /// Go on after this event or position
    #[arg(long, value_name = "ID")]
    pub(crate) since: Option<EventId>,
    /// End after so many events
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) count: Option<u64>,
}
