//! What lists have in common: parameters, the link to the next page, and the position of the feed.

use std::fmt;

use axum::http::{HeaderName, HeaderValue, header};
use bookhub_core::{Invalid, Position};
use url::form_urlencoded;

use crate::{
    bridge::realtime,
    error::{ApiError, INVALID_QUERY},
    state::AppState,
};

static FEED_POSITION: HeaderName = HeaderName::from_static("x-feed-position");

/// Says up to where an answer includes every change, for clients that fetch and follow.
pub(crate) fn position(
    state: &AppState,
    position: Position,
) -> Result<(HeaderName, HeaderValue), ApiError> {
    let id = state.hub.id(realtime(position)).to_string();
    let value = HeaderValue::try_from(id).map_err(|_| ApiError::Internal)?;
    Ok((FEED_POSITION.clone(), value))
}

/// The parameters of a query, as they were given.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query, which must be UTF-8.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| match value.contains('\u{fffd}') {
                true => {
                    let shown: String = name.chars().take(100).collect();
                    Err(Invalid::field(shown, "Must be UTF-8, percent-encoded."))
                }
                false => Ok((name.into_owned(), value.into_owned())),
            })
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(ApiError::fields(INVALID_QUERY))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The `Link` to the page of `path` behind a cursor, if there is one (RFC 8288): the same query.
    pub(crate) fn next(
        &self,
        path: &str,
        cursor: Option<&impl fmt::Display>,
    ) -> Result<Option<(HeaderName, HeaderValue)>, ApiError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.iter().filter(|(name, _)| *name != "cursor"))
            .append_pair("cursor", &cursor.to_string())
            .finish();
        let link = HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\""));
        Ok(Some((header::LINK, link.map_err(|_| ApiError::Internal)?)))
    }
}
