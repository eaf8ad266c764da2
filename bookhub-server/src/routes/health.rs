//! `/health` for people and dashboards, `/health/live` and `/health/ready` for orchestrators.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::state::AppState;

/// `GET /health`
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    let reachable = state.store.health().await.is_ok();
    let (status, word) = match reachable {
        true => (StatusCode::OK, "healthy"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let body = json!({
        "status": word,
        "timestamp": format!("{:.3}", Timestamp::now()),
        "uptime": state.started.elapsed().as_secs(),
        "environment": state.config.environment.as_str(),
        "database": if reachable { "connected" } else { "disconnected" },
        "websocket": if state.config.realtime { "active" } else { "inactive" },
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(body)).into_response()
}

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /health/ready`: it can serve, and tell of changes; not while it drains or its database is gone.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    let is_told = !state.bridge.as_ref().is_some_and(AbortHandle::is_finished);
    let ready = is_told && state.store.health().await.is_ok() && !state.hub.is_draining();
    match ready {
        true => Json(json!({ "status": "ready" })).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready" })))
            .into_response(),
    }
}
