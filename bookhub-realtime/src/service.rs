//! The tower services that take clients in, one for each transport.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use tower_service::Service;

use crate::{
    hub::Shared,
    transport::{
        http::{Refusal, ResponseBody},
        poll, sse, websocket,
    },
};

/// Takes the clients of a [`Hub`](crate::Hub) over one transport; made by
/// [`Hub::websocket`](crate::Hub::websocket), [`Hub::event_stream`](crate::Hub::event_stream) and
/// [`Hub::long_poll`](crate::Hub::long_poll).
///
/// A `tower::Service`, so axum mounts it with `route_service`, and plain hyper through
/// `hyper_util::service::TowerToHyperService`; for WebSockets the server has to allow upgrades. What
/// is not taken gets a 4xx or 503 with a sentence and a code. It does not keep the hub: when the last
/// [`Hub`](crate::Hub) is dropped it answers 503.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig};
/// use hyper_util::service::TowerToHyperService;
///
/// let hub = Hub::new(HubConfig::new());
/// let for_axum: axum::Router = axum::Router::new()
///     .route_service("/ws", hub.websocket())
///     .route_service("/events", hub.event_stream())
///     .route_service("/poll", hub.long_poll());
/// let for_hyper = TowerToHyperService::new(hub.websocket());
/// ```
///
/// A test, or a handler of the program's own, may call it like any other service:
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig};
/// use http::{Request, StatusCode};
/// use http_body_util::BodyExt as _;
/// use tower_service::Service as _;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(HubConfig::new());
/// let refused = hub.websocket().call(Request::get("/ws").body(())?).await?;
/// assert_eq!(refused.status(), StatusCode::UPGRADE_REQUIRED);
/// let why = refused.into_body().collect().await?.to_bytes();
/// assert_eq!(why, r#"{"code":"upgrade_required","error":"This address speaks WebSocket"}"#);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HubService {
    shared: Weak<Shared>,
    transport: Transport,
}

/// How clients are spoken with.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, Transport};
///
/// let view = Hub::new(HubConfig::new()).inspect();
/// assert_eq!(view.transports.get(&Transport::LongPoll), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Transport {
    /// WebSocket (RFC 6455).
    WebSocket,
    /// Server-sent events (HTML standard, section 9.2).
    EventStream,
    /// Long polling (RFC 6202, section 2).
    LongPoll,
}

impl Transport {
    /// Its name in metrics and logs.
    ///
    /// ```
    /// assert_eq!(bookhub_realtime::Transport::EventStream.as_str(), "sse");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::EventStream => "sse",
            Self::LongPoll => "poll",
        }
    }
}

impl HubService {
    pub(crate) fn new(shared: &Arc<Shared>, transport: Transport) -> Self {
        Self { shared: Arc::downgrade(shared), transport }
    }
}

impl<B> Service<Request<B>> for HubService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let transport = self.transport;
        let shared = self.shared.upgrade();
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let (parts, _) = request.into_parts();
        Box::pin(async move {
            let Some(shared) = shared else {
                return Ok(Refusal::UNAVAILABLE.response());
            };
            let taken = match transport {
                Transport::WebSocket => websocket::open(shared, parts, upgrade),
                Transport::EventStream => sse::open(shared, parts).await,
                Transport::LongPoll => poll::answer(shared, parts).await,
            };
            Ok(taken.unwrap_or_else(Refusal::response))
        })
    }
}

impl fmt::Debug for HubService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubService").field("transport", &self.transport).finish_non_exhaustive()
    }
}
