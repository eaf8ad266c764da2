//! The accounts, for admins: `/api/users`.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use bookhub_core::{RolePatch, UserId, UserQuery};

use crate::{
    auth::Admin,
    body::JsonObject,
    error::{ApiError, INVALID_INPUT, INVALID_QUERY},
    routes::{
        listing::Parameters,
        shared::{IdPath, private},
    },
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
    let mut response = private(&page.users);
    response.headers_mut().extend(parameters.next("/api/users", page.next.as_ref())?);
    Ok(response)
}

/// `PATCH /api/users/{id}`
pub(crate) async fn update(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<UserId>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let patch = RolePatch::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    Ok(private(&state.accounts.by(admin.actor()).set_role(id, patch.role).await?))
}

/// `DELETE /api/users/{id}`: its orders stay.
pub(crate) async fn delete(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<UserId>,
) -> Result<StatusCode, ApiError> {
    state.accounts.by(admin.actor()).delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
