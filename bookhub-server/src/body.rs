//! Request bodies: JSON objects, and nothing larger than they may be.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::error::ApiError;

/// The largest body that is taken.
const MAX: usize = 1 << 20;

/// How long a body may take: whoever needs longer for a mebibyte does not mean well.
const PATIENCE: Duration = Duration::from_secs(30);

/// The fields of a JSON object, for the domain to parse.
#[derive(Debug)]
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl<S: Sync> FromRequest<S> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::ContentType);
        }
        // A few bytes can be compressed that make gigabytes.
        if request.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(ApiError::ContentEncoding);
        }
        let bytes = timeout(PATIENCE, read(request.into_body()))
            .await
            .map_err(|_| ApiError::BodyLost)??;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(other) => Err(ApiError::Json(format!("it is {}", kind(&other)))),
            Err(error) => Err(ApiError::Json(error.to_string())),
        }
    }
}

async fn read(mut body: Body) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::BodyLost)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX {
            return Err(ApiError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
