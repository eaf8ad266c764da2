//! The audit trail, for admins: `/api/audit`.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use bookhub_core::AuditQuery;

use crate::{
    auth::Admin,
    error::{ApiError, INVALID_QUERY},
    routes::{listing::Parameters, shared::private},
    state::AppState,
};

/// `GET /api/audit`
pub(crate) async fn list(
    State(state): State<AppState>,
    _: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let query = AuditQuery::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    let page = state.audit.list(&query).await?;
    let mut response = private(&page.entries);
    response.headers_mut().extend(parameters.next("/api/audit", page.next.as_ref())?);
    Ok(response)
}
