//! Routes, one module for each resource. A handler extracts values from the request, calls a service and renders a
//! response.
//!
//! [`handle`] responds to a request. The Worker's `fetch` event and the tests call it.

pub mod access;
pub mod admin;
pub mod audited;
pub mod auth;
mod carried;
pub mod conditions;
pub mod cuts;
mod document;
mod downloads;
pub mod extract;
pub mod file;
pub mod files;
mod filters;
pub mod form;
pub mod health;
mod history;
mod keys;
pub mod layers;
pub mod multipart;
pub mod openapi;
pub mod parameters;
mod recipes;
mod replay;
pub mod responses;
mod shared;
pub mod shares;
pub mod switched;
pub mod table;
pub mod uploads;
mod usage;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use chrono::TimeDelta;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use crate::app::SharedApp;
use crate::body::incoming::Incoming;
use crate::body::outgoing::ResponseBody;
use crate::body::stream::NativeBody;
use crate::error::{Code, Problem};
use crate::http::cors::{CorsDecision, CorsPolicy};
use crate::http::safe_headers;
use carried::take_carried;
use extract::identity::UseOfKey;
use extract::limits::Limits;
use layers::idempotency::Replay;
use layers::memory;
use layers::problems::{self, OriginalPath};
use layers::readable;
use table::Routes;

/// Responds to a request.
///
/// A CORS preflight does not reach the router. If a handler has read only the start of the request body, this function
/// reads and discards the remaining bytes (at most `MAX_FILE_SIZE`) before it returns the response. Otherwise the
/// connection of the client would break.
///
/// If the request used an API key, the extensions of the response may contain a [`crate::auth::keys::KeyUse`]. The caller
/// records this use when it has sent the head of the response. The extensions may also contain [`extract::limits::Settlements`], which the
/// caller settles then.
pub async fn handle(
    app: SharedApp,
    head: http::Request<()>,
    body: Option<Box<dyn NativeBody>>,
) -> (Parts, ResponseBody) {
    let hsts_max_age_s = match head.uri().scheme_str() {
        Some("https") => app.config.hsts_max_age_s,
        _ => 0,
    };
    // A link works for everyone who has it, so pages of every origin can use it.
    let cors = match shared::is_shared(head.uri()) {
        true => &*ANY_ORIGIN,
        false => &app.config.cors,
    };
    let cors = match cors.decide(head.method(), head.headers()) {
        CorsDecision::Preflight(headers) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::NO_CONTENT;
            headers.apply(response.headers_mut());
            problems::identify_response(&app, head.headers(), response.headers_mut());
            safe_headers::add_defaults(response.headers_mut(), hsts_max_age_s);
            return (response.into_parts().0, ResponseBody::Empty);
        }
        CorsDecision::Actual(headers) => headers,
    };
    let head = uploads::override_method(head);
    let method = head.method().clone();
    let is_tus = uploads::is_tus(&head);
    let origin = uploads::origin_of(head.uri());
    let remainder = body.as_ref().and_then(|body| body.remainder());
    let max_discarded_bytes = app.config.max_file_size_bytes;
    let mut request = into_routed(head, body);
    request.extensions_mut().insert(app.clone());
    request.extensions_mut().insert(Replay(replay::respond));
    let limits = Limits::new(app.clone());
    request.extensions_mut().insert(limits.clone());
    let use_of_key = UseOfKey::default();
    request.extensions_mut().insert(use_of_key.clone());
    let (clock, started) = (app.clone(), app.now());
    let router = ROUTER.clone().with_state(app.clone());
    let leasing = from_fn_with_state(app.clone(), memory::lease_body_memory).layer(router);
    let readable = from_fn(readable::refuse_unreadable).layer(leasing);
    let service = from_fn_with_state(app, problems::render_problems).layer(readable);
    let Ok(mut response) = service.oneshot(request).await;
    if let Some(remainder) = remainder.filter(|remainder| remainder.was_begun()) {
        remainder.discard(max_discarded_bytes).await;
    }
    cors.apply(response.headers_mut());
    safe_headers::add_defaults(response.headers_mut(), hsts_max_age_s);
    if is_tus {
        uploads::insert_version(&mut response);
        uploads::complete_location(&mut response, origin.as_deref());
    }
    let (mut parts, body) = into_response_body(response).await;
    limits.insert_headers(&mut parts.headers);
    insert_timing(&mut parts.headers, clock.now().instant() - started.instant());
    let (body, settlements) = limits.settle_with(body);
    if let Some(settlements) = settlements {
        parts.extensions.insert(settlements);
    }
    set_content_length(&method, &mut parts, &body);
    if let Some(used) = use_of_key.0.get() {
        parts.extensions.insert(used.clone());
    }
    (parts, body)
}

/// Inserts `Server-Timing` (W3C) with the time until the head of the response was ready. On the platform, the clock moves
/// only while a request waits, so this is the time of the calls to D1, R2 and Durable Objects.
fn insert_timing(headers: &mut HeaderMap, elapsed: TimeDelta) {
    let value = format!("total;dur={}", elapsed.num_milliseconds());
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert("server-timing", value);
    }
}

/// Responds to a request whose URL or method cannot be read. `headers` are the headers that can be read, and `detail`
/// says what is wrong.
pub async fn refuse_unrouted(app: &SharedApp, headers: &HeaderMap, detail: &str) -> (Parts, ResponseBody) {
    let problem = Problem::new(Code::BadRequest, detail);
    let mut response = problems::respond_unrouted(app, headers, &problem);
    safe_headers::add_defaults(response.headers_mut(), 0);
    into_response_body(response).await
}

/// Returns all routes.
pub fn all() -> Routes {
    Routes::new()
        .merge(openapi::routes())
        .merge(health::routes())
        .merge(auth::routes())
        .merge(files::routes())
        .merge(file::routes())
        .merge(history::routes())
        .merge(cuts::routes())
        .merge(downloads::routes())
        .merge(filters::routes())
        .merge(recipes::routes())
        .merge(shares::routes())
        .merge(shared::routes())
        .merge(usage::routes())
        .merge(keys::routes())
        .merge(admin::routes())
        .merge(uploads::routes())
        .merge(multipart::routes())
}

/// The CORS policy for the holders of links.
static ANY_ORIGIN: LazyLock<CorsPolicy> = LazyLock::new(CorsPolicy::any_origin);

/// The router, made once per isolate.
static ROUTER: LazyLock<Router<SharedApp>> = LazyLock::new(|| all().router().fallback(no_such_route));

async fn no_such_route() -> Problem {
    Problem::new(Code::NotFound, "There is no such route. GET /api/openapi.json lists all routes.")
}

/// Makes the request that the router receives: with a canonical path, and with the body in an extension.
fn into_routed(head: http::Request<()>, body: Option<Box<dyn NativeBody>>) -> Request {
    let (mut parts, ()) = head.into_parts();
    parts.extensions.insert(OriginalPath(parts.uri.path().to_owned()));
    parts.extensions.insert(Incoming::new(body));
    if let Some(uri) = problems::canonical_uri(&parts.uri) {
        parts.uri = uri;
    }
    Request::from_parts(parts, Body::empty())
}

/// Sets `Content-Length` to the length of `body`, or removes the header if the length is unknown. The router may have
/// set a wrong `Content-Length`: if an extension of the response carries the real body, the router sees an empty body.
fn set_content_length(method: &Method, parts: &mut Parts, body: &ResponseBody) {
    let known = match body {
        ResponseBody::Bytes(bytes) => Some(bytes.len() as u64),
        ResponseBody::Native(native) => Some(native.length_bytes),
        ResponseBody::Generated(_) => None,
        ResponseBody::Sized(_, length_bytes) => Some(*length_bytes),
        ResponseBody::Empty => {
            // In a response to HEAD and in a 304, `Content-Length` is the length of the response to GET (RFC 9110
            // §8.6). The response to GET is never empty, so the value 0 is wrong and must be removed.
            let describes_get = *method == Method::HEAD || parts.status == http::StatusCode::NOT_MODIFIED;
            if describes_get && parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") {
                parts.headers.remove(CONTENT_LENGTH);
            }
            return;
        }
    };
    match known {
        Some(length) => drop(parts.headers.insert(CONTENT_LENGTH, length.into())),
        None => drop(parts.headers.remove(CONTENT_LENGTH)),
    }
}

async fn into_response_body(mut response: Response) -> (Parts, ResponseBody) {
    let carried = take_carried(&mut response);
    let (parts, body) = response.into_parts();
    let body = match carried {
        Some(carried) => carried,
        // Bodies of the router are in memory, so collecting them cannot fail.
        None => match body.collect().await.map(http_body_util::Collected::to_bytes) {
            Ok(bytes) if !bytes.is_empty() => ResponseBody::Bytes(bytes),
            _ => ResponseBody::Empty,
        },
    };
    (parts, body)
}
