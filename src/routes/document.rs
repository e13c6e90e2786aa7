//! Long JSON responses. The memory of such a response is leased until the response is sent.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;

use crate::body::outgoing::ResponseBody;
use crate::body::stream::{ByteSource, OUTGOING_BYTES};
use crate::error::{Code, Problem, Result};
use crate::memory::budget::Lease;
use crate::ports::Clock;

/// Maximum length of a JSON document, in bytes. A page of rows can have 12 MiB: it ends after the row that reaches 8
/// MiB, and this row may be a record of 4 MiB.
const MAX_DOCUMENT_BYTES: usize = 13 << 20;

/// A document of at most this many bytes is sent as one piece.
const SHORT_BYTES: usize = 64 << 10;

/// Returns a response with `value` as JSON. A document of more than 64 KiB is sent in pieces, and `lease` ends when the
/// last piece is sent.
///
/// # Errors
/// `too_large` if the document would have more than 13 MiB: the names of the columns or the cells of a row are too
/// long.
pub fn document<T: Serialize>(value: T, lease: Option<Lease>, clock: Arc<dyn Clock>) -> Result<Response> {
    // The length is computed first, because a vector that grows would take up to twice the memory.
    let mut length = Length(0);
    serde_json::to_writer(&mut length, &value).map_err(Problem::internal)?;
    let Length(length) = length;
    if length > MAX_DOCUMENT_BYTES {
        let detail = format!(
            "The response would have {length} bytes, but at most {MAX_DOCUMENT_BYTES} are allowed. The names of the \
             columns or the cells are too long. Pick fewer columns, or cut the file instead."
        );
        return Err(Problem::new(Code::TooLarge, detail).with("limitBytes", MAX_DOCUMENT_BYTES as u64));
    }
    let mut text = Vec::with_capacity(length);
    serde_json::to_writer(&mut text, &value).map_err(Problem::internal)?;
    drop(value);
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    if length <= SHORT_BYTES {
        return Ok((kind, text).into_response());
    }
    let body = ResponseBody::Sized(Box::new(HeldDocument { text, sent: 0, lease, clock }), length as u64);
    Ok((kind, [(CONTENT_LENGTH, HeaderValue::from(length))], body).into_response())
}

/// Counts bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A document and the lease of its memory.
struct HeldDocument {
    text: Vec<u8>,
    sent: usize,
    lease: Option<Lease>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl ByteSource for HeldDocument {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if let Some(lease) = &self.lease {
            lease.touch(self.clock.now());
        }
        let end = self.text.len().min(self.sent + OUTGOING_BYTES);
        buffer.extend_from_slice(&self.text[self.sent..end]);
        let length = end - self.sent;
        self.sent = end;
        Ok(length)
    }
}
