//! Who makes a request: from the `Authorization` header or the cookie to a user, and the same for
//! the hub's connections.

use std::{sync::Arc, time::SystemTime};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use bookhub_core::{Accounts, AccountsError, Actor, Role, Session, User};
use bookhub_realtime::{AuthError, Authorizer, BoxFuture, Credential, Identity, TopicPattern};
use cookie::{Cookie, SameSite, time::Duration};

use crate::{
    bridge::books_topic,
    config::{Config, Environment},
    error::ApiError,
    state::AppState,
    tokens::Tokens,
};

/// Somebody who is logged in.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) user: User,
    pub(crate) session: Session,
}

/// Somebody who is logged in and may run the shop.
#[derive(Debug)]
pub(crate) struct Admin(User);

impl Admin {
    /// Who it is, for the services to tell the audit trail.
    pub(crate) fn actor(&self) -> Actor {
        Actor::from(&self.0)
    }
}

impl FromRequestParts<AppState> for LoggedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let cookie_name = cookie_name(&state.config);
        let token = match bearer(&parts.headers) {
            Some(token) => token,
            None => match cookie(&parts.headers, cookie_name) {
                Some(token) => {
                    check_same_site(parts, &state.config)?;
                    token
                }
                None => return Err(ApiError::LoginRequired),
            },
        };
        let session = state.tokens.session(&token).ok_or(AccountsError::SessionEnded)?;
        let (user, session) = state.accounts.authenticate(session).await?;
        Ok(Self { user, session })
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let LoggedIn { user, .. } = LoggedIn::from_request_parts(parts, state).await?;
        if user.role == Role::Admin { Ok(Self(user)) } else { Err(ApiError::AdminRequired) }
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

/// A browser sends the cookie with whatever page asks it to; a change is taken only from a page of
/// the shop.
fn check_same_site(parts: &Parts, config: &Config) -> Result<(), ApiError> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(header::ORIGIN);
    let is_own = match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => {
            let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, own)| own);
            authority.is_some() && authority == text(header::HOST)
        }
    };
    let is_allowed = config.client_origins.iter().any(|allowed| Some(&**allowed) == origin);
    if is_own || is_allowed { Ok(()) } else { Err(ApiError::CrossSite) }
}

const fn cookie_name(config: &Config) -> &'static str {
    match config.environment {
        Environment::Production => "__Host-token",
        Environment::Development => "token",
    }
}

/// The `Set-Cookie` header that keeps the token in a browser, or takes it away.
pub(crate) fn set_cookie(config: &Config, token: Option<&str>, seconds: i64) -> String {
    Cookie::build((cookie_name(config), token.unwrap_or_default()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.environment == Environment::Production)
        .max_age(Duration::seconds(if token.is_some() { seconds } else { 0 }))
        .build()
        .to_string()
}

/// Who the hub's clients are: users by token or cookie, guests otherwise.
pub(crate) struct ShopAuthorizer {
    accounts: Accounts,
    tokens: Arc<Tokens>,
    cookie_name: &'static str,
}

impl ShopAuthorizer {
    pub(crate) fn new(accounts: Accounts, tokens: Arc<Tokens>, config: &Config) -> Self {
        Self { accounts, tokens, cookie_name: cookie_name(config) }
    }

    async fn identity(&self, token: &str) -> Result<Identity, AuthError> {
        let refused = || AuthError::new("Log in again: the session has ended");
        let session = self.tokens.session(token).ok_or_else(refused)?;
        let answer = self.accounts.authenticate(session).await;
        let (user, session) = answer.map_err(|error| match error {
            AccountsError::Store(error) => {
                tracing::warn!(%error, "a credential cannot be looked at");
                AuthError::unavailable("The shop cannot look at the login at the moment")
            }
            _ => refused(),
        })?;
        let expiry = SystemTime::try_from(session.expires_at).map_err(|_| refused())?;
        let identity = Identity::user(user.id.to_string())
            .with_session(session.id.to_string())
            .with_expiry(expiry);
        Ok(if user.role == Role::Admin { identity.with_role("admin") } else { identity })
    }
}

impl Authorizer for ShopAuthorizer {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            match credential {
                Credential::Token(token) => self.identity(token).await,
                Credential::Request(parts) => match bearer(&parts.headers) {
                    Some(token) => self.identity(&token).await,
                    None => match cookie(&parts.headers, self.cookie_name) {
                        // A cookie that has ended makes a guest: the shop stays live for them.
                        Some(token) => self.identity(&token).await.or_else(|error| {
                            if error.is_unavailable() { Err(error) } else { Ok(Identity::guest()) }
                        }),
                        None => Ok(Identity::guest()),
                    },
                },
                _ => Ok(Identity::guest()),
            }
        })
    }

    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        let own = || identity.subject().map(|user| format!("orders.{user}"));
        topic.as_str() == books_topic().as_str()
            || identity.has_role("admin")
            || own().is_some_and(|own| topic.as_str() == own)
    }
}
