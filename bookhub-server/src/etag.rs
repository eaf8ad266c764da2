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

/// The versions that `If-Match` allows; none of them without the header or for `*`.
pub(crate) fn expected_versions(headers: &HeaderMap) -> Result<Vec<u64>, ApiError> {
    let mut versions = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        for tag in value.to_str().map_err(|_| ApiError::BadIfMatch)?.split(',') {
            if tag.trim() == "*" {
                return Ok(Vec::new());
            }
            versions.push(version(tag.trim()).ok_or(ApiError::BadIfMatch)?);
        }
    }
    Ok(versions)
}

/// The version in a tag as [`of_book`] makes it, or a bare number.
fn version(tag: &str) -> Option<u64> {
    let mut numbers = tag.trim_start_matches("W/").trim_matches('"').split('.');
    let version = numbers.next()?.parse().ok()?;
    numbers.all(|number| number.parse::<u64>().is_ok()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn if_match_takes_a_tag_a_star_or_a_bare_version() {
        let cases: [(&str, &[u64]); 4] =
            [("\"3.1.0\"", &[3]), ("*", &[]), ("7", &[7]), ("\"3.1.0\", W/\"4.1.0\"", &[3, 4])];
        for (value, versions) in cases {
            let expected = expected_versions(&with(header::IF_MATCH, value));
            assert_eq!(expected.unwrap(), versions, "{value}");
        }
        for bad in ["\"x\"", "\"3.zzz\"", ""] {
            assert!(expected_versions(&with(header::IF_MATCH, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn if_none_match_finds_the_tag_in_a_list_weak_or_strong() {
        let headers = with(header::IF_NONE_MATCH, "\"a\", W/\"b\"");
        assert!(is_known(&headers, "\"b\"") && is_known(&headers, "W/\"a\""));
        assert!(!is_known(&headers, "\"c\""));
    }
}
