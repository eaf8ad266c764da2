//! The accounts, for admins: `/api/users`.

use axum::{
    Json,
    extract::{FromRequestParts, Path, RawQuery, State},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use bookhub_core::{RolePatch, UserId, UserQuery};
use serde::Serialize;

use crate::{
    auth::Admin,
    body::JsonObject,
    error::{ApiError, INVALID_INPUT, INVALID_QUERY},
    routes::listing::Parameters,
    state::AppState,
};

/// `GET /api/users`
pub(crate) async fn list(
    State(state): State<AppState>,
    _: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let query = UserQuery::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    let page = state.accounts.list(&query).await?;
    let mut response = shown(&page.users);
    response.headers_mut().extend(parameters.next("/api/users", page.next.as_ref())?);
    Ok(response)
}

/// `PATCH /api/users/{id}`
pub(crate) async fn update(
    State(state): State<AppState>,
    _: Admin,
    UserPath(id): UserPath,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let patch = RolePatch::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    Ok(shown(&state.accounts.set_role(id, patch.role).await?))
}

/// The user that an address names.
pub(crate) struct UserPath(UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // What is no id, or not even UTF-8, names nobody.
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or(ApiError::NotFound("User not found"))
    }
}

/// Names and addresses are for admins: no cache keeps them.
fn shown(body: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
