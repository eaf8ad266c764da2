//! Bodies of requests that were answered before they were read: the rest is read and dropped, so that
//! whoever is still sending gets to see the answer. Without it the connection would be reset.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request, http::Method};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{runtime::Handle, time::timeout};

/// How much is read for the sake of the answer, in bytes.
const MOST: usize = 8 << 20;

/// For how long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sees to it that the body of the request is read, whoever answers without it.
pub(crate) async fn drain(request: Request) -> Request {
    // These have none, and there are many of them.
    if request.method() == Method::GET || request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(Drained(body)))
}

/// A body of which nothing is left unread.
struct Drained(Body);

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if self.0.is_end_stream() {
            return;
        }
        let mut rest = std::mem::take(&mut self.0);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(PATIENCE, async move {
                let mut read = 0;
                while read <= MOST
                    && let Some(Ok(frame)) = rest.frame().await
                {
                    read += frame.into_data().map_or(0, |data| data.len());
                }
            }));
        }
    }
}
