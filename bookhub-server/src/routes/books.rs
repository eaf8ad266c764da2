//! The catalogue: `/api/books` and `/api/genres`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{
    Book, BookDraft, BookId, BookPatch, BookQuery, CatalogError, Invalid, StockAdjustment,
};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::Admin,
    body::JsonObject,
    error::{ApiError, INVALID_BOOK, INVALID_QUERY},
    etag,
    routes::{
        listing::{self, Parameters},
        shared::IdPath,
    },
    state::AppState,
};

static TOTAL: HeaderName = HeaderName::from_static("x-total-count");
static TOTAL_RELATION: HeaderName = HeaderName::from_static("x-total-count-relation");

/// `GET /api/books`
pub(crate) async fn list(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let query = BookQuery::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    let page = state.catalog.list(&query).await?;

    let now = Timestamp::now();
    let books: Vec<_> = page.books.iter().map(|book| book.shown_at(now)).collect();
    let mut response = etag::answer(&headers, &books)?;
    let answer = response.headers_mut();
    answer.insert(TOTAL.clone(), page.total.count.into());
    if !page.total.exact {
        answer.insert(TOTAL_RELATION.clone(), HeaderValue::from_static("gte"));
    }
    answer.extend(parameters.next("/api/books", page.next.as_ref())?);
    response.headers_mut().extend([listing::position(&state, page.position)?]);
    Ok(response)
}

/// `GET /api/books/{id}`
pub(crate) async fn get(
    State(state): State<AppState>,
    IdPath(id): IdPath<BookId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (book, position) = state.catalog.get(id).await?;
    let now = Timestamp::now();
    let mut response = if etag::is_known(&headers, &etag::of_book(&book, now)) {
        not_modified(&book, now)
    } else {
        shown(&book, now)
    };
    response.headers_mut().extend([listing::position(&state, position)?]);
    Ok(response)
}

/// `POST /api/books`
pub(crate) async fn create(
    State(state): State<AppState>,
    admin: Admin,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let draft = BookDraft::from_json(&object).map_err(ApiError::fields(INVALID_BOOK))?;
    let book = state.catalog.by(admin.actor()).create(draft).await?;
    let location = HeaderValue::try_from(format!("/api/books/{}", book.id));
    let mut response = shown(&book, Timestamp::now());
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(header::LOCATION, location.map_err(|_| ApiError::Internal)?);
    Ok(response)
}

/// `PUT` and `PATCH /api/books/{id}`: only the fields that are sent change.
pub(crate) async fn update(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<BookId>,
    headers: HeaderMap,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let patch = BookPatch::from_json(&object).map_err(ApiError::fields(INVALID_BOOK))?;
    let expected = expected_version(&state, id, &headers).await?;
    let book = state.catalog.by(admin.actor()).update(id, &patch, expected).await?;
    Ok(shown(&book, Timestamp::now()))
}

/// `DELETE /api/books/{id}`
pub(crate) async fn delete(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<BookId>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    let expected = expected_version(&state, id, &headers).await?;
    state.catalog.by(admin.actor()).delete(id, expected).await?;
    Ok(Json(json!({ "success": true })))
}

/// `POST /api/books/{id}/stock`
pub(crate) async fn adjust_stock(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<BookId>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let adjustment = StockAdjustment::from_json(&object).map_err(ApiError::fields(INVALID_BOOK))?;
    let book = state.catalog.by(admin.actor()).adjust_stock(id, &adjustment).await?;
    Ok(shown(&book, Timestamp::now()))
}

/// `GET /api/genres`
pub(crate) async fn genres(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    etag::answer(&headers, &state.catalog.genres().await?)
}

/// The version that the request is for: of several in `If-Match`, the one that the book has.
async fn expected_version(
    state: &AppState,
    id: BookId,
    headers: &HeaderMap,
) -> Result<Option<u64>, ApiError> {
    match *etag::expected_versions(headers)? {
        [] => Ok(None),
        [version] => Ok(Some(version)),
        [first, ref others @ ..] => {
            let (book, _) = state.catalog.get(id).await?;
            Ok(others.iter().copied().find(|version| *version == book.version).or(Some(first)))
        }
    }
}

fn shown(book: &Arc<Book>, now: Timestamp) -> Response {
    let tag = etag::of_book(book, now);
    (
        [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())],
        Json(book.shown_at(now)),
    )
        .into_response()
}

fn not_modified(book: &Book, now: Timestamp) -> Response {
    let tag = etag::of_book(book, now);
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::Catalog(CatalogError::Invalid(invalid))
    }
}
