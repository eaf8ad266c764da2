//! WebSocket: the opening handshake (RFC 6455, section 4.2) and the way from there into a session.

mod inbound;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(crate) use self::inbound::{Inbound, Incoming};
use super::http::{Refusal, ResponseBody, admit, check_method, check_origin};
use crate::{
    hub::{Seat, Shared},
    lane::Io,
    protocol::SUBPROTOCOL,
    service::Transport,
    session::{self, Introduction, Opening},
};

/// Answers a handshake and begins the session once the connection is handed over.
pub(crate) fn open(
    shared: Arc<Shared>,
    mut parts: request::Parts,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<ResponseBody>, Refusal> {
    let accept = check_handshake(&parts)?;
    let upgrade = upgrade.ok_or(NO_UPGRADE)?;
    check_origin(&mut parts, shared.config.allowed_origins.as_deref())?;
    let seat = admit(&shared, &parts, Transport::WebSocket)?;

    let mut response = Response::new(ResponseBody::whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let hello = introduction(&parts);
    if matches!(hello, Introduction::Awaited) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    tokio::spawn(hand_over(shared, seat, upgrade, parts, hello));
    Ok(response)
}

/// Who asks for the subprotocol will say hello.
pub(crate) fn introduction(parts: &request::Parts) -> Introduction {
    if has_token(&parts.headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        Introduction::Awaited
    } else {
        Introduction::None
    }
}

/// Waits for the connection to be handed over and begins the session on it.
async fn hand_over(
    shared: Arc<Shared>,
    seat: Seat,
    upgrade: OnUpgrade,
    parts: request::Parts,
    hello: Introduction,
) {
    match upgrade.await {
        Ok(upgraded) => {
            let (io, received) = unwrap(upgraded);
            // Its task holds the request and hyper's state no longer than the opening lasts.
            let opening = Opening { parts: Some(Box::new(parts)), hello };
            tokio::spawn(session::run(shared, seat, io, opening, received));
        }
        Err(error) => tracing::debug!(%error, "a WebSocket client went away during its upgrade"),
    }
}

/// The socket itself where hyper read from one directly, and what hyper has read too far.
fn unwrap(upgraded: Upgraded) -> (Box<dyn Io>, Vec<u8>) {
    match direct(upgraded) {
        Ok((socket, received)) => {
            // Events are small and must not wait for one another.
            let _ = socket.set_nodelay(true);
            (Box::new(socket), received.to_vec())
        }
        Err(upgraded) => (Box::new(TokioIo::new(upgraded)), Vec::new()),
    }
}

fn direct(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    // axum serves through hyper-util, which wraps the socket once more.
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

const NO_UPGRADE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "no_upgrade",
    "This connection cannot be upgraded: use HTTP/1.1",
);
const NO_WEBSOCKET: Refusal =
    Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "This address speaks WebSocket");
const BAD_VERSION: Refusal = Refusal::new(
    StatusCode::UPGRADE_REQUIRED,
    "websocket_version",
    "Only WebSocket version 13 is spoken here",
);
const NO_HOST: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "host", "A WebSocket handshake names its host, once");
const BAD_KEY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "websocket_key",
    "Sec-WebSocket-Key must be 16 bytes in Base64",
);

/// The value for `Sec-WebSocket-Accept`, if this is a handshake.
fn check_handshake(parts: &request::Parts) -> Result<HeaderValue, Refusal> {
    check_method(&parts.method)?;
    let headers = &parts.headers;
    let upgrades = has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    if !upgrades {
        return Err(NO_WEBSOCKET);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(BAD_VERSION);
    }
    the_only(headers, &header::HOST).ok_or(NO_HOST)?;
    let key = the_only(headers, &header::SEC_WEBSOCKET_KEY).ok_or(BAD_KEY)?;
    match BASE64.decode(key) {
        Ok(bytes) if bytes.len() == 16 => {
            HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| BAD_KEY)
        }
        _ => Err(BAD_KEY),
    }
}

/// The value of a header that stands there once.
fn the_only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
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
    use std::convert::Infallible;

    use http::Request;
    use hyper::server::conn::http1;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that says of each upgrade whether it came to the socket itself.
    async fn upgrade(request: Request<axum::body::Body>) -> Response<axum::body::Body> {
        let (mut parts, _) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = direct(upgrade.await.unwrap()).expect("the socket itself");
            socket.write_all(b"direct").await.unwrap();
        });
        let mut response = Response::default();
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
    }

    #[tokio::test]
    async fn below_axum_and_hyper_is_the_socket_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let axum = listener.local_addr().unwrap();
        let app: axum::Router = axum::Router::new().fallback(upgrade);
        tokio::spawn(async move { axum::serve(listener, app).await });

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hyper = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(async |request: Request<_>| {
                Ok::<_, Infallible>(upgrade(request.map(axum::body::Body::new)).await)
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            served.with_upgrades().await.unwrap();
        });

        for address in [axum, hyper] {
            let mut client = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("direct"), "{answer}");
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let request = Request::builder()
            .header(header::HOST, "server.example.com")
            .header(header::CONNECTION, "keep-alive, Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        let accept = check_handshake(&request.into_parts().0).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
