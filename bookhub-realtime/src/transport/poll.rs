//! Long polling: each request is a short session that ends with the first thing there is to say.

use std::{sync::Arc, time::Duration};

use ::http::{Response, request};
use tracing::Instrument as _;

use super::{
    http::{self, Refusal, ResponseBody, begin},
    pipe::pipe,
};
use crate::{hub::Shared, service::Transport};

/// About how much one answer carries; the next poll brings the rest.
const MOST: usize = 256 * 1024;

/// Answers one poll: at once if there is something to say or if the client does not know yet where
/// it stands, else when there is or the wait is over.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    parts: request::Parts,
) -> Result<Response<ResponseBody>, Refusal> {
    let longest = shared.config.poll_wait;
    let (writer, reader) = pipe(MOST);
    let (mut session, opening) = begin(shared, parts, Transport::LongPoll, writer)?;
    let wait = if opening.resumes() { longest } else { Duration::ZERO };
    let span = session.span();
    let denied = session.open(opening).instrument(span.clone()).await?;
    let (mut events, position) = session.serve_once(&reader, wait).instrument(span).await?;
    events.pop_if(|last| *last == b',');

    let mut body = b"{\"events\":[".to_vec();
    body.append(&mut events);
    body.extend_from_slice(format!("],\"position\":\"{position}\"").as_bytes());
    if !denied.is_empty() {
        body.extend_from_slice(b",\"denied\":");
        body.append(&mut serde_json::to_vec(&denied).expect("topics are plain strings"));
    }
    body.push(b'}');
    Ok(http::answer(ResponseBody::whole(body), "application/json"))
}
