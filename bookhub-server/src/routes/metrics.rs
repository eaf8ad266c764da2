//! `/metrics`, for Prometheus.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{BookQuery, PageSize};
use bookhub_realtime::Transport;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use crate::{auth::bearer, config::Environment, error::ApiError, metrics, state::AppState};

/// `GET /metrics`: for whoever shows the token; without one to show, for everybody in development
/// and for nobody in production.
pub(crate) async fn metrics(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    match &state.config.edge.metrics_token {
        Some(token) => {
            let shown = bearer(&headers).unwrap_or_default();
            let is_right = shown.as_bytes().ct_eq(token.expose_secret().as_bytes());
            if !bool::from(is_right) {
                return Err(ApiError::MetricsToken);
            }
        }
        None if state.config.environment == Environment::Production => {
            return Err(ApiError::NotFound("Set METRICS_TOKEN to have metrics here"));
        }
        None => {}
    }
    let Some(handle) = metrics::start() else {
        return Err(ApiError::NotFound("Another part of this process counts"));
    };
    let one = BookQuery::default().with_limit(PageSize::new(1).unwrap_or_default());
    let books = state.store.books(&one).await.ok().map(|page| page.total.count);
    let sockets = state.hub.inspect().transports.get(&Transport::WebSocket).copied();
    metrics::sample(sockets.unwrap_or_default(), books);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, [(header::CACHE_CONTROL, "no-store")], handle.render()).into_response())
}
