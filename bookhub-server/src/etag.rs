//! Entity tags (RFC 9110, section 8.8.3): of a book by its versions, of other answers by their
//! bytes; `If-None-Match` and `If-Match`.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bookhub_core::Book;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// The tag of a book: its version first, which is what `If-Match` guards; then what else shows.
pub(crate) fn of_book(book: &Book, now: Timestamp) -> String {
    let flags = u8::from(book.is_new(now)) + 2 * u8::from(book.is_updated(now));
    format!("\"{}.{}.{flags}\"", book.version, book.stock_version)
}

/// The answer as JSON, or 304 if the client has it.
pub(crate) fn answer(headers: &HeaderMap, body: &impl Serialize) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(body).map_err(|_| ApiError::Internal)?;
    let tag = format!("W/\"{}\"", BASE64.encode(&Sha256::digest(&bytes)[..12]));
    let known = is_known(headers, &tag);
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, [(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// Whether the client has the answer with this tag already; compared weakly, as the RFC has it.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strip = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || strip(known) == strip(tag))
}

/// The version that `If-Match` asks for; none without the header or for `*`.
pub(crate) fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| ApiError::BadIfMatch)?.trim();
    if value == "*" {
        return Ok(None);
    }
    let tag = value.trim_start_matches("W/").trim_matches('"');
    let version = tag.split('.').next().unwrap_or_default();
    version.parse().map(Some).map_err(|_| ApiError::BadIfMatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn if_match_takes_a_tag_a_star_or_a_bare_version() {
        for (value, version) in [("\"3.1.0\"", Some(3)), ("*", None), ("7", Some(7))] {
            let expected = expected_version(&with(header::IF_MATCH, value));
            assert_eq!(expected.unwrap(), version, "{value}");
        }
        assert!(expected_version(&with(header::IF_MATCH, "\"x\"")).is_err());
    }

    #[test]
    fn if_none_match_finds_the_tag_in_a_list_weak_or_strong() {
        let headers = with(header::IF_NONE_MATCH, "\"a\", W/\"b\"");
        assert!(is_known(&headers, "\"b\"") && is_known(&headers, "W/\"a\""));
        assert!(!is_known(&headers, "\"c\""));
    }
}
