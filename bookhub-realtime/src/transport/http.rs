//! What the transports have in common before a session begins: whose request it is, whether there
//! is room, and how a request is refused or answered. Knows no frames and no events.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request};
use hyper::body::{Body, Frame, SizeHint};

use super::pipe;
use crate::{
    hub::{Seat, Shared},
    lane::{Ending, LastWords},
    metrics,
    protocol::{CloseCode, Hello, Resume},
    service::Transport,
    session::{Ended, Introduction, Opening, Session},
};

/// The body of the answers of the hub's services: a sentence, the answer to a poll, or a stream of
/// events without end. Dropping a stream ends its connection.
///
/// ```
/// use bookhub_realtime::{Hub, HubConfig, ResponseBody};
/// use http::Request;
/// use http_body_util::BodyExt as _;
/// use tower_service::Service as _;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(HubConfig::new());
/// let request = Request::get("/events?topics=news").body(())?;
/// let mut stream: ResponseBody = hub.event_stream().call(request).await?.into_body();
/// let begun = stream.frame().await.transpose()?.and_then(|frame| frame.into_data().ok());
/// assert!(begun.is_some_and(|bytes| bytes.starts_with(b"retry: ")));
/// # Ok(()) }
/// ```
pub struct ResponseBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Stream(pipe::Reader),
}

impl ResponseBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty())))
    }

    pub(crate) const fn stream(reader: pipe::Reader) -> Self {
        Self(Kind::Stream(reader))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take()),
            Kind::Stream(reader) => reader.poll_take(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// A request that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) sentence: Cow<'static, str>,
    pub(crate) retry_after: Option<Duration>,
}

/// How long a client that found no room is asked to wait.
const TRY_LATER: Duration = Duration::from_secs(2);

impl Refusal {
    pub(crate) const fn new(
        status: StatusCode,
        code: &'static str,
        sentence: &'static str,
    ) -> Self {
        Self { status, code, sentence: Cow::Borrowed(sentence), retry_after: None }
    }

    const fn later(status: StatusCode, code: &'static str, sentence: &'static str) -> Self {
        Self { status, code, sentence: Cow::Borrowed(sentence), retry_after: Some(TRY_LATER) }
    }

    /// The hub takes nobody now.
    pub(crate) const UNAVAILABLE: Self = Self::later(
        StatusCode::SERVICE_UNAVAILABLE,
        "draining",
        "The server is going away: connect again soon",
    );

    pub(crate) const TOO_MANY: Self = Self::later(
        StatusCode::SERVICE_UNAVAILABLE,
        "too_many_connections",
        "Too many connections: try later",
    );

    pub(crate) const TOO_MANY_HERE: Self = Self::later(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_connections_of_address",
        "Too many connections from this address: close some, or try later",
    );

    pub(crate) const FOREIGN: Self =
        Self::new(StatusCode::FORBIDDEN, "origin", "Pages of this origin may not connect here");

    pub(crate) const BAD_METHOD: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Only GET is answered here",
    );

    /// A part of the query that is not understood.
    fn query(sentence: String) -> Self {
        Self {
            sentence: sentence.into(),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_query", "")
        }
    }

    /// The refusal as the close code of a handshake that is done already.
    pub(crate) fn close_code(&self) -> CloseCode {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => CloseCode::Draining,
            StatusCode::TOO_MANY_REQUESTS => CloseCode::TooMany,
            _ => CloseCode::Policy,
        }
    }

    pub(crate) fn response(self) -> Response<ResponseBody> {
        metrics::refused(self.code);
        let body = serde_json::json!({ "error": self.sentence, "code": self.code }).to_string();
        let mut response = answer(ResponseBody::whole(body), "application/json");
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            headers.insert(header::RETRY_AFTER, u64::try_from(seconds).unwrap_or(u64::MAX).into());
        }
        response
    }
}

/// A session that ended before it began, as its client would have been told.
impl From<Ending> for Refusal {
    fn from(ending: Ending) -> Self {
        let status = match ending.code {
            CloseCode::Unauthorized => StatusCode::UNAUTHORIZED,
            CloseCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
            CloseCode::Draining | CloseCode::HeartbeatLost | CloseCode::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            CloseCode::Replaced => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut refusal = Self::new(status, ending.code.name(), ending.reason);
        if ending.code == CloseCode::Unavailable {
            refusal.retry_after = Some(TRY_LATER);
        }
        match ending.last_words {
            Some(LastWords::Error { code, message }) => {
                Self { code, sentence: message.into(), ..refusal }
            }
            Some(LastWords::Draining { retry_after_ms }) => {
                Self { retry_after: Some(Duration::from_millis(retry_after_ms)), ..refusal }
            }
            None => refusal,
        }
    }
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::ByHub(ending) => ending.into(),
            Ended::Lost | Ended::ByPeer => Self::UNAVAILABLE,
        }
    }
}

/// Whether the client may come in at all, and its seat if so.
pub(crate) fn admit(
    shared: &Arc<Shared>,
    parts: &request::Parts,
    transport: Transport,
) -> Result<Seat, Refusal> {
    if shared.is_draining() {
        return Err(Refusal::UNAVAILABLE);
    }
    let seat = shared.take_seat(parts, transport)?;
    // Again, for a drain that began between.
    if shared.is_draining() { Err(Refusal::UNAVAILABLE) } else { Ok(seat) }
}

/// Lets in a client that says everything in its request: a session for it that writes to `writer`,
/// and how that is to be opened.
pub(crate) fn begin(
    shared: Arc<Shared>,
    mut parts: request::Parts,
    transport: Transport,
    writer: pipe::Writer,
) -> Result<(Box<Session>, Opening), Refusal> {
    check_method(&parts.method)?;
    check_origin(&mut parts, shared.config.allowed_origins.as_deref())?;
    let hello = Introduction::Said(hello_of(&parts)?);
    let seat = admit(&shared, &parts, transport)?;
    let session = Session::new(shared, seat, Box::new(writer));
    Ok((Box::new(session), Opening { parts: Some(Box::new(parts)), hello }))
}

/// An answer that is nobody's but this client's, and of this moment.
pub(crate) fn answer(body: ResponseBody, content_type: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Only GET asks for events.
pub(crate) fn check_method(method: &Method) -> Result<(), Refusal> {
    if method == Method::GET { Ok(()) } else { Err(Refusal::BAD_METHOD) }
}

/// Refuses pages of foreign origins, and takes the cookies out of a request that shows no allowed
/// one: a cookie is the browser's, and only the origin says whose page uses it.
///
/// Browsers name no origin in a plain GET to their own server. There they say `Sec-Fetch-Site`, and
/// where that is missing too (on plain HTTP) a referrer.
pub(crate) fn check_origin(
    parts: &mut request::Parts,
    allowed: Option<&[String]>,
) -> Result<(), Refusal> {
    let headers = &parts.headers;
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(header::ORIGIN);
    let host = text(header::HOST);
    let is_here = |url: &str| {
        let authority = url.split_once("://").map(|(_, rest)| rest.split('/').next());
        authority.is_some_and(|authority| authority == host)
    };
    let is_upgrade = headers.contains_key(header::UPGRADE);
    let is_own = match (origin, text(SEC_FETCH_SITE)) {
        (Some(origin), _) => is_here(origin),
        (None, _) if is_upgrade => false,
        (None, Some(site)) => site == "same-origin",
        (None, None) => text(header::REFERER).is_some_and(is_here),
    };
    let is_allowed =
        is_own || allowed.is_some_and(|list| list.iter().any(|known| Some(&**known) == origin));
    if headers.contains_key(header::ORIGIN) && !is_allowed && allowed.is_some() {
        return Err(Refusal::FOREIGN);
    }
    if !is_allowed {
        parts.headers.remove(header::COOKIE);
    }
    Ok(())
}

const SEC_FETCH_SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");

/// The header in which a browser says where its stream was cut.
const LAST_EVENT_ID: header::HeaderName = header::HeaderName::from_static("last-event-id");

/// What the query of a stream or a poll says: `topics`, and `after` which id to go on. A browser
/// that reconnects repeats the old query and says in a header how far it has come since.
fn hello_of(parts: &request::Parts) -> Result<Hello, Refusal> {
    let mut hello = Hello::default();
    let mut after = None;
    for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "topics" => {
                let topics = hello.topics.get_or_insert_default();
                for topic in value.split(',') {
                    topics.push(topic.parse().map_err(|error| {
                        Refusal::query(format!("topics: {topic:?} is {error}"))
                    })?);
                }
            }
            "after" => after = Some(value.into_owned()),
            other => {
                let known = "only topics and after are known";
                return Err(Refusal::query(format!("{other:?} is no parameter: {known}")));
            }
        }
    }
    let header = parts.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let last_id = header.map(str::to_owned).filter(|id| !id.is_empty()).or(after);
    hello.resume = last_id.map(|last_id| Resume { token: None, last_id: Some(last_id) });
    Ok(hello)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(header::HeaderName, &str)]) -> request::Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const COOKIE: (header::HeaderName, &str) = (header::COOKIE, "token=x");

    #[test]
    fn a_foreign_page_is_refused_and_without_an_origin_cookies_do_not_count() {
        let allowed = ["https://shop.example".to_owned()];
        let mut foreign = parts(&[(header::ORIGIN, "https://evil.example"), COOKIE]);
        assert_eq!(check_origin(&mut foreign, Some(&allowed)), Err(Refusal::FOREIGN));

        let mut program = parts(&[COOKIE]);
        assert_eq!(check_origin(&mut program, Some(&allowed)), Ok(()));
        assert!(!program.headers.contains_key(header::COOKIE));

        let own = (header::ORIGIN, "http://localhost:5000");
        let mut page = parts(&[own, (header::HOST, "localhost:5000"), COOKIE]);
        assert_eq!(check_origin(&mut page, Some(&allowed)), Ok(()));
        assert!(page.headers.contains_key(header::COOKIE));
    }

    #[test]
    fn a_stream_of_the_servers_own_page_may_use_its_cookies() {
        let cookies_stay = |headers: &[(header::HeaderName, &str)]| {
            let mut parts = parts(headers);
            check_origin(&mut parts, Some(&[])).unwrap();
            parts.headers.contains_key(header::COOKIE)
        };
        let host = (header::HOST, "localhost:5000");
        assert!(cookies_stay(&[COOKIE, (SEC_FETCH_SITE, "same-origin")]));
        assert!(!cookies_stay(&[COOKIE, (SEC_FETCH_SITE, "cross-site")]));
        assert!(!cookies_stay(&[COOKIE, (SEC_FETCH_SITE, "same-site")]));
        let here = (header::REFERER, "http://localhost:5000/books");
        assert!(cookies_stay(&[COOKIE, host.clone(), here.clone()]));
        assert!(!cookies_stay(&[COOKIE, host.clone(), (header::REFERER, "http://evil.example/")]));
        let upgrade = (header::UPGRADE, "websocket");
        assert!(!cookies_stay(&[COOKIE, host, here, upgrade]), "a WebSocket always has an origin");
    }

    #[test]
    fn the_header_says_more_than_the_query_of_a_stream_that_was_cut() {
        let request = |uri: &str| Request::builder().uri(uri);
        let read = |request: request::Builder| {
            let hello = hello_of(&request.body(()).unwrap().into_parts().0).unwrap();
            (hello.topics.map(|topics| topics.len()), hello.resume.and_then(|at| at.last_id))
        };
        let both = request("/events?topics=a,b.%2A&after=e-15").header(LAST_EVENT_ID, "e-17");
        assert_eq!(read(both), (Some(2), Some("e-17".to_owned())));
        let query = request("/events?after=e-15&topics=a&topics=b");
        assert_eq!(read(query), (Some(2), Some("e-15".to_owned())));
        assert_eq!(read(request("/events")), (None, None));
    }

    #[test]
    fn a_query_that_is_not_understood_is_refused_by_name() {
        let refused = |uri: &str| {
            let parts = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
            hello_of(&parts).unwrap_err().sentence.into_owned()
        };
        assert!(refused("/events?topics=a,,b").starts_with("topics: \"\" is not a topic"));
        assert!(refused("/events?topic=a").starts_with("\"topic\" is no parameter"));
    }
}
