//! Leases memory for JSON bodies before they are read.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::SharedApp;
use crate::routes::extract::body::{MAX_JSON_BYTES, content_length, is_json};

/// Minimum length of a body that needs a lease, in bytes.
const MIN_LEASED_BYTES: u64 = 2 << 10;

/// Maximum length of a JSON body that a route reads, in bytes. A longer body needs no lease, because routes refuse it
/// and do not read it.
const MAX_LEASED_BYTES: u64 = 4 << 20;

/// Number of bytes of memory that one byte of a JSON body needs, while the body is parsed into the values of a cut.
const BYTES_PER_BODY_BYTE: u64 = 40;

/// Middleware: leases memory for a JSON body of 2 KiB to 4 MiB before the handler runs. Holds the lease until the
/// handler has responded.
pub async fn lease_body_memory(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let length = match is_json(headers) {
        true => content_length(headers).ok().flatten().unwrap_or(MAX_JSON_BYTES as u64),
        false => 0,
    };
    if !(MIN_LEASED_BYTES..=MAX_LEASED_BYTES).contains(&length) {
        return next.run(request).await;
    }
    let bytes = usize::try_from(length.saturating_mul(BYTES_PER_BODY_BYTE)).unwrap_or(usize::MAX);
    match app.lease_body_memory(bytes).await {
        Ok(_lease) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
