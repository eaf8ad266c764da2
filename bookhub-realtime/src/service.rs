//! The tower service that takes WebSocket connections: the opening handshake (RFC 6455, section
//! 4.2), the origin check, and the way from there into a session.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request};
use http_body_util::Full;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_service::Service;

use crate::{
    hub::{Seat, Shared},
    lane::Io,
    protocol::SUBPROTOCOL,
    session::{self, Opening},
};

/// Takes WebSocket connections for a [`Hub`](crate::Hub); made by
/// [`Hub::websocket`](crate::Hub::websocket).
///
/// A `tower::Service`, so axum mounts it with `route_service`, and plain hyper through
/// `hyper_util::service::TowerToHyperService`; the server has to allow upgrades. What is no
/// WebSocket handshake gets a 4xx and a sentence.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig};
/// use hyper_util::service::TowerToHyperService;
///
/// let hub = Hub::new(HubConfig::new());
/// let for_axum: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
/// let for_hyper = TowerToHyperService::new(hub.websocket());
/// ```
#[derive(Clone)]
pub struct WebSocketService {
    shared: Weak<Shared>,
}

/// A request that is not taken, as status, code and sentence.
type Refusal = (StatusCode, &'static str, &'static str);

impl WebSocketService {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::downgrade(shared) }
    }

    fn take<B>(&self, mut request: Request<B>) -> Result<Response<Full<Bytes>>, Refusal> {
        let shared = self.shared.upgrade().ok_or(UNAVAILABLE)?;
        let accept = check_handshake(&request)?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(NO_UPGRADE)?;
        let (mut parts, _) = request.into_parts();
        check_origin(&mut parts, shared.config.allowed_origins.as_deref())?;
        let seat = shared.take_seat().ok_or(TOO_MANY)?;
        if shared.is_draining() {
            return Err(UNAVAILABLE);
        }

        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept);
        let speaks = has_token(&parts.headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        if speaks {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        }
        tokio::spawn(open(shared, seat, upgrade, parts, speaks));
        Ok(response.body(Full::default()).expect("every header is a plain text"))
    }
}

impl<B> Service<Request<B>> for WebSocketService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.take(request).unwrap_or_else(refuse)))
    }
}

impl fmt::Debug for WebSocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketService").finish_non_exhaustive()
    }
}

/// Waits for the connection to be handed over and begins the session on it.
async fn open(
    shared: Arc<Shared>,
    seat: Seat,
    upgrade: OnUpgrade,
    parts: request::Parts,
    awaits_hello: bool,
) {
    match upgrade.await {
        Ok(upgraded) => {
            let (io, received) = unwrap(upgraded);
            // Its task holds the request and hyper's state no longer than the opening lasts.
            let opening = Opening { parts: Some(Box::new(parts)), awaits_hello, received };
            tokio::spawn(session::run(shared, seat, io, opening));
        }
        Err(error) => tracing::debug!(%error, "a WebSocket client went away during its upgrade"),
    }
}

/// The socket itself where hyper read from one directly, and what hyper has read too far.
fn unwrap(upgraded: Upgraded) -> (Box<dyn Io>, Vec<u8>) {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => (Box::new(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => (Box::new(TokioIo::new(upgraded)), Vec::new()),
    }
}

const UNAVAILABLE: Refusal =
    (StatusCode::SERVICE_UNAVAILABLE, "draining", "The server is going away: connect again soon");
const TOO_MANY: Refusal =
    (StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", "Too many connections: try later");
const NO_UPGRADE: Refusal =
    (StatusCode::BAD_REQUEST, "no_upgrade", "This connection cannot be upgraded: use HTTP/1.1");
const NO_WEBSOCKET: Refusal =
    (StatusCode::UPGRADE_REQUIRED, "upgrade_required", "This address speaks WebSocket");
const BAD_VERSION: Refusal =
    (StatusCode::UPGRADE_REQUIRED, "websocket_version", "Only WebSocket version 13 is spoken here");
const BAD_METHOD: Refusal =
    (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "A WebSocket handshake is a GET");
const BAD_KEY: Refusal =
    (StatusCode::BAD_REQUEST, "websocket_key", "Sec-WebSocket-Key must be 16 bytes in Base64");
const FOREIGN: Refusal =
    (StatusCode::FORBIDDEN, "origin", "Pages of this origin may not connect here");

fn refuse((status, code, sentence): Refusal) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "error": sentence, "code": code }).to_string();
    let response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    let response = match status {
        StatusCode::UPGRADE_REQUIRED => response
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13"),
        StatusCode::METHOD_NOT_ALLOWED => response.header(header::ALLOW, "GET"),
        StatusCode::SERVICE_UNAVAILABLE => response.header(header::RETRY_AFTER, "2"),
        _ => response,
    };
    response.body(Full::from(body)).expect("every header is a plain text")
}

/// The value for `Sec-WebSocket-Accept`, if this is a handshake.
fn check_handshake<B>(request: &Request<B>) -> Result<String, Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(BAD_METHOD);
    }
    let upgrades = has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    if !upgrades {
        return Err(NO_WEBSOCKET);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(BAD_VERSION);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(BAD_KEY)?;
    match BASE64.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(derive_accept_key(key.as_bytes())),
        _ => Err(BAD_KEY),
    }
}

/// Refuses pages of foreign origins, and takes the cookies out of a request that shows no allowed
/// one: a cookie is the browser's, and only the origin says whose page uses it.
fn check_origin(parts: &mut request::Parts, allowed: Option<&[String]>) -> Result<(), Refusal> {
    let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = origin
        .and_then(|origin| origin.split_once("://"))
        .is_some_and(|(_, authority)| Some(authority) == host);
    let is_allowed =
        is_own || allowed.is_some_and(|list| list.iter().any(|known| Some(&**known) == origin));
    if parts.headers.contains_key(header::ORIGIN) && !is_allowed && allowed.is_some() {
        return Err(FOREIGN);
    }
    if !is_allowed {
        parts.headers.remove(header::COOKIE);
    }
    Ok(())
}

/// Whether a comma-separated header has the token, in any case.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(header::HeaderName, &str)]) -> request::Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let request = Request::builder()
            .header(header::CONNECTION, "keep-alive, Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        assert_eq!(check_handshake(&request), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
    }

    #[test]
    fn a_foreign_page_is_refused_and_without_an_origin_cookies_do_not_count() {
        let allowed = ["https://shop.example".to_owned()];
        let cookie = (header::COOKIE, "token=x");
        let mut foreign = parts(&[(header::ORIGIN, "https://evil.example"), cookie.clone()]);
        assert_eq!(check_origin(&mut foreign, Some(&allowed)), Err(FOREIGN));

        let mut program = parts(std::slice::from_ref(&cookie));
        assert_eq!(check_origin(&mut program, Some(&allowed)), Ok(()));
        assert!(!program.headers.contains_key(header::COOKIE));

        let own = (header::ORIGIN, "http://localhost:5000");
        let mut page = parts(&[own, (header::HOST, "localhost:5000"), cookie]);
        assert_eq!(check_origin(&mut page, Some(&allowed)), Ok(()));
        assert!(page.headers.contains_key(header::COOKIE));
    }
}
