//! How do clients prove who they are with a JWT, renew it without reconnecting, and lose it at once
//! when they log out?
//!
//! `cargo run -p bookhub-examples --bin jwt -- 127.0.0.1:3000 900` (the seconds that a token is
//! valid). To see it work:
//!
//! ```sh
//! token=$(curl -s localhost:3000/login -d name=ada -d password=lovelace)
//! curl -N localhost:3000/events -H "Authorization: Bearer $token" &
//! curl localhost:3000/news -H "Authorization: Bearer $token" -d 'It works'
//! curl -X POST localhost:3000/logout -H "Authorization: Bearer $token"    # and the stream ends
//! ```
//!
//! The headers of a WebSocket are not a page's to choose. It opens `/ws` with the subprotocol
//! `bookhub.v1` and says `{"type":"hello","auth":"<token>"}`. When it is told that its credential has
//! expired, it logs in again and says `{"type":"auth","token":"<new token>"}` on the same socket.
//! After a refusal (401, or 4401 where the socket stands already) only another token helps.

use std::{
    collections::HashMap,
    env,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
    serve::ListenerExt as _,
};
use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, Topic, TopicPattern,
};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Who may log in. A real program keeps hashes, and not in its source.
const USERS: [(&str, &str); 2] = [("ada", "lovelace"), ("bob", "the builder")];

#[derive(Clone)]
struct App {
    hub: Hub,
    news: Topic,
    tokens: Tokens,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let lifetime = Duration::from_secs(args.next().map_or(Ok(900), |text| text.parse())?);

    let news: Topic = "news".parse()?;
    let tokens = Tokens::new(lifetime);
    let hub = Hub::new(
        HubConfig::new()
            .default_topics([news.clone().into()])
            .authorizer(tokens.clone())
            // The time to log in again once a token has expired.
            .auth_grace(lifetime.min(Duration::from_secs(10))),
    );
    let app = Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll())
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/news", post(publish))
        .with_state(App { hub, news, tokens });

    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await?;
    Ok(())
}

/// What a token says: whose it is, of which session, and until when.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    exp: u64,
}

/// Issues tokens and knows which are good: for the routes and for the hub.
#[derive(Clone)]
struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    lifetime: Duration,
    /// The sessions that were logged out, until their tokens would have expired anyway.
    ended: Arc<Mutex<HashMap<String, u64>>>,
}

impl Tokens {
    /// Under a key of this process: a server that is to know its users after a restart keeps one.
    fn new(lifetime: Duration) -> Self {
        let key = rand::random::<[u8; 32]>();
        Self {
            signing: EncodingKey::from_secret(&key),
            verifying: DecodingKey::from_secret(&key),
            // On time, so that the hub and the routes agree.
            validation: Validation { leeway: 0, ..Validation::default() },
            lifetime,
            ended: Arc::default(),
        }
    }

    fn issue(&self, user: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user.to_owned(),
            sid: format!("{:032x}", rand::random::<u128>()),
            exp: unix_seconds() + self.lifetime.as_secs(),
        };
        jsonwebtoken::encode(&Header::default(), &claims, &self.signing)
    }

    /// What the token says, if it is good. Why it is not is nobody's business.
    fn check(&self, token: &str) -> Option<Claims> {
        let known =
            jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?;
        (!self.ended().contains_key(&known.claims.sid)).then_some(known.claims)
    }

    fn end(&self, claims: &Claims) {
        let mut ended = self.ended();
        ended.retain(|_, expires| *expires > unix_seconds());
        ended.insert(claims.sid.clone(), claims.exp);
    }

    fn ended(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorizer for Tokens {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        let identity = credential
            .bearer()
            .and_then(|token| self.check(token))
            .map(|claims| {
                Identity::user(claims.sub)
                    .with_session(claims.sid)
                    .with_expiry(UNIX_EPOCH + Duration::from_secs(claims.exp))
            })
            .ok_or_else(|| AuthError::new("Log in: there is no valid token"));
        Box::pin(async { identity })
    }

    /// Who has come in may follow the news.
    fn may_follow(&self, _: &Identity, topic: &TopicPattern) -> bool {
        topic.as_str() == "news"
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

type Answer = Result<String, (StatusCode, String)>;

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

/// Answers a token.
async fn login(State(app): State<App>, Form(login): Form<Login>) -> Answer {
    if !USERS.contains(&(&*login.name, &*login.password)) {
        return Err((StatusCode::UNAUTHORIZED, "Wrong name or password\n".to_owned()));
    }
    app.tokens
        .issue(&login.name)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")))
}

/// Ends the token's session and, within a second, its connections.
async fn logout(State(app): State<App>, headers: HeaderMap) -> Answer {
    let claims = app.claims(&headers)?;
    // First this, so that nobody comes in again after the hub has looked.
    app.tokens.end(&claims);
    let ended = app.hub.revoke(|identity| identity.session() == Some(&*claims.sid));
    Ok(format!("connections ended: {ended}\n"))
}

/// Reaches everybody who is logged in.
async fn publish(State(app): State<App>, headers: HeaderMap, text: String) -> Answer {
    let claims = app.claims(&headers)?;
    let headline = serde_json::json!({ "by": claims.sub, "text": text });
    let position = app
        .hub
        .publish(&app.news, "headline", &headline)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")))?;
    Ok(format!("{}\n", app.hub.id(position)))
}

impl App {
    fn claims(&self, headers: &HeaderMap) -> Result<Claims, (StatusCode, String)> {
        bearer(headers)
            .and_then(|token| self.tokens.check(token))
            .ok_or_else(|| (StatusCode::UNAUTHORIZED, "Log in first\n".to_owned()))
    }
}
