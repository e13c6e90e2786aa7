//! `Idempotency-Key` on routes: wrap what `route!` gives in [`idempotent`], and retries under one key have one effect.
//!
//! The layer claims the key before the handler runs and settles it after; the service that has the effect records it
//! through [`crate::storage::actor::Actor::record`]. Requests without the header, and safe methods, pass untouched.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::{ObjectBuilder, PathItem, RefOr, Required, Response as Described, Type};

use crate::app::SharedApp;
use crate::body::incoming::Incoming;
use crate::body::stream::NativeBody;
use crate::error::{Code, Problem, Result};
use crate::idempotency::fingerprint::RequestFingerprint;
use crate::idempotency::key::{IDEMPOTENCY_KEY, IdempotencyKey};
use crate::idempotency::{Claimed, Done, KeyScope, StoredResponse};
use crate::routes::carried::is_carried;
use crate::routes::extract::body::{BytesBody, MAX_JSON_BYTES, read_bounded};
use crate::routes::extract::identity::Authenticated;
use crate::routes::extract::storage::Storage;
use crate::routes::table::Route;
use crate::storage::R2StorageService;

/// In answers that were not made for this request.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Makes the response to a request that has had its effect before. Each request carries it in its extensions: it knows the
/// routes, which know this layer.
#[derive(Clone, Copy)]
pub struct Replay(pub fn(Done, R2StorageService) -> BoxFuture<'static, Result<Response>>);

/// What tells one request of a route from another under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintOf {
    /// The whole body, which is small.
    Body,
    /// The whole body, which has at most so many bytes.
    BodyOf(usize),
    /// What the head says of the body, which is not read first.
    Head,
}

/// Lets a route that changes something take an `Idempotency-Key`, and says so in its description.
pub fn idempotent(known_by: FingerprintOf, route: Route) -> Route {
    let layer = from_fn(move |request, next| run_idempotent(known_by, request, next));
    route.map(|handlers| handlers.layer(layer)).described_further(describe_key)
}

/// Says of every operation that changes something that it takes the key.
pub fn describe_key(paths: &mut Paths) {
    for item in paths.paths.values_mut() {
        changing(item).for_each(describe);
    }
}

fn changing(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

fn describe(operation: &mut Operation) {
    let text = "1 to 255 visible ASCII characters of your choice, a UUID say. Repeating the request with the same key \
        within 24 hours has no second effect; the answer then says Idempotency-Replayed: true. Takes 2 D1 calls more.";
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    for (status, text) in [
        ("400", "bad_request, also for a key that cannot be used"),
        (
            "409",
            "in_progress: the first request with this key is not finished, see Retry-After; or a conflict",
        ),
        ("413", "too_large"),
        (
            "422",
            "idempotency_reuse: the key was used for another request; or what the body brings cannot be kept",
        ),
    ] {
        let described = operation.responses.responses.entry(status.to_owned());
        described.or_insert_with(|| RefOr::T(Described::new(text)));
    }
}

async fn run_idempotent(known_by: FingerprintOf, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    run_keyed(known_by, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run_keyed(known_by: FingerprintOf, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let app = parts.extensions.get::<SharedApp>().cloned();
    let app = app.ok_or_else(|| Problem::internal("a keyed request without its application"))?;
    let authenticated = Authenticated::from_request_parts(&mut parts, &app).await?;
    let scope = KeyScope::of(&authenticated.0);
    parts.extensions.insert(authenticated);
    let Some(key) = key_of(&parts.headers)? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let fingerprint = fingerprint(known_by, &mut parts).await?;
    match app.claim(scope, key, &fingerprint).await? {
        Claimed::Responded(answer, effect) => {
            let Storage(storage) = Storage::from_request_parts(&mut parts, &app).await?;
            storage.allow_replay(effect.as_ref())?;
            Ok(replayed(restored(answer)))
        }
        Claimed::Done(done) => {
            let Storage(storage) = Storage::from_request_parts(&mut parts, &app).await?;
            let Some(Replay(respond)) = parts.extensions.get::<Replay>() else {
                return Err(Problem::internal("a keyed request whose route cannot be replayed"));
            };
            respond(done, storage).await.map(replayed)
        }
        Claimed::Ours(claim) => {
            parts.extensions.insert(claim.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            if !response.status().is_success() {
                app.release(&claim).await;
                return Ok(response);
            }
            let (response, answer) = capture(response).await;
            if let Some(answer) = answer {
                app.store_response(&claim, answer).await;
            }
            Ok(response)
        }
    }
}

/// The key of a request, if it has one.
///
/// # Errors
/// `bad_request`.
pub fn key_of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    IdempotencyKey::of(headers).map_err(|error| {
        Problem::new(Code::BadRequest, crate::error::sentence(&error)).with("header", "Idempotency-Key")
    })
}

async fn fingerprint(known_by: FingerprintOf, parts: &mut Parts) -> Result<RequestFingerprint> {
    let limit_bytes = match known_by {
        FingerprintOf::Head => {
            return Ok(RequestFingerprint::of_upload(&parts.method, &parts.uri, &parts.headers));
        }
        FingerprintOf::Body => MAX_JSON_BYTES,
        FingerprintOf::BodyOf(most) => most,
    };
    let bytes = match parts.extensions.get::<Incoming>().and_then(Incoming::take) {
        Some(body) => read_bounded(body, &parts.headers, limit_bytes).await?,
        None => Vec::new(),
    };
    let fingerprint = RequestFingerprint::of_body(&parts.method, &parts.uri, &bytes);
    let body: Box<dyn NativeBody> = Box::new(BytesBody::new(bytes));
    parts.extensions.insert(Incoming::new(Some(body)));
    Ok(fingerprint)
}

/// Says that an answer was not made for this request.
pub fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// A response and what is to be kept of it; nothing of one whose body may not be stored or is elsewhere.
async fn capture(response: Response) -> (Response, Option<StoredResponse>) {
    if is_carried(&response) {
        return (response, None);
    }
    let no_store = response.headers().get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let (parts, body) = response.into_parts();
    // The router's own bodies are in memory already: collecting them cannot fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned())).filter(|_| *name != CONTENT_LENGTH)
    };
    let text = std::str::from_utf8(&bytes).ok().filter(|body| !no_store || body.is_empty());
    let answer = text.map(|body| StoredResponse {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(header).collect(),
        body: body.to_owned(),
    });
    (Response::from_parts(parts, Body::from(bytes)), answer)
}

fn restored(answer: StoredResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
