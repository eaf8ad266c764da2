//! Accounts over HTTP: `/api/auth/*`.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{AccountDeletion, AccountsError, Login, ProfileUpdate, Session, Signup, User};
use serde_json::{Value, json};

use crate::{
    auth::{LoggedIn, set_cookie},
    body::JsonObject,
    error::{ApiError, INVALID_INPUT},
    limits::Standing,
    peer::Peer,
    routes::shared::private,
    state::AppState,
};

/// What tries to set up the shop are counted as; no account has this name.
const SETUP: &str = "(setup)";

/// `POST /api/auth/signup`
pub(crate) async fn signup(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let signup = Signup::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    state.limits.newcomer(peer)?;
    let (user, session) = state.accounts.signup(signup).await?;
    welcome(&state, StatusCode::CREATED, &user, &session)
}

/// `POST /api/auth/login`
pub(crate) async fn login(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let login = Login::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    let attempt = state.limits.attempt(peer, &login.username)?;
    let result = state.accounts.login(login).await;
    let standing = attempt.end(&result);
    let answer = match result {
        Ok((user, session)) => welcome(&state, StatusCode::OK, &user, &session),
        Err(error) => Err(error.into()),
    };
    Ok(told(standing, answer))
}

/// `POST /api/auth/setup`: the first administrator, by the link that was printed at the start.
pub(crate) async fn setup(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    JsonObject(mut object): JsonObject,
) -> Result<Response, ApiError> {
    let shown = object.remove("token");
    let signup = Signup::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    let attempt = state.limits.attempt(peer, SETUP)?;
    let is_right =
        shown.as_ref().and_then(Value::as_str).is_some_and(|it| state.setup.is_shown_by(it));
    if !is_right {
        return Err(ApiError::SetupRefused);
    }
    let result = state.accounts.create_first_admin(signup).await;
    attempt.end(&result);
    let (user, session) = result?;
    tracing::info!(username = %user.username, "the first administrator was made");
    welcome(&state, StatusCode::CREATED, &user, &session)
}

/// `POST /api/auth/logout`
pub(crate) async fn logout(
    State(state): State<AppState>,
    login: Result<LoggedIn, ApiError>,
) -> Result<Response, ApiError> {
    let answer = match login {
        Ok(LoggedIn { session, .. }) => {
            state.accounts.logout(session.id).await?;
            StatusCode::NO_CONTENT.into_response()
        }
        // A session that has ended elsewhere leaves its cookie: that goes as well.
        Err(ended @ ApiError::Accounts(AccountsError::SessionEnded)) => ended.into_response(),
        Err(error) => return Err(error),
    };
    with_cookie(&state, None, 0, answer)
}

/// `GET /api/auth/profile`
pub(crate) async fn profile(LoggedIn { user, .. }: LoggedIn) -> Response {
    private(&user)
}

/// `PUT /api/auth/profile`
pub(crate) async fn update_profile(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    LoggedIn { user, session }: LoggedIn,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let update = ProfileUpdate::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    if update.password.is_none() {
        return Ok(private(&state.accounts.update_profile(session.id, update).await?));
    }
    let attempt = state.limits.attempt(peer, user.username.as_str())?;
    let result = state.accounts.update_profile(session.id, update).await;
    let standing = attempt.end(&result);
    Ok(told(standing, result.map(|user| private(&user)).map_err(ApiError::from)))
}

/// The answer, with how many failures are left.
fn told(standing: Option<Standing>, answer: Result<Response, ApiError>) -> Response {
    let mut response = answer.into_response();
    if let Some(standing) = standing {
        standing.put(response.headers_mut());
    }
    response
}

/// `DELETE /api/auth/profile`
pub(crate) async fn delete_profile(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    LoggedIn { user, session }: LoggedIn,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let deletion = AccountDeletion::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    let attempt = state.limits.attempt(peer, user.username.as_str())?;
    let result = state.accounts.delete_own(session.id, deletion.password).await;
    let standing = attempt.end(&result);
    let answer = match result {
        Ok(()) => with_cookie(&state, None, 0, StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(error.into()),
    };
    Ok(told(standing, answer))
}

/// The token in the body, for programs, and as a cookie, for browsers.
fn welcome(
    state: &AppState,
    status: StatusCode,
    user: &User,
    session: &Session,
) -> Result<Response, ApiError> {
    let token = state.tokens.issue(user, session).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        ApiError::Internal
    })?;
    let seconds = session.expires_at.duration_since(session.created_at).as_secs();
    let response = (status, Json(json!({ "token": token, "user": user }))).into_response();
    with_cookie(state, Some(&token), seconds, response)
}

fn with_cookie(
    state: &AppState,
    token: Option<&str>,
    seconds: i64,
    mut response: Response,
) -> Result<Response, ApiError> {
    let cookie = set_cookie(&state.config, token, seconds);
    let cookie = HeaderValue::try_from(cookie).map_err(|_| ApiError::Internal)?;
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
