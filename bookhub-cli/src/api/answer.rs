//! What stands in answers beside the thing asked for: refusals, totals, links. Pure functions;
//! must not know how an answer came.

use std::error::Error as StdError;

use reqwest::{
    StatusCode,
    header::{HeaderMap, LINK, RETRY_AFTER},
};
use serde::Deserialize;

use crate::{
    error::{Detail, OverHttp, Refusal},
    server::ServerUrl,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error: String,
    code: String,
    request_id: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

/// The refusal in an answer, if it is one of BookHub's.
pub(super) fn refusal(
    server: &ServerUrl,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    env_token: bool,
) -> Option<Refusal> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let over_http = OverHttp {
        server: server.clone(),
        status: status.as_u16(),
        request_id: body.request_id,
        retry_after: text(headers, RETRY_AFTER.as_str()).and_then(|value| value.parse().ok()),
        env_token,
    };
    let ErrorBody { error, code, details, .. } = body;
    Some(Refusal { code, error, details, over_http: Some(over_http) })
}

/// How many there are on all pages, and whether that is exact.
pub(crate) fn total(headers: &HeaderMap) -> Option<(u64, bool)> {
    let count = text(headers, "x-total-count")?.parse().ok()?;
    Some((count, text(headers, "x-total-count-relation").is_none()))
}

/// Where the next page is (RFC 8288).
pub(crate) fn next_link(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(links).find(|(_, rel)| rel.split(' ').any(|rel| rel == "next")).map(|l| l.0)
}

/// The targets and relations in a `Link` header. A comma may stand in a target, too.
fn links(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split('<').skip(1).filter_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let rel = parameters.split([';', ',']).find_map(|parameter| {
            parameter.trim().strip_prefix("rel=").map(|rel| rel.trim_matches('"'))
        });
        Some((target, rel?))
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What is at the bottom of an error: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = |value: &'static str| {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static(value))]);
            next_link(&headers).map(str::to_owned)
        };
        assert_eq!(next("</a?q=1,2>; rel=\"next\"").as_deref(), Some("/a?q=1,2"));
        assert_eq!(next("</b>; rel=prev, </c>; title=x; rel=\"last next\"").as_deref(), Some("/c"));
        assert_eq!(next("</b>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }

    #[test]
    fn only_bookhubs_own_errors_are_refusals() {
        let server: ServerUrl = "http://localhost".parse().unwrap();
        let read =
            |body: &[u8]| refusal(&server, StatusCode::NOT_FOUND, &HeaderMap::new(), body, false);
        let body = br#"{"error":"Book not found","code":"not_found","requestId":"r"}"#;
        assert_eq!(read(body).unwrap().over_http.unwrap().request_id.as_deref(), Some("r"));
        for body in [b"<html>404</html>".as_slice(), b"", b"{}", b"{\"error\":\"x\"}"] {
            assert!(read(body).is_none());
        }
    }
}
