//! Request bodies as handlers take them: streams untouched, JSON bounded.

use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use crate::answer::Incoming;
use crate::error::{Code, Problem, Result};
use crate::ports::{ByteSource, NativeBody};

/// The longest JSON body, in bytes. A filter of 64 tests is a few KiB.
pub const MAX_JSON_BYTES: usize = 1 << 20;

/// The body as it came.
pub struct Upload {
    /// The stream; `None` when there was no body.
    pub body: Option<Box<dyn NativeBody>>,
    /// What the client says its length is, in bytes; the platform holds it to that.
    pub length_bytes: Option<u64>,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let body = request.extensions().get::<Incoming>().and_then(Incoming::take);
        Ok(Self { body, length_bytes: content_length(request.headers())? })
    }
}

/// A JSON body read into `T`; unknown fields are ignored.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if !is_json(request.headers()) {
            let detail = "Send the body as JSON, with Content-Type: application/json.";
            return Err(Problem::new(Code::UnsupportedType, detail));
        }
        let body = request.extensions().get::<Incoming>().and_then(Incoming::take);
        let text = match body {
            Some(body) => read_bounded(body.into_source(), MAX_JSON_BYTES).await?,
            None => Vec::new(),
        };
        let value = serde_json::from_slice(&text).map_err(|error| bad_json(&error))?;
        Ok(Self(value))
    }
}

/// The announced length; absent for chunked bodies.
///
/// # Errors
/// `bad_request` for one that is no number.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length
        .map(Some)
        .ok_or_else(|| Problem::new(Code::BadRequest, "The Content-Length header is not a number."))
}

/// The bytes of a small body.
///
/// # Errors
/// `too_large` beyond `limit_bytes`; or the body broke off.
pub async fn read_bounded(mut source: Box<dyn ByteSource>, limit_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while source.read(&mut bytes).await? > 0 {
        if bytes.len() > limit_bytes {
            source.cancel().await;
            let detail = format!("A JSON body may have at most {limit_bytes} bytes.");
            return Err(Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes));
        }
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = essence.and_then(|text| text.split(';').next()).map(str::trim).unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

fn bad_json(error: &serde_json::Error) -> Problem {
    Problem::new(Code::BadRequest, format!("The body is not the JSON expected here: {error}."))
        .with("line", error.line())
        .with("column", error.column())
}
