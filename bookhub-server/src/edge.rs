//! What every request has to keep to, and what every answer gets on its way out: a deadline,
//! compression, and the headers that keep browsers from harm.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{NotForContentType, SizeAbove},
    },
};

use crate::{config::Environment, error::ApiError, state::AppState};

/// After how long a request is given up that should have been answered in milliseconds. Who sends a
/// body slowly is given up earlier.
const DEADLINE: Duration = Duration::from_secs(60);

/// What is smaller is not worth compressing, in bytes.
const SMALL: u64 = 1024;

/// For answers that are no pages: nothing in them is ever run or shown in a frame.
const NO_PAGE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

const OF_PAGES: [(HeaderName, HeaderValue); 3] = [
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

/// A year: what browsers ask for before they take it for good.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Gives up what takes too long.
pub(crate) async fn deadline(request: Request, next: Next) -> Response {
    match timeout(DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TimedOut.into_response(),
    }
}

/// Compresses what is worth it, the quickest way: pages of books shrink to a quarter, and nobody
/// waits for the last percent.
pub(crate) fn compression() -> CompressionLayer<impl Predicate> {
    let worth = SizeAbove::new(SMALL).and(NotForContentType::SSE).and(NotForContentType::IMAGES);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth)
}

/// The headers that keep browsers from harm, and entity tags that stay true when what they name was
/// compressed (RFC 9110, section 8.8.3.3).
pub(crate) async fn secure(State(state): State<AppState>, mut response: Response) -> Response {
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(is_html);
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    if is_page {
        headers.extend(OF_PAGES);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NO_PAGE);
    headers.entry(&RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    if state.config.environment == Environment::Production {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get_mut(header::ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        *tag = weak;
    }
    response
}

fn is_html(kind: &HeaderValue) -> bool {
    kind.as_bytes().starts_with(b"text/html")
}
