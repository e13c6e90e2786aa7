//! Refuses requests whose headers or query are not readable text. Without this layer, Cutty would ignore or misread
//! such a header or query parameter, and the client would not notice.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;

use crate::error::{Code, Problem, Result, sentence};
use crate::http::{conditional, text};

/// Middleware: refuses a request if a header or the query is not readable text, or if `If-Match` or `If-None-Match`
/// does not follow the grammar of RFC 9110.
pub async fn refuse_unreadable(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(request: &Request) -> Result<()> {
    let refuse = |error: &dyn std::fmt::Display| Problem::new(Code::BadRequest, sentence(error));
    let headers = request.headers();
    text::check_readable(headers).map_err(|error| refuse(&error).with("header", error.header()))?;
    conditional::check_lists(headers).map_err(|error| refuse(&error).with("header", error.header()))?;
    check_query(request.uri())
}

fn check_query(uri: &Uri) -> Result<()> {
    text::check_query(uri.query().unwrap_or_default())
        .map_err(|error| Problem::new(Code::BadRequest, sentence(&error)).with("parameter", error.pair()))
}
