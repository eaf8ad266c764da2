//! What every request passes through: it gets an id, its errors their bodies, and the log a line.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument as _, field};
use uuid::Uuid;

use crate::{error::ErrorBody, metrics, peer::Peer};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id that stands in its log lines, in the `X-Request-Id` header and in the
/// body of an error, and logs how it ended.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let client = request.extensions().get::<Peer>().map(|peer| peer.address());
    let route = matched.as_ref().map_or("(none)", MatchedPath::as_str);
    let span = tracing::info_span!("request", id, %method, route);
    let answering = async {
        let begun = Instant::now();
        let mut response = next.run(request).await;
        if let Some(body) = response.extensions_mut().remove::<ErrorBody>() {
            response = complete(response, &body, &id);
        }
        if let Ok(value) = HeaderValue::try_from(&id) {
            response.headers_mut().insert(REQUEST_ID.clone(), value);
        }
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        metrics::request(&method, route, status, took);
        let ms = took.as_secs_f64() * 1e3;
        tracing::info!(status, ms, path, client = client.map(field::display), "request answered");
        response
    };
    answering.instrument(span).await
}

/// The error with its body, and the headers that it had already.
fn complete(failed: Response, body: &ErrorBody, id: &str) -> Response {
    let (parts, _) = failed.into_parts();
    let mut response = body.with_request_id(id);
    *response.status_mut() = parts.status;
    for (name, value) in &parts.headers {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}
