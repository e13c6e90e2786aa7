//! The `Idempotency-Key` layer: repeated requests with one key have one effect. To add the layer to a route, wrap its
//! `route!` in [`idempotent`].
//!
//! The layer claims the key before the handler runs. The service records the effect through
//! [`crate::storage::actor::Actor::record`]. After the handler, the layer stores the response, or releases the claim if
//! the request failed. The layer does nothing if a request has no `Idempotency-Key` or has a safe method.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::{ObjectBuilder, PathItem, RefOr, Required, Response as Described, Type};

use crate::app::SharedApp;
use crate::body::incoming::Incoming;
use crate::body::stream::NativeBody;
use crate::domain::ids::FileId;
use crate::error::{Code, Problem, Result};
use crate::idempotency::fingerprint::RequestFingerprint;
use crate::idempotency::key::{IDEMPOTENCY_KEY, IdempotencyKey};
use crate::idempotency::{ClaimOutcome, Done, KeyScope, StoredResponse};
use crate::routes::carried::is_carried;
use crate::routes::extract::body::{BytesBody, MAX_JSON_BYTES, is_json, read_bounded};
use crate::routes::extract::identity::Authenticated;
use crate::routes::extract::storage::Storage;
use crate::routes::table::Route;
use crate::storage::R2StorageService;

/// Header with the id of a stored file, in the responses of a tus upload.
pub const FILE_ID: HeaderName = HeaderName::from_static("x-file-id");

/// Header of replayed responses.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The function that responds to a repeated request whose effect is recorded. Each request has this function in an
/// extension. This layer cannot import the function, because the function imports the routes, and the routes import
/// this layer.
#[derive(Clone, Copy)]
pub struct Replay(pub fn(Method, Done, R2StorageService) -> BoxFuture<'static, Result<Response>>);

/// The data from which the fingerprint of a request is computed, in addition to method, path and query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintOf {
    /// The whole body, of at most [`MAX_JSON_BYTES`].
    Body,
    /// The whole body, of at most this number of bytes.
    BodyOf(usize),
    /// The headers that describe an upload. The body is the upload and is not read. Only a `DELETE` is no upload: a body
    /// makes it another request.
    Head,
}

/// Adds the layer to a route, and adds the `Idempotency-Key` header to the description of the route.
pub fn idempotent(source: FingerprintOf, route: Route) -> Route {
    let layer = from_fn(move |request, next| run_idempotent(source, request, next));
    route.map(|handlers| handlers.layer(layer)).amend_description(describe_key)
}

/// Adds the `Idempotency-Key` header to the description of every operation whose method is not safe.
pub fn describe_key(paths: &mut Paths) {
    for item in paths.paths.values_mut() {
        changing(item).for_each(describe);
    }
}

fn changing(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

fn describe(operation: &mut Operation) {
    let text = "1 to 255 visible ASCII characters of your choice, for example a UUID. If you repeat the request with the \
        same key within 24 hours, it has no second effect, and the response has the header Idempotency-Replayed: true. \
        The header adds 2 D1 calls; a repeated request makes at most 3.";
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    for (status, text) in [
        ("400", "bad_request, also for a malformed key"),
        (
            "409",
            "in_progress: the first request with this key is not finished (see Retry-After); or another conflict",
        ),
        (
            "410",
            "gone: the file of the first request with this key is in the trash, has expired or was deleted",
        ),
        ("413", "too_large"),
        (
            "422",
            "idempotency_reuse: the key was used for another request; or the content of the body is not valid",
        ),
        ("429", "rate_limited: too many keys within 24 hours, or another limit (see Retry-After)"),
    ] {
        let described = operation.responses.responses.entry(status.to_owned());
        described.or_insert_with(|| RefOr::T(Described::new(text)));
    }
}

async fn run_idempotent(source: FingerprintOf, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    run_keyed(source, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run_keyed(source: FingerprintOf, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let app = parts.extensions.get::<SharedApp>().cloned();
    let app = app.ok_or_else(|| Problem::internal("the request has no application in its extensions"))?;
    let Some(Authenticated(principal)) = parts.extensions.get() else {
        // Access control identifies nobody if the path has no such method. The router then responds with 405.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let scope = KeyScope::of(principal);
    let Some(key) = key_of(&parts.headers)? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let fingerprint = fingerprint(source, &mut parts).await?;
    match app.claim(scope, key, &fingerprint).await? {
        ClaimOutcome::Replayed(stored, effect) => {
            let Storage(storage) = Storage::from_request_parts(&mut parts, &app).await?;
            if let Some(effect) = &effect {
                storage.expect_effect(&parts.method, effect).await?;
            }
            if let Some(file) = file_of(&stored) {
                storage.expect_stored(file).await?;
            }
            Ok(mark_replayed(from_stored(stored)))
        }
        ClaimOutcome::EffectRecorded(done) => {
            let Storage(storage) = Storage::from_request_parts(&mut parts, &app).await?;
            let Some(Replay(respond)) = parts.extensions.get::<Replay>() else {
                return Err(Problem::internal("the request has no replay function in its extensions"));
            };
            respond(parts.method, done, storage).await.map(mark_replayed)
        }
        ClaimOutcome::Acquired(claim) => {
            parts.extensions.insert(claim.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            if !response.status().is_success() {
                app.release(&claim).await;
                return Ok(response);
            }
            let (response, to_store) = capture(response).await;
            if let Some(to_store) = to_store {
                app.store_response(&claim, to_store).await;
            }
            Ok(response)
        }
    }
}

/// Returns the idempotency key of a request; `None` if the request has no key.
///
/// # Errors
/// `bad_request` if the key is malformed.
pub fn key_of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    IdempotencyKey::of(headers).map_err(|error| {
        Problem::new(Code::BadRequest, crate::error::sentence(&error)).with("header", "Idempotency-Key")
    })
}

async fn fingerprint(source: FingerprintOf, parts: &mut Parts) -> Result<RequestFingerprint> {
    let limit_bytes = match source {
        FingerprintOf::Head if parts.method != Method::DELETE => {
            return Ok(RequestFingerprint::of_upload(&parts.method, &parts.uri, &parts.headers));
        }
        FingerprintOf::Head | FingerprintOf::Body => MAX_JSON_BYTES,
        FingerprintOf::BodyOf(limit_bytes) => limit_bytes,
    };
    let of_body = |parts: &Parts, bytes: &[u8]| match source {
        FingerprintOf::Head if bytes.is_empty() => {
            RequestFingerprint::of_upload(&parts.method, &parts.uri, &parts.headers)
        }
        _ => RequestFingerprint::of_body(&parts.method, &parts.uri, &parts.headers, bytes),
    };
    let Some(mut body) = parts.extensions.get::<Incoming>().and_then(Incoming::take) else {
        return Ok(of_body(parts, &[]));
    };
    // A body that is not JSON stays unread, because no memory is leased for this body. The route refuses the request,
    // or accepts an empty object only. Its first piece shows whether a repeated request is another one.
    let (fingerprint, body) = if is_json(&parts.headers) {
        let bytes = read_bounded(body, &parts.headers, limit_bytes).await?;
        let fingerprint = of_body(parts, &bytes);
        (fingerprint, Box::new(BytesBody::new(bytes)) as Box<dyn NativeBody>)
    } else {
        let start = body.peek().await?;
        let marked = [&b"not JSON: "[..], &start].concat();
        (of_body(parts, if start.is_empty() { &[] } else { &marked }), body)
    };
    parts.extensions.insert(Incoming::new(Some(body)));
    Ok(fingerprint)
}

/// Adds the header [`REPLAYED`] to a response.
pub fn mark_replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Returns the response, and a copy of it to store. There is no copy in three cases: the body is in an extension of the
/// response; the body is not UTF-8; the response has `Cache-Control: no-store` and a body.
async fn capture(response: Response) -> (Response, Option<StoredResponse>) {
    if is_carried(&response) {
        return (response, None);
    }
    let no_store = response.headers().get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let (parts, body) = response.into_parts();
    // Bodies of the router are in memory, so collecting them cannot fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned())).filter(|_| *name != CONTENT_LENGTH)
    };
    let text = std::str::from_utf8(&bytes).ok().filter(|body| !no_store || body.is_empty());
    let to_store = text.map(|body| StoredResponse {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(header).collect(),
        body: body.to_owned(),
    });
    (Response::from_parts(parts, Body::from(bytes)), to_store)
}

/// Returns the file that a response of a tus upload reports as stored.
fn file_of(stored: &StoredResponse) -> Option<FileId> {
    let (_, id) = stored.headers.iter().find(|(name, _)| name == FILE_ID.as_str())?;
    FileId::parse(id)
}

fn from_stored(stored: StoredResponse) -> Response {
    let mut response = Response::new(Body::from(stored.body));
    *response.status_mut() = StatusCode::from_u16(stored.status).unwrap_or_default();
    for (name, value) in stored.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
