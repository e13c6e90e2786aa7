//! Headers that a route does not read.
//!
//! A client that sends a condition, a digest, or the name of a file wants the header to have an effect. So a route
//! refuses a request with such a header if the description of the operation does not name the header
//! ([`refuse_unread`]). The descriptions are the only lists of the headers that the routes read.
//!
//! For the same reason, a GET, HEAD or DELETE with a body is refused.
//!
//! There is one exception for headers: a GET or HEAD with a condition is not refused. RFC 9110 §13 defines the effect of the
//! condition even if the response has neither an `ETag` nor a `Last-Modified`. For such a response, a condition with a
//! date is ignored, `If-Match` is true only for `*`, and `If-None-Match` is false only for `*`.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use utoipa::openapi::path::{Operation, ParameterIn, Paths};
use utoipa::openapi::{PathItem, RefOr, Response as Described};

use super::body;
use crate::body::incoming::Incoming;
use crate::body::stream::NativeBody;
use crate::error::{Code, Problem, Result};
use crate::http::conditional::{self, PreconditionOutcome, Validators};
use crate::routes::conditions::headers_of_not_modified;
use crate::routes::parameters::names_of;

static CONDITIONS: [HeaderName; 4] = [IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, IF_MODIFIED_SINCE];

/// Headers that describe the file or the bytes of a request. The items are: (1) the name of the header; (2) the advice
/// in the `detail` of the refusal.
static DESCRIPTIONS: [(HeaderName, &str); 18] = [
    (HeaderName::from_static("x-file-name"), ELSEWHERE),
    (HeaderName::from_static("x-file-tags"), ELSEWHERE),
    (HeaderName::from_static("x-file-metadata"), ELSEWHERE),
    (HeaderName::from_static("x-file-expires"), ELSEWHERE),
    (HeaderName::from_static("x-file-storage-class"), ELSEWHERE),
    (
        HeaderName::from_static("content-md5"),
        "Cutty checks SHA-256 only: send Repr-Digest: sha-256=:base64:.",
    ),
    (HeaderName::from_static("upload-checksum"), "Only requests to /api/uploads have an Upload-Checksum."),
    (HeaderName::from_static("content-range"), NO_PART),
    (HeaderName::from_static("upload-complete"), NO_PART),
    (HeaderName::from_static("upload-incomplete"), NO_PART),
    (HeaderName::from_static("upload-length"), NO_PART),
    (HeaderName::from_static("upload-offset"), NO_PART),
    (HeaderName::from_static("upload-metadata"), NO_PART),
    (HeaderName::from_static("upload-concat"), NO_PART),
    (HeaderName::from_static("upload-defer-length"), NO_PART),
    (HeaderName::from_static("digest"), NO_DIGEST),
    (HeaderName::from_static("repr-digest"), NO_DIGEST),
    (HeaderName::from_static("content-digest"), NO_DIGEST),
];

const ELSEWHERE: &str = "Only POST /api/files reads it. Send the value in Upload-Metadata of a tus upload, or in the \
    JSON body of other requests.";
const NO_PART: &str = "Each request to this route has the whole file. To send a file in several requests, use tus \
    (POST /api/uploads) or POST /api/files/multipart.";
const NO_DIGEST: &str = "Only requests that upload bytes may have a digest.";

/// Middleware: refuses a request if it has a header that is in `DESCRIPTIONS` or `CONDITIONS`, but not among the
/// parameters of the operation in the OpenAPI description. A GET or HEAD is not refused because of a header in
/// `CONDITIONS`: its handler runs. If the response is successful, this function then evaluates the conditions of the
/// request as if the response had neither `ETag` nor `Last-Modified`.
pub async fn refuse_unread(operation: Arc<str>, request: Request, next: Next) -> Response {
    match possible_body(&request) {
        Err(problem) => return problem.into_response(),
        Ok(None) => {}
        Ok(Some(mut body)) => match body.peek().await {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(_) => return body_refusal(request.method()).into_response(),
            Err(problem) => return problem.into_response(),
        },
    }
    let (method, headers) = (request.method(), request.headers());
    if *method == Method::OPTIONS || !has_any(headers) {
        return next.run(request).await;
    }
    let read = &names_of(&operation).headers;
    let is_unread =
        |name: &HeaderName| headers.contains_key(name) && !read.iter().any(|known| known == name.as_str());
    if let Some((name, advice)) = DESCRIPTIONS.iter().find(|(name, _)| is_unread(name)) {
        return refusal(name, advice).into_response();
    }
    let Some(condition) = CONDITIONS.iter().find(|name| is_unread(name)) else {
        return next.run(request).await;
    };
    if !method.is_safe() {
        return refusal(condition, "This request cannot have a condition.").into_response();
    }
    let (method, headers) = (method.clone(), headers.clone());
    let response = next.run(request).await;
    if !response.status().is_success() {
        return response;
    }
    // The current time does not matter, because without a `Last-Modified` no condition with a date has an effect.
    let now = DateTime::<Utc>::UNIX_EPOCH;
    match conditional::evaluate(&method, &headers, &Validators::default(), now) {
        PreconditionOutcome::Proceed { .. } => response,
        PreconditionOutcome::NotModified => {
            (StatusCode::NOT_MODIFIED, headers_of_not_modified(response.headers())).into_response()
        }
        PreconditionOutcome::PreconditionFailed => {
            let detail = "The response has no ETag, so If-Match is true only for *. Leave If-Match out.";
            Problem::new(Code::PreconditionFailed, detail).into_response()
        }
    }
}

/// Returns the problem for a GET, HEAD or DELETE with a body. No operation reads such a body, so its content would have
/// no effect.
fn body_refusal(method: &Method) -> Problem {
    Problem::new(
        Code::BadRequest,
        format!("The method {method} cannot have a body here. Leave the body out."),
    )
}

/// Refuses a GET, HEAD or DELETE if its `Content-Length` announces a body. If the request has no length but may have a
/// body, returns this body. The caller must then look for bytes in the body.
fn possible_body(request: &Request) -> Result<Option<Box<dyn NativeBody>>> {
    let (method, headers) = (request.method(), request.headers());
    if !method.is_safe() && *method != Method::DELETE {
        return Ok(None);
    }
    match body::content_length(headers)? {
        Some(0) => Ok(None),
        Some(_) => Err(body_refusal(method)),
        None if headers.contains_key(TRANSFER_ENCODING) => {
            Ok(request.extensions().get::<Incoming>().and_then(Incoming::take))
        }
        None => Ok(None),
    }
}

fn refusal(name: &HeaderName, advice: &str) -> Problem {
    let detail = format!("This route does not read the header {name}. {advice} Leave the header out.");
    Problem::new(Code::BadRequest, detail).with("header", name.as_str())
}

fn has_any(headers: &HeaderMap) -> bool {
    let descriptions = DESCRIPTIONS.iter().map(|(name, _)| name);
    CONDITIONS.iter().chain(descriptions).any(|name| headers.contains_key(name))
}

/// Returns the names of the headers in a description, in lower case.
fn names_in(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Header => {
            Some(parameter.name.to_ascii_lowercase())
        }
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    names.collect()
}

/// Completes the OpenAPI description: every GET and HEAD gets the responses 304 and 412. Each other operation that reads
/// `If-Match` gets 412.
pub fn describe_conditions(paths: &mut Paths) {
    for item in paths.paths.values_mut() {
        let PathItem { get, head, put, post, patch, delete, .. } = item;
        for operation in [get, head].into_iter().flatten() {
            let not_modified =
                || RefOr::T(Described::new("Not modified: If-None-Match or If-Modified-Since is false"));
            operation.responses.responses.entry("304".to_owned()).or_insert_with(not_modified);
            describe_failure(operation);
        }
        for operation in [put, post, patch, delete].into_iter().flatten() {
            if names_in(operation).contains(&IF_MATCH.to_string()) {
                describe_failure(operation);
            }
        }
    }
}

fn describe_failure(operation: &mut Operation) {
    let failed = || RefOr::T(Described::new("precondition_failed: a condition is not true"));
    operation.responses.responses.entry("412".to_owned()).or_insert_with(failed);
}
