//! Every route and layer on one page.

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    routing::{get, patch, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use crate::{
    drain::drain,
    edge,
    error::ApiError,
    limits,
    observe::observe,
    peer,
    routes::{
        audit, auth, books, cart, covers, dashboard, export, health, import, metrics, orders, page,
        users,
    },
    state::AppState,
};

/// The whole HTTP interface of the shop.
pub(crate) fn router(state: AppState) -> Router {
    let cors = cors(&state.config.client_origins);
    let mut router = Router::new()
        .route("/", get(page::index))
        .route("/setup", get(page::setup))
        .route("/covers/{file}", get(covers::cover))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/api/auth/setup", post(auth::setup))
        .route("/api/auth/signup", post(auth::signup))
        .route("/api/auth/login", post(auth::login))
        .route("/api/auth/logout", post(auth::logout))
        .route(
            "/api/auth/profile",
            get(auth::profile).put(auth::update_profile).delete(auth::delete_profile),
        )
        .route("/api/books", get(books::list).post(books::create))
        .route("/api/books/export", get(export::export))
        .route(
            "/api/books/{id}",
            get(books::get).put(books::update).patch(books::update).delete(books::delete),
        )
        .route("/api/books/{id}/stock", post(books::adjust_stock))
        .route("/api/genres", get(books::genres))
        .route("/api/cart", get(cart::get).put(cart::put).delete(cart::delete))
        .route("/api/orders", get(orders::list).post(orders::place))
        .route("/api/orders/{id}", get(orders::get).patch(orders::update))
        .route("/api/audit", get(audit::list))
        .route("/api/dashboard/stats", get(dashboard::stats))
        .route("/api/users", get(users::list))
        .route("/api/users/{id}", patch(users::update).delete(users::delete))
        .layer(edge::compression())
        .layer(middleware::from_fn(edge::deadline))
        // A file takes as long as it takes.
        .route("/api/books/import", post(import::import))
        .route("/metrics", get(metrics::metrics));
    if state.config.realtime {
        router = router
            .route_service("/ws", state.hub.websocket())
            .route_service("/events", state.hub.event_stream())
            .route_service("/poll", state.hub.long_poll());
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(middleware::from_fn_with_state(state.clone(), limits::count_requests))
        .layer(cors)
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(ApiError::Internal)
        }))
        .layer(middleware::map_response_with_state(state.clone(), edge::secure))
        .layer(middleware::from_fn(observe))
        .layer(middleware::map_request(drain))
        .layer(middleware::map_request_with_state(state.clone(), peer::find_out))
        .with_state(state)
}

async fn not_found(_: Request) -> ApiError {
    ApiError::NotFound("There is nothing at this address")
}

/// Pages of the listed origins may use the API, with their cookies.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok());
    let shown = [
        "content-disposition",
        "etag",
        "link",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "x-feed-position",
        "x-request-id",
        "x-total-count",
        "x-total-count-relation",
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers(shown.map(HeaderName::from_static))
}
