//! The task behind a client: connect, say hello, pass on what comes, and begin again when the
//! connection is lost.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, future::OptionFuture};
use http::{HeaderValue, Request, StatusCode, header};
use rustls_platform_verifier::BuilderVerifierExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    Connector, connect_async_tls_with_config,
    tungstenite::{self, Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

use super::{
    ClientBuilder, Notice, Step,
    backoff::Backoff,
    credential::Bearer,
    message::{ServerControl, ServerMessage},
    wire::{EventStream, Heard, Socket, Wire},
};
use crate::{position::EventId, protocol::SUBPROTOCOL};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first words of a server may take.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);

/// After how many WebSockets in a row that did not open an event stream is tried.
const SOCKET_TRIES: u32 = 2;

/// Why a connection is over.
enum Over {
    /// Lost: try again, after this delay if the server named one.
    Lost { reason: String, retry_after: Option<Duration> },
    /// Trying again cannot help.
    Final { code: Option<u16>, reason: String },
    /// The application has dropped the client.
    Unwanted,
}

impl Over {
    fn lost(reason: impl Into<String>) -> Self {
        Self::Lost { reason: reason.into(), retry_after: None }
    }
}

/// Runs until the application drops the client or trying again cannot help.
pub(super) async fn run(settings: ClientBuilder, notices: mpsc::Sender<Step>) {
    let mut connection = Connection {
        position: settings.resume_from.clone(),
        settings,
        notices,
        credential: None,
        token: None,
        tls: None,
        http: None,
        was_connected: false,
        failed_sockets: 0,
    };
    let mut backoff = Backoff::new();
    loop {
        let begun = Instant::now();
        let over = connection.live_once().await;
        backoff.stood(begun.elapsed());
        let (reason, retry_in) = match over {
            Over::Unwanted => return,
            Over::Final { code, reason } => {
                let _ = connection.tell(Notice::Closed { code, reason }).await;
                return;
            }
            Over::Lost { reason, retry_after } => {
                (reason, retry_after.unwrap_or_else(|| backoff.next()))
            }
        };
        if connection.tell(Notice::Disconnected { reason, retry_in }).await.is_err() {
            return;
        }
        sleep(retry_in).await;
    }
}

struct Connection {
    settings: ClientBuilder,
    notices: mpsc::Sender<Step>,
    /// Up to where everything has been passed on.
    position: Option<EventId>,
    /// What is shown to the server now.
    credential: Option<SecretString>,
    token: Option<String>,
    /// Set up once, and only where it is needed.
    tls: Option<Connector>,
    http: Option<reqwest::Client>,
    was_connected: bool,
    /// How many WebSockets in a row did not open.
    failed_sockets: u32,
}

impl Connection {
    /// One connection from its handshake to its end.
    async fn live_once(&mut self) -> Over {
        if let Some(bearer) = &self.settings.bearer {
            match bearer.show().await {
                Ok(token) => self.credential = Some(token),
                Err(reason) => return Over::lost(reason),
            }
        }
        let mut wire = match self.connect().await {
            Ok(wire) => wire,
            Err(over) => return over,
        };
        let over = self.follow(&mut wire).await;
        // The server learns that nobody listens; it knows what to do without an answer.
        let _ = timeout(Duration::from_secs(1), wire.close()).await;
        over
    }

    /// Opens a WebSocket, or an event stream where WebSockets do not come through.
    async fn connect(&mut self) -> Result<Wire, Over> {
        let failed = match self.open_socket().await {
            Ok(socket) => {
                self.failed_sockets = 0;
                return Ok(Wire::Socket(Box::new(socket)));
            }
            Err(failed) => failed,
        };
        self.failed_sockets += 1;
        let refused = matches!(failed, Over::Final { .. });
        let Some(url) = self.settings.stream_url() else {
            return Err(failed);
        };
        if !refused && self.failed_sockets < SOCKET_TRIES {
            return Err(failed);
        }
        match self.open_stream(&url).await {
            Ok(stream) => Ok(Wire::Stream(Box::new(stream))),
            Err(refused @ Over::Final { .. }) => Err(refused),
            // What the first choice said is what the application can act on.
            Err(_) => Err(failed),
        }
    }

    async fn open_socket(&mut self) -> Result<Socket, Over> {
        let request = self.request()?;
        let connector = match (request.uri().scheme_str(), &self.tls) {
            (Some("wss"), None) => {
                let tls = tls().map_err(|error| Over::Final {
                    code: None,
                    reason: format!("TLS cannot be set up: {error}"),
                })?;
                self.tls.insert(tls).clone()
            }
            (_, Some(tls)) => tls.clone(),
            (_, None) => Connector::Plain,
        };
        let config = WebSocketConfig::default().read_buffer_size(4096);
        let connecting =
            connect_async_tls_with_config(request, Some(config), true, Some(connector));
        let mut socket = match timeout(CONNECT_TIMEOUT, connecting).await {
            Err(_) => return Err(Over::lost("the server does not answer")),
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return Err(self.judge(&error)),
        };
        match socket.send(Message::text(self.hello())).await {
            Ok(()) => Ok(socket),
            Err(error) => Err(Over::lost(error.to_string())),
        }
    }

    async fn open_stream(&mut self, url: &str) -> Result<EventStream, Over> {
        let http = match &self.http {
            Some(http) => http.clone(),
            None => {
                let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build();
                let http = http.map_err(|error| Over::lost(error.to_string()))?;
                self.http.insert(http).clone()
            }
        };
        let mut request = http.get(url).header(header::ACCEPT, "text/event-stream");
        if let Some(topics) = &self.settings.topics {
            let topics: Vec<_> = topics.iter().map(|topic| topic.as_str()).collect();
            request = request.query(&[("topics", topics.join(","))]);
        }
        if let Some(position) = &self.position {
            request = request.query(&[("after", position.to_string())]);
        }
        if let Some(token) = &self.credential {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = timeout(CONNECT_TIMEOUT, request.send())
            .await
            .map_err(|_| Over::lost("the server does not answer"))?
            .map_err(|error| Over::lost(error.to_string()))?;
        match response.status() {
            StatusCode::OK => Ok(EventStream::new(response)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Over::Final {
                code: Some(status.as_u16()),
                reason: format!("{url} answered {status}"),
            }),
            status => Err(Over::lost(format!("{url} answered {status}"))),
        }
    }

    fn request(&self) -> Result<Request<()>, Over> {
        let bad = |error: &dyn std::fmt::Display| Over::Final {
            code: None,
            reason: format!("cannot connect to {}: {error}", self.settings.url),
        };
        let mut request =
            self.settings.url.as_str().into_client_request().map_err(|error| bad(&error))?;
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        if let Some(token) = &self.credential {
            let value = format!("Bearer {}", token.expose_secret());
            let mut value = HeaderValue::try_from(value).map_err(|error| bad(&error))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// A server that answers with a refusal at the first try will not think otherwise at the next.
    fn judge(&self, error: &tungstenite::Error) -> Over {
        match error {
            tungstenite::Error::Http(response)
                if !self.was_connected && response.status().is_client_error() =>
            {
                let status = response.status();
                let reason = format!("{} answered {status}", self.settings.url);
                Over::Final { code: Some(status.as_u16()), reason }
            }
            tungstenite::Error::Url(error) => {
                Over::Final { code: None, reason: format!("{}: {error}", self.settings.url) }
            }
            error => Over::lost(error.to_string()),
        }
    }

    fn hello(&self) -> String {
        let mut hello = json!({ "type": "hello" });
        if let Some(topics) = &self.settings.topics {
            hello["topics"] = json!(topics);
        }
        if self.token.is_some() || self.position.is_some() {
            let mut resume = json!({});
            if let Some(token) = &self.token {
                resume["token"] = json!(token);
            }
            if let Some(position) = &self.position {
                resume["last_id"] = json!(position);
            }
            hello["resume"] = resume;
        }
        hello.to_string()
    }

    /// Passes on what comes until the connection is over.
    async fn follow(&mut self, wire: &mut Wire) -> Over {
        let mut patience = WELCOME_TIMEOUT;
        let mut retry_after = None;
        let mut complaint = None;
        let mut recovered = None;
        let mut is_welcome = false;
        let mut renewing = None;
        loop {
            let heard = select! {
                biased;
                renewed = OptionFuture::from(renewing.as_mut()), if renewing.is_some() => {
                    renewing = None;
                    if let Some(Ok(token)) = renewed {
                        self.show(token, wire).await;
                        complaint = None;
                    }
                    continue;
                }
                heard = timeout(patience, wire.hear()) => heard,
            };
            let text = match heard {
                Err(_) => return Over::lost("the server has gone silent"),
                Ok(Heard::Lost(reason)) => return Over::Lost { reason, retry_after },
                Ok(Heard::Close { code, reason }) => {
                    return self.closed(code, &reason, complaint, retry_after, is_welcome);
                }
                Ok(Heard::Position(position)) => {
                    if let Ok(position) = position.parse()
                        && self.seen(position).await.is_err()
                    {
                        return Over::Unwanted;
                    }
                    continue;
                }
                Ok(Heard::Text(text)) => text,
            };
            let told = match ServerMessage::parse(&text) {
                ServerMessage::Event(event) => self.pass_on(event).await,
                ServerMessage::Control(control) => match control {
                    ServerControl::Welcome { token, position, recovered: yes, heartbeat } => {
                        self.token = Some(token);
                        self.was_connected = true;
                        is_welcome = true;
                        patience = Duration::from_millis(heartbeat) * 2 + Duration::from_secs(5);
                        recovered = Some(yes);
                        // Of a resume it says nothing new, and a resync says it itself.
                        if self.position.is_none() { self.seen(position).await } else { Ok(()) }
                    }
                    ServerControl::Subscribed { token, denied } => {
                        self.token = Some(token);
                        match recovered.take() {
                            Some(recovered) => {
                                self.tell(Notice::Connected { recovered, denied }).await
                            }
                            None => Ok(()),
                        }
                    }
                    ServerControl::Ping { position } | ServerControl::Pong { position } => {
                        self.seen(position).await
                    }
                    ServerControl::Token { token } => {
                        self.token = Some(token);
                        Ok(())
                    }
                    ServerControl::Resync { reason, position } => {
                        self.position = Some(position.clone());
                        self.tell(Notice::Resync { reason, position }).await
                    }
                    ServerControl::Error { code, message } => {
                        if code == "credential_expired" && matches!(wire, Wire::Socket(_)) {
                            renewing = self.renewable().map(Bearer::show);
                        }
                        complaint = Some(message);
                        Ok(())
                    }
                    ServerControl::Close { code, reason } => {
                        let code = Some(code);
                        return self.closed(code, &reason, complaint, retry_after, is_welcome);
                    }
                    ServerControl::Draining { retry_after_ms } => {
                        retry_after = Some(Duration::from_millis(retry_after_ms));
                        Ok(())
                    }
                },
                ServerMessage::Unknown => Ok(()),
            };
            if told.is_err() {
                return Over::Unwanted;
            }
        }
    }

    /// Where a fresh credential comes from.
    fn renewable(&self) -> Option<&Bearer> {
        self.settings.bearer.as_ref().filter(|bearer| bearer.is_renewable())
    }

    /// Shows a fresh credential on the connection, to a server that can hear it.
    async fn show(&mut self, token: SecretString, wire: &mut Wire) {
        if let Wire::Socket(socket) = wire {
            let auth = json!({ "type": "auth", "token": token.expose_secret() });
            // If it does not come through, the next that is heard is that the connection is lost.
            let _ = socket.send(Message::text(auth.to_string())).await;
        }
        self.credential = Some(token);
    }

    /// What the server's close means for the next try.
    fn closed(
        &self,
        code: Option<u16>,
        said: &str,
        complaint: Option<String>,
        retry_after: Option<Duration>,
        was_welcome: bool,
    ) -> Over {
        let said = Some(said.to_owned()).filter(|said| !said.is_empty());
        let reason = complaint.or(said).unwrap_or_else(|| "closed by the server".to_owned());
        match code {
            // The credential has ended that was good when the connection began.
            Some(4401) if was_welcome && self.renewable().is_some() => {
                Over::Lost { reason, retry_after }
            }
            Some(1008 | 1009 | 4401 | 4409) => Over::Final { code, reason },
            _ => Over::Lost { reason, retry_after },
        }
    }

    async fn pass_on(&mut self, event: super::Event) -> Result<(), ()> {
        if self.position.as_ref().is_some_and(|seen| event.id <= *seen) {
            return Ok(());
        }
        self.position = Some(event.id.clone());
        self.tell(Notice::Event(event)).await
    }

    /// The server says up to where everything was sent. That never means to go back.
    async fn seen(&mut self, position: EventId) -> Result<(), ()> {
        if self.position.as_ref().is_some_and(|seen| position <= *seen) {
            return Ok(());
        }
        self.position = Some(position);
        self.step(None).await
    }

    async fn tell(&self, notice: Notice) -> Result<(), ()> {
        self.step(Some(notice)).await
    }

    async fn step(&self, notice: Option<Notice>) -> Result<(), ()> {
        let step = Step { notice, position: self.position.clone() };
        self.notices.send(step).await.map_err(|_| ())
    }
}

/// TLS as the platform trusts it. The provider is named, since a program may have several.
fn tls() -> Result<Connector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(Connector::Rustls(Arc::new(config)))
}
