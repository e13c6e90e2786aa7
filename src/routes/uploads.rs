//! `/api/uploads`: resumable uploads with tus 1.0.0. The official tus clients can be used.

use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LOCATION, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

use super::extract::body::UploadBody;
use super::extract::file_headers::{
    DigestHeaders, announced_digest, checked_filename, default_filename, describe, header_text, storage_class,
};
use super::extract::storage::Storage;
use super::layers::idempotency::{FILE_ID, FingerprintOf, idempotent};
use super::layers::problems::canonical_uri;
use super::layers::uploads::limit_uploads;
use crate::app::{App, SharedApp};
use crate::body::stream::NativeBody;
use crate::domain::ids::AttemptId;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::date;
use crate::http::filename::Filename;
use crate::http::media_type::MediaType;
use crate::http::sniff;
use crate::http::tus::{self, Checksum, Metadata, TusError, UploadLength};
use crate::routes::table::{Routes, route};
use crate::storage::protocol::NewFile;
use crate::storage::resumable::command::UploadProgress;
use crate::storage::resumable::problems::{empty_upload, too_long};
use crate::storage::resumable::service::{Chunk, NewUpload};

const PATH: &str = "/api/uploads";
const SHARED_PATH: &str = "/api/shared/";

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const VERSION: HeaderName = HeaderName::from_static("tus-version");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const DEFER: HeaderName = HeaderName::from_static("upload-defer-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// Returns the routes.
pub fn routes() -> Routes {
    let limited = |route| limit_uploads(idempotent(FingerprintOf::Head, route));
    Routes::new().route(limited(route!(create_upload, discover))).route(limited(route!(
        get_offset,
        append_to_upload,
        terminate_upload,
        discover_one
    )))
}

/// Whether a request is about uploads with tus: its path is `/api/uploads`, the uploads of a link, or below them.
pub fn is_tus(head: &Request<()>) -> bool {
    let canonical = canonical_uri(head.uri());
    let path = canonical.as_ref().unwrap_or(head.uri()).path();
    // Through a link: /api/shared/{token}/uploads.
    let below_link = path.strip_prefix(SHARED_PATH).and_then(|rest| rest.split_once('/'));
    let path = below_link.map_or_else(|| path.strip_prefix(PATH), |(_, rest)| rest.strip_prefix("uploads"));
    path.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Replaces the method of a `POST` with the method in `X-HTTP-Method-Override`, for clients that can only send `POST`, and
/// removes the header. A header that stays in the request is refused later, so that no client gets another method than
/// it means.
pub fn override_method(mut head: Request<()>) -> Request<()> {
    if *head.method() == Method::POST && is_tus(&head) {
        let mut values = head.headers().get_all(OVERRIDE).iter();
        let value = values.next().filter(|_| values.next().is_none());
        let method = value.and_then(|value| Method::from_bytes(value.as_bytes()).ok());
        if let Some(method) = method {
            *head.method_mut() = method;
            head.headers_mut().remove(OVERRIDE);
        }
    }
    head
}

/// Sets `Tus-Resumable`. If the response is 412, also sets `Tus-Version`. Must be called for every response of the
/// routes in this module, problems included.
pub fn insert_version(response: &mut Response) {
    let version = HeaderValue::from_static(tus::VERSION);
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(VERSION, version.clone());
    }
    response.headers_mut().insert(RESUMABLE, version);
}

/// Returns the origin of a URI, such as `https://cutty.com`; `None` if the URI has no origin.
pub fn origin_of(uri: &Uri) -> Option<String> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    Some(format!("{scheme}://{host}"))
}

/// Makes the `Location` of a new upload absolute, because some tus clients do not resolve a path against the URL of
/// their request. A response that is stored for replays has only the path, because a repeated request may use another
/// origin.
pub fn complete_location(response: &mut Response, origin: Option<&str>) {
    let path = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let Some((origin, path)) = origin.zip(path.filter(|path| path.starts_with('/'))) else { return };
    if let Ok(location) = HeaderValue::from_str(&format!("{origin}{path}")) {
        response.headers_mut().insert(LOCATION, location);
    }
}

/// An extractor that refuses a request without `Tus-Resumable: 1.0.0`.
pub struct TusVersion;

impl<S: Send + Sync> FromRequestParts<S> for TusVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        match header_text(&parts.headers, RESUMABLE)? {
            Some(tus::VERSION) => Ok(Self),
            _ => {
                let detail = "Send Tus-Resumable: 1.0.0, the only supported version of tus.";
                Err(Problem::new(Code::PreconditionFailed, detail))
            }
        }
    }
}

/// The id of the upload in a path. Text that is not an id is treated as the id of an upload that does not exist.
struct ResumableUploadPath(AttemptId);

impl FromRequestParts<SharedApp> for ResumableUploadPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let id = path.ok().and_then(|Path(text)| AttemptId::parse(&text));
        id.map(Self).ok_or_else(Problem::no_such_upload)
    }
}

/// Returns the supported tus version, extensions, maximum size and checksum algorithms. Costs no calls.
#[utoipa::path(options, path = "/api/uploads", tag = "uploads", security(()),
    responses((status = 204, description = "See Tus-Version, Tus-Extension, Tus-Max-Size and Tus-Checksum-Algorithm")))]
pub async fn discover(State(app): State<SharedApp>) -> Response {
    let headers = [
        (VERSION, HeaderValue::from_static(tus::VERSION)),
        (HeaderName::from_static("tus-extension"), HeaderValue::from_static(tus::EXTENSIONS)),
        (HeaderName::from_static("tus-max-size"), HeaderValue::from(app.config.max_upload_size_bytes)),
        (HeaderName::from_static("tus-checksum-algorithm"), HeaderValue::from_static(tus::ALGORITHMS)),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Returns the same as `OPTIONS /api/uploads`.
#[utoipa::path(options, path = "/api/uploads/{id}", tag = "uploads", security(()),
    params(("id" = String, Path, description = "Any text")), responses((status = 204)))]
async fn discover_one(app: State<SharedApp>) -> Response {
    discover(app).await
}

/// Creates a resumable upload (tus: creation).
///
/// `Upload-Metadata` may have the keys `filename`, `filetype`, `tags` (comma-separated), `metadata` (a flat JSON
/// object), `expiresAt` and `storageClass` (`Standard` or `InfrequentAccess`). The keys may be in upper or lower case.
/// The body may contain the first bytes, with the type `application/offset+octet-stream`. Costs 2 D1 calls (one to
/// identify you) and 2 Durable Object requests (one for the rate limit). If the body has bytes, they cost the same calls as in a `PATCH`.
#[utoipa::path(post, path = "/api/uploads", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = Option<u64>, Header, description = "Size of the whole file in bytes"),
        ("Upload-Defer-Length" = Option<u64>, Header, description = "1, if the length is sent later"),
        ("Upload-Metadata" = Option<String>, Header, description = "Keys and values in base64, at most 16 KiB"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1 or sha256 of the body, in base64"),
        DigestHeaders,
    ),
    request_body(content((Vec<u8> = "application/offset+octet-stream"))),
    responses((status = 201, description = "Created. If the body had all bytes, the file is stored too. Location is the URL of the upload; X-File-Id is the id of the stored file"),
        (status = 400), (status = 401),
        (status = 405, description = "method_not_allowed: X-HTTP-Method-Override names a method that this path does not have"),
        (status = 410), (status = 412), (status = 413), (status = 415), (status = 422),
        (status = 460), (status = 507), (status = 409)))]
async fn create_upload(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    _: TusVersion,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    let (new, body) = creation(&app, &headers, upload, &[])?;
    created_upload(&service.create_upload(new, body).await?)
}

/// Reads a request that creates an upload. Refuses the keys `refused` of `Upload-Metadata`.
///
/// # Errors
/// `bad_request`, `bad_metadata`, `bad_name`, `empty_file`, `too_large`, `unsupported_type`, `digest_mismatch`.
pub fn creation(
    app: &App,
    headers: &HeaderMap,
    upload: UploadBody,
    refused: &[&'static str],
) -> Result<(NewUpload, Option<Box<dyn NativeBody>>)> {
    let length = creation_length(app, headers)?;
    let body = body_of(upload.body, upload.length_bytes);
    if body.is_some() {
        expect_media_type(headers)?;
    }
    let digest = digest_of(headers, body.is_some())?;
    if headers.contains_key(CHECKSUM) && body.is_none() {
        let detail = "The request has an Upload-Checksum but no body. Send the checksum only with bytes.";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let new = new_upload(app, headers, length, digest, body.as_ref().and(upload.length_bytes), refused)?;
    Ok((new, body))
}

/// Returns the response to the creation of a resumable upload.
pub fn created_upload(progress: &UploadProgress) -> Result<Response> {
    let location =
        HeaderValue::from_str(&format!("{PATH}/{}", progress.upload)).map_err(Problem::internal)?;
    let mut response = (StatusCode::CREATED, [(LOCATION, location)]).into_response();
    insert_progress(response.headers_mut(), progress);
    Ok(response)
}

/// Returns the offset of an upload (tus: core). Costs 1 Durable Object request, and at most once a minute 1 D1 call to
/// check that your account still exists.
///
/// If Cutty is still receiving bytes of this upload in another request, Cutty interrupts that request and keeps the
/// received bytes. So the client can continue at the returned offset.
#[utoipa::path(head, path = "/api/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses(
        (status = 200, description = "See Upload-Offset and Upload-Length. If the file is stored, X-File-Id is its id"),
        (status = 401), (status = 404), (status = 410), (status = 412), (status = 415), (status = 422)))]
async fn get_offset(
    Storage(service): Storage,
    upload: std::result::Result<ResumableUploadPath, Problem>,
    _: TusVersion,
) -> Result<Response> {
    let progress = service.upload_status(upload?.0).await?;
    let mut response = status_response(&progress);
    insert_file(response.headers_mut(), &progress);
    Ok(response)
}

/// Returns the response to a request for the offset of an upload.
pub fn status_response(progress: &UploadProgress) -> Response {
    let mut response = StatusCode::OK.into_response();
    insert_offset(response.headers_mut(), progress);
    match progress.length {
        Some(length) => response.headers_mut().insert(LENGTH, length.into()),
        None => response.headers_mut().insert(DEFER, HeaderValue::from_static("1")),
    };
    let metadata = progress.metadata.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    if let Some(metadata) = metadata {
        response.headers_mut().insert(METADATA, metadata);
    }
    response
}

/// Appends bytes to an upload (tus: core). When Cutty has received all bytes, it stores the file.
///
/// If the connection breaks, Cutty keeps the received bytes. But if the request has `Upload-Checksum` or a digest,
/// Cutty keeps either all bytes of the request or none. Costs 2 Durable Object requests (one for the rate limit), 1 R2
/// put for each part that
/// becomes full, and at most once a minute 1 D1 call to check that your account still exists. The last request also
/// costs 1 D1 call and 2 or 3 R2 calls. One of these R2 calls stores the profile.
#[utoipa::path(patch, path = "/api/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Offset of the first byte: the current offset of the upload"),
        ("Upload-Length" = Option<u64>, Header,
            description = "Size of the whole file in bytes, if it was not sent at the creation"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1 or sha256 of the body, in base64"),
        DigestHeaders),
    request_body(content((Vec<u8> = "application/offset+octet-stream"))),
    responses((status = 204, description = "Received. See Upload-Offset. If the file is stored, X-File-Id is its id"),
        (status = 400), (status = 401), (status = 404), (status = 409), (status = 410), (status = 412), (status = 413),
        (status = 415), (status = 422), (status = 460), (status = 507)))]
async fn append_to_upload(
    Storage(service): Storage,
    path: std::result::Result<ResumableUploadPath, Problem>,
    _: TusVersion,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    let (chunk, body) = chunk(&headers, upload)?;
    let progress = service.append(path?.0, chunk, body).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    insert_progress(response.headers_mut(), &progress);
    Ok(response)
}

/// Reads a request that appends bytes to an upload.
///
/// # Errors
/// `bad_request`, `unsupported_type`, `digest_mismatch`.
pub fn chunk(headers: &HeaderMap, upload: UploadBody) -> Result<(Chunk, Option<Box<dyn NativeBody>>)> {
    expect_media_type(headers)?;
    let offset = header_text(headers, OFFSET)?.ok_or_else(|| {
        Problem::new(Code::BadRequest, "Send Upload-Offset. HEAD returns the current offset of the upload.")
    })?;
    let length = header_text(headers, LENGTH)?.map(|text| tus::number("Upload-Length", text)).transpose();
    let body = body_of(upload.body, upload.length_bytes);
    let chunk = Chunk {
        offset: tus::number("Upload-Offset", offset).map_err(bad_header)?,
        length: length.map_err(bad_header)?,
        checksum: checksum_of(headers)?,
        digest: digest_of(headers, body.is_some())?,
        body_bytes: upload.length_bytes,
    };
    Ok((chunk, body))
}

/// Cancels an upload (tus: termination). Costs 2 D1 calls (one to identify you), 1 Durable Object request and at most 1
/// R2 call.
#[utoipa::path(delete, path = "/api/uploads/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 204, description = "Cancelled; its reservation is freed"), (status = 401), (status = 404),
        (status = 409), (status = 410), (status = 412)))]
async fn terminate_upload(
    Storage(service): Storage,
    upload: std::result::Result<ResumableUploadPath, Problem>,
    _: TusVersion,
) -> Result<Response> {
    service.terminate_upload(upload?.0).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn creation_length(app: &App, headers: &HeaderMap) -> Result<Option<u64>> {
    // `Upload-Concat` marks a partial upload. Its bytes must not become a file, because they may start in the middle of
    // a row.
    if headers.contains_key(CONCAT) {
        let detail = "Upload-Concat is not supported. Send the file as one upload.";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let limit = app.config.max_upload_size_bytes;
    match tus::upload_length(header_text(headers, LENGTH)?, header_text(headers, DEFER)?)
        .map_err(bad_header)?
    {
        UploadLength::Deferred => Ok(None),
        UploadLength::Known(0) => Err(empty_upload()),
        UploadLength::Known(length) if length > limit => Err(too_long(limit)),
        UploadLength::Known(length) => Ok(Some(length)),
    }
}

fn new_upload(
    app: &App,
    headers: &HeaderMap,
    length: Option<u64>,
    digest: Option<[u8; 32]>,
    body_bytes: Option<u64>,
    refused: &[&'static str],
) -> Result<NewUpload> {
    let sent = header_text(headers, METADATA)?;
    let metadata = Metadata::parse(sent.unwrap_or_default()).map_err(bad_header)?;
    for key in refused {
        let value = metadata.text(&[*key]);
        if value.map_err(|error| Problem::new(Code::BadMetadata, sentence(&error)))?.is_some() {
            let detail = format!("A link takes no {key}. Leave the key out of Upload-Metadata.");
            return Err(Problem::new(Code::BadMetadata, detail).with("field", *key));
        }
    }
    let value = |keys: &[&'static str]| {
        metadata.text(keys).map_err(|error| Problem::new(Code::BadMetadata, sentence(&error)))
    };
    let filename = match value(&["filename", "name"])? {
        Some(name) => checked_filename(Filename::from_client_path(name))?,
        None => default_filename()?,
    };
    let declared_type = value(&["filetype", "type", "content-type", "mime_type"])?;
    sniff::check_declared(declared_type, &app.config.allowed_file_types)
        .map_err(|refusal| Problem::new(Code::UnsupportedType, sentence(&refusal)))?;
    let mut description =
        describe(value(&["tags"])?, value(&["metadata"])?, value(&["expiresAt"])?, app.now())?;
    description.storage_class = storage_class(value(&["storageClass"])?)?;
    let file = NewFile::uploaded(&filename, description);
    Ok(NewUpload {
        file,
        declared_type: declared_type.map(str::to_owned),
        length,
        metadata: sent.map(str::to_owned),
        checksum: checksum_of(headers)?,
        digest,
        body_bytes,
    })
}

fn checksum_of(headers: &HeaderMap) -> Result<Option<Checksum>> {
    header_text(headers, CHECKSUM)?.map(Checksum::parse).transpose().map_err(bad_header)
}

/// Returns the SHA-256 in `Repr-Digest` or `Content-Digest`. In a tus request, both are digests of the request's body.
fn digest_of(headers: &HeaderMap, has_body: bool) -> Result<Option<[u8; 32]>> {
    let digest = announced_digest(headers)?;
    if digest.is_some() && !has_body {
        let detail =
            "The request has a digest but no body. Send Repr-Digest or Content-Digest only with bytes.";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    Ok(digest)
}

/// Returns the body; `None` if its `Content-Length` is 0.
fn body_of(body: Option<Box<dyn NativeBody>>, length_bytes: Option<u64>) -> Option<Box<dyn NativeBody>> {
    body.filter(|_| length_bytes != Some(0))
}

fn expect_media_type(headers: &HeaderMap) -> Result<()> {
    let media_type = header_text(headers, CONTENT_TYPE)?.and_then(|text| MediaType::parse(text).ok());
    match media_type.is_some_and(|media_type| media_type.is(tus::MEDIA_TYPE)) {
        true => Ok(()),
        false => {
            let detail = format!("Send the bytes with Content-Type: {}.", tus::MEDIA_TYPE);
            Err(Problem::new(Code::UnsupportedType, detail))
        }
    }
}

fn insert_progress(headers: &mut HeaderMap, progress: &UploadProgress) {
    insert_offset(headers, progress);
    insert_file(headers, progress);
}

/// Inserts the offset of an upload and, until the file is stored, when the upload expires.
pub fn insert_offset(headers: &mut HeaderMap, progress: &UploadProgress) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(OFFSET, progress.offset.into());
    let expires = date::format_http_date(progress.expires_at.instant());
    if let Some(expires) = HeaderValue::from_str(&expires).ok().filter(|_| progress.file.is_none()) {
        headers.insert(EXPIRES, expires);
    }
}

/// Inserts the id and the path of the file, once it is stored.
fn insert_file(headers: &mut HeaderMap, progress: &UploadProgress) {
    let Some(file) = progress.file else { return };
    // The id and the path are ASCII, so both conversions succeed.
    if let Ok(id) = HeaderValue::from_str(&file.to_string()) {
        headers.insert(FILE_ID, id);
    }
    if let Ok(location) = HeaderValue::from_str(&format!("/api/files/{file}")) {
        headers.insert(CONTENT_LOCATION, location);
    }
}

fn bad_header(error: TusError) -> Problem {
    Problem::new(Code::BadRequest, sentence(&error))
}
