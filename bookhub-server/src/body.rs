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

/// How much of a larger one is read and dropped, so that the client gets to see the answer.
const DROPPED: usize = 8 << 20;

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

/// Reads a little more of a body whose answer is known, so that the client gets to see it.
pub(crate) async fn drop_rest(body: &mut Body) {
    let mut dropped = 0;
    let dropping = async {
        while let Some(Ok(frame)) = body.frame().await {
            dropped += frame.into_data().map_or(0, |data| data.len());
            if dropped > DROPPED {
                break;
            }
        }
    };
    let _ = timeout(PATIENCE, dropping).await;
}

async fn read(mut body: Body) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    let mut dropped = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::BodyLost)?.into_data() else {
            continue;
        };
        if dropped == 0 && bytes.len() + data.len() <= MAX {
            bytes.extend_from_slice(&data);
        } else {
            dropped += data.len();
            if dropped > DROPPED {
                break;
            }
        }
    }
    if dropped > 0 { Err(ApiError::TooLarge) } else { Ok(bytes.freeze()) }
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
