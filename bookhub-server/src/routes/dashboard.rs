//! How the shop is, for admins: `/api/dashboard/stats`.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use bookhub_core::{DashboardQuery, DashboardStats};
use serde::Serialize;

use crate::{
    auth::Admin,
    error::{ApiError, INVALID_QUERY},
    routes::{listing::Parameters, shared::private},
    state::AppState,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    stats: DashboardStats,
    /// At this server.
    connected_clients: usize,
}

/// `GET /api/dashboard/stats`
pub(crate) async fn stats(
    State(state): State<AppState>,
    _: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let query =
        DashboardQuery::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    let stats = state.dashboard.stats(&query).await?;
    Ok(private(&Shown { stats, connected_clients: state.hub.connections() }))
}

#[cfg(test)]
mod tests {
    use axum::{
        http::{StatusCode, header},
        response::IntoResponse as _,
    };
    use bookhub_core::DashboardError;

    use super::*;

    #[test]
    fn who_asks_before_the_orders_are_counted_is_told_to_come_back() {
        let answer = ApiError::from(DashboardError::Counting).into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
    }
}
