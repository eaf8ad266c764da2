//! Accounts over HTTP: `/api/auth/*`.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{AccountDeletion, AccountsError, Login, ProfileUpdate, Session, Signup, User};
use serde_json::json;

use crate::{
    auth::{LoggedIn, set_cookie},
    body::JsonObject,
    error::{ApiError, INVALID_INPUT},
    state::AppState,
};

/// `POST /api/auth/signup`
pub(crate) async fn signup(
    State(state): State<AppState>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let signup = Signup::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    let (user, session) = state.accounts.signup(signup).await?;
    welcome(&state, StatusCode::CREATED, &user, &session)
}

/// `POST /api/auth/login`
pub(crate) async fn login(
    State(state): State<AppState>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let login = Login::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    let (user, session) = state.accounts.login(login).await?;
    welcome(&state, StatusCode::OK, &user, &session)
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
pub(crate) async fn profile(LoggedIn { user, .. }: LoggedIn) -> Json<User> {
    Json(user)
}

/// `PUT /api/auth/profile`
pub(crate) async fn update_profile(
    State(state): State<AppState>,
    LoggedIn { session, .. }: LoggedIn,
    JsonObject(object): JsonObject,
) -> Result<Json<User>, ApiError> {
    let update = ProfileUpdate::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    Ok(Json(state.accounts.update_profile(session.id, update).await?))
}

/// `DELETE /api/auth/profile`
pub(crate) async fn delete_profile(
    State(state): State<AppState>,
    LoggedIn { session, .. }: LoggedIn,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let deletion = AccountDeletion::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    state.accounts.delete_own(session.id, deletion.password).await?;
    with_cookie(&state, None, 0, StatusCode::NO_CONTENT.into_response())
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
