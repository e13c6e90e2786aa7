//! Routes: one file a resource; extract, call a service, render.
//!
//! [`handle`] is the whole application as a function from a request to an answer: the platform's entry point calls
//! it, and so do the tests.

pub mod admin;
pub mod auth;
mod carried;
pub mod cuts;
pub mod extract;
pub mod file;
pub mod files;
pub mod form;
pub mod health;
pub mod layers;
pub mod multipart;
pub mod openapi;
mod replay;
pub mod responses;
pub mod table;
pub mod uploads;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use http::Method;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use crate::app::SharedApp;
use crate::body::incoming::Incoming;
use crate::body::outgoing::ResponseBody;
use crate::body::stream::NativeBody;
use crate::error::{Code, Problem};
use crate::http::cors::CorsDecision;
use carried::take_carried;
use layers::idempotency::Replay;
use layers::problems::{self, OriginalPath};
use table::Routes;

/// Answers a request.
pub async fn handle(
    app: SharedApp,
    head: http::Request<()>,
    body: Option<Box<dyn NativeBody>>,
) -> (Parts, ResponseBody) {
    let cors = match app.config.cors.decide(head.method(), head.headers()) {
        CorsDecision::Preflight(headers) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::NO_CONTENT;
            headers.apply(response.headers_mut());
            return (response.into_parts().0, ResponseBody::Empty);
        }
        CorsDecision::Actual(headers) => headers,
    };
    let head = uploads::override_method(head);
    let method = head.method().clone();
    let is_tus = uploads::is_tus(&head);
    let remainder = body.as_ref().and_then(|body| body.remainder());
    let most_discarded_bytes = app.config.max_file_size_bytes;
    let mut request = into_routed(head, body);
    request.extensions_mut().insert(app.clone());
    request.extensions_mut().insert(Replay(replay::respond));
    let router = ROUTER.clone().with_state(app.clone());
    let edge = from_fn_with_state(app, problems::render_problems).layer(router);
    let Ok(mut response) = edge.oneshot(request).await;
    if let Some(remainder) = remainder.filter(|remainder| remainder.was_begun()) {
        remainder.discard(most_discarded_bytes).await;
    }
    cors.apply(response.headers_mut());
    if is_tus {
        uploads::mark(&mut response);
    }
    let (mut parts, body) = into_response_body(response).await;
    announce_length(&method, &mut parts, &body);
    (parts, body)
}

/// Every route.
pub fn all() -> Routes {
    Routes::new()
        .merge(openapi::routes())
        .merge(health::routes())
        .merge(auth::routes())
        .merge(files::routes())
        .merge(file::routes())
        .merge(cuts::routes())
        .merge(admin::routes())
        .merge(uploads::routes())
        .merge(multipart::routes())
}

/// What serves them, made once an isolate.
static ROUTER: LazyLock<Router<SharedApp>> = LazyLock::new(|| all().router().fallback(no_such_route));

async fn no_such_route() -> Problem {
    Problem::new(Code::NotFound, "There is no such route. GET /api/openapi.json lists those there are.")
}

/// The request as the router sees it: path in canonical form, body beside it.
fn into_routed(head: http::Request<()>, body: Option<Box<dyn NativeBody>>) -> Request {
    let (mut parts, ()) = head.into_parts();
    parts.extensions.insert(OriginalPath(parts.uri.path().to_owned()));
    parts.extensions.insert(Incoming::new(body));
    if let Some(uri) = problems::canonical_uri(&parts.uri) {
        parts.uri = uri;
    }
    Request::from_parts(parts, Body::empty())
}

/// Announces the length of the body that is sent: the router has measured its own, which is empty where another is
/// carried past it.
fn announce_length(method: &Method, parts: &mut Parts, body: &ResponseBody) {
    let known = match body {
        ResponseBody::Bytes(bytes) => Some(bytes.len() as u64),
        ResponseBody::Native(native) => Some(native.length_bytes),
        ResponseBody::Generated(_) => None,
        ResponseBody::Empty => {
            // Here a length tells of the body that GET would have (RFC 9110 §8.6), which is never empty.
            let tells_of_get = *method == Method::HEAD || parts.status == http::StatusCode::NOT_MODIFIED;
            if tells_of_get && parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") {
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
        // The router's own bodies are in memory already: collecting them cannot fail.
        None => match body.collect().await.map(http_body_util::Collected::to_bytes) {
            Ok(bytes) if !bytes.is_empty() => ResponseBody::Bytes(bytes),
            _ => ResponseBody::Empty,
        },
    };
    (parts, body)
}
