//! Requests that upload a file in parts (`/api/files/multipart`).

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, post_json};

/// Returns the request that begins an upload of `size` bytes.
pub fn create(size: usize) -> Call {
    post_json("/api/files/multipart", &json!({"filename": "a.csv", "size": size, "contentType": "text/csv"}))
}

/// Returns the request that sends a part.
pub fn part(path: &str, number: usize, bytes: &[u8]) -> Call {
    Call::new(Method::PUT, &format!("{path}/parts/{number}")).bytes(bytes.to_vec())
}

/// Returns the request that completes the upload from these parts.
pub fn complete(path: &str, parts: &[Value]) -> Call {
    post_json(&format!("{path}/complete"), &json!({"parts": parts}))
}
