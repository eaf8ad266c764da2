//! What routes of several nouns have in common: the id in an address, and answers that nobody keeps.

use std::str::FromStr;

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use bookhub_core::{BookId, OrderId, UserId};
use serde::Serialize;

use crate::error::ApiError;

/// An id by which an address names something.
pub(crate) trait Named: FromStr {
    /// What is said where there is no such thing.
    const MISSING: &'static str;
}

impl Named for BookId {
    const MISSING: &'static str = "Book not found";
}

impl Named for OrderId {
    const MISSING: &'static str = "Order not found";
}

impl Named for UserId {
    const MISSING: &'static str = "User not found";
}

/// The thing that an address names.
pub(crate) struct IdPath<T>(pub(crate) T);

impl<S: Send + Sync, T: Named> FromRequestParts<S> for IdPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // What is not even UTF-8 names nothing either.
        let path = Path::<String>::from_request_parts(parts, state).await;
        parse_id(&path.map(|Path(id)| id).unwrap_or_default()).map(Self)
    }
}

/// What is no id names nothing.
pub(crate) fn parse_id<T: Named>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound(T::MISSING))
}

/// An answer about people, what they buy and what they pay: no cache keeps it.
pub(crate) fn private(body: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
