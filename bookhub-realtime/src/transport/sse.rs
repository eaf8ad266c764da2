//! Server-sent events (HTML standard, section 9.2): a response that never ends. The session writes
//! blocks into a pipe, and the response's body takes them from there.

use std::{ops::RangeInclusive, sync::Arc};

use http::{HeaderValue, Response, request};
use tracing::Instrument as _;

use super::{
    http::{Refusal, ResponseBody, answer, begin},
    pipe::pipe,
};
use crate::{hub::Shared, service::Transport};

/// How much waits for a client beside what the kernel holds for it.
const BUFFER: usize = 8 * 1024;

/// The milliseconds between which browsers wait before they come back, each for its own time, so
/// that those of a crashed server do not come at once.
const RETRY: RangeInclusive<u64> = 500..=4000;

/// Opens a stream, or says why not.
pub(crate) async fn open(
    shared: Arc<Shared>,
    parts: request::Parts,
) -> Result<Response<ResponseBody>, Refusal> {
    let (writer, reader) = pipe(BUFFER);
    let retry = format!("retry: {}\n\n", rand::random_range(RETRY));
    writer.say_first(retry.as_bytes());
    let (mut session, opening) = begin(shared, parts, Transport::EventStream, writer)?;
    let span = session.span();
    session.open(opening).instrument(span.clone()).await?;
    tokio::spawn(session.serve_to_the_end().instrument(span));

    let mut response = answer(ResponseBody::stream(reader), "text/event-stream");
    // A proxy that gathers bytes before it passes them on would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
