//! `/api/files/multipart`: multipart uploads. A client sends a file in parts, in any order and in parallel.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::extract::body::{JsonBody, Object, OptionalJsonBody, UploadBody};
use super::extract::file_headers::{
    DigestHeaders, announced_digest, bad_metadata, checked_filename, describe, storage_class,
};
use super::extract::params::Params;
use super::extract::storage::Storage;
use super::layers::idempotency::{FingerprintOf, idempotent};
use super::layers::uploads::limit_uploads;
use super::responses::FileResponse;
use crate::app::SharedApp;
use crate::domain::ids::AttemptId;
use crate::domain::storage_class::StorageClass;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::filename::Filename;
use crate::http::tags::Tags;
use crate::http::{pagination, sniff};
use crate::routes::table::{Routes, route};
use crate::storage::multipart::{Multipart, MultipartStatus, NewMultipart, NewPart, StoredPart, StoredParts};
use crate::storage::protocol::NewFile;
use crate::storage::resumable::limits::MAX_PARTS;
use crate::storage::resumable::problems::{empty_upload, too_long};
use crate::storage::upload::check_length;

/// Maximum length of a list of parts, in bytes. There is room for 10,000 parts with etags of 200 bytes.
const MAX_LIST_BYTES: usize = 4 << 20;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(limit_uploads(idempotent(FingerprintOf::Body, route!(create_multipart))))
        .route(idempotent(FingerprintOf::Body, route!(get_multipart, abort_multipart)))
        .route(route!(list_parts))
        .route(limit_uploads(idempotent(FingerprintOf::Head, route!(put_part))))
        .route(idempotent(FingerprintOf::BodyOf(MAX_LIST_BYTES), route!(complete_multipart)))
}

/// The id of the upload in a path. Text that is not an id is treated as the id of an upload that does not exist.
struct MultipartUploadPath(AttemptId);

impl FromRequestParts<SharedApp> for MultipartUploadPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let id = path.ok().and_then(|Path(values)| AttemptId::parse(&values.first()?.1));
        id.map(Self).ok_or_else(Problem::no_such_upload)
    }
}

/// The part number in a path.
struct PartPath(u64);

impl FromRequestParts<SharedApp> for PartPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let text = path.ok().and_then(|Path(mut values)| Some(values.pop()?.1)).unwrap_or_default();
        let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let detail =
                format!("There is no part {shown:?}. Part numbers are whole numbers from 1 to {MAX_PARTS}.");
            Problem::new(Code::BadRequest, detail)
        })
    }
}

/// Data of a new multipart upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody {
    /// Filename, at most 255 bytes of UTF-8.
    filename: String,
    /// Size of the whole file in bytes.
    size: u64,
    /// Media type, if known: at most 255 bytes.
    content_type: Option<String>,
    /// At most 32 tags of at most 64 bytes.
    tags: Option<Vec<String>>,
    /// Metadata: a flat object, at most 8 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Time at which Cutty moves the file to the trash (RFC 3339).
    expires_at: Option<String>,
    /// Storage class of the file: `Standard` (default) or `InfrequentAccess`.
    #[schema(value_type = Option<StorageClass>)]
    storage_class: Option<String>,
    /// Size of every part except the last, in bytes: from 5 MiB to the maximum size of one request.
    part_size: Option<u64>,
}

/// A multipart upload.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MultipartResponse {
    success: bool,
    upload_id: String,
    /// Id of the file. The file does not exist before the upload is complete.
    file_id: String,
    filename: String,
    size: u64,
    /// Size of every part except the last, in bytes.
    part_size: u64,
    part_count: u64,
    status: MultipartStatus,
    /// Number of parts stored so far.
    parts_uploaded: u64,
    /// Number of bytes in the parts stored so far.
    bytes_uploaded: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl MultipartResponse {
    fn new(upload: &Multipart, parts_uploaded: u64, bytes_uploaded: u64) -> Self {
        Self {
            success: true,
            upload_id: upload.upload.to_string(),
            file_id: upload.file.to_string(),
            filename: upload.filename.clone(),
            size: upload.size_bytes,
            part_size: upload.part_bytes,
            part_count: upload.part_count(),
            status: upload.status,
            parts_uploaded,
            bytes_uploaded,
            created_at: upload.created_at,
            expires_at: upload.expires_at,
        }
    }
}

/// A stored part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartView {
    part_number: u16,
    /// Etag of the part. The client sends the etag in the request that completes the upload.
    etag: String,
    size: u64,
    #[schema(value_type = String, format = DateTime)]
    uploaded_at: Timestamp,
}

impl From<StoredPart> for PartView {
    fn from(part: StoredPart) -> Self {
        Self {
            part_number: part.part_number,
            etag: part.etag,
            size: part.size_bytes,
            uploaded_at: part.uploaded_at,
        }
    }
}

/// Response to the upload of a part.
#[derive(Debug, Serialize, ToSchema)]
struct PartResponse {
    success: bool,
    part: PartView,
}

/// Creates a multipart upload. Costs 2 D1 calls (one to identify you), 1 R2 call and 1 Durable Object request for the
/// rate limit.
#[utoipa::path(post, path = "/api/files/multipart", tag = "uploads", request_body = CreateBody,
    responses((status = 201, body = MultipartResponse), (status = 400), (status = 401), (status = 413), (status = 415),
        (status = 422), (status = 507)))]
async fn create_multipart(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response> {
    let limit = app.config.max_upload_size_bytes;
    match body.size {
        0 => return Err(empty_upload()),
        size if size > limit => return Err(too_long(limit)),
        _ => {}
    }
    let filename = checked_filename(Filename::parse(&body.filename))?;
    sniff::check_declared(body.content_type.as_deref(), &app.config.allowed_file_types)
        .map_err(|refusal| Problem::new(Code::UnsupportedType, sentence(&refusal)))?;
    let metadata = body.metadata.as_deref().map(RawValue::get);
    let mut description = describe(None, metadata, body.expires_at.as_deref(), app.now())?;
    let tags = Tags::from_values(body.tags.unwrap_or_default()).map_err(|error| bad_metadata(&error))?;
    description.tags = tags.into_vec();
    description.storage_class = storage_class(body.storage_class.as_deref())?;
    let file = NewFile::uploaded(&filename, description);
    let new = NewMultipart {
        file,
        declared_type: body.content_type,
        size_bytes: body.size,
        part_bytes: body.part_size,
    };
    created_multipart(&service.create_multipart(new).await?, StoredParts::default())
}

/// Returns the response to the creation of a multipart upload.
pub fn created_multipart(upload: &Multipart, stored: StoredParts) -> Result<Response> {
    let location = format!("/api/files/multipart/{}", upload.upload);
    let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
    let body = Json(MultipartResponse::new(upload, stored.parts, stored.bytes));
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

/// Returns the state of a multipart upload. Costs 3 D1 calls (one to identify you).
#[utoipa::path(get, path = "/api/files/multipart/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload")),
    responses((status = 200, body = MultipartResponse), (status = 401), (status = 404)))]
async fn get_multipart(
    Storage(service): Storage,
    MultipartUploadPath(id): MultipartUploadPath,
) -> Result<Json<MultipartResponse>> {
    let upload = service.find_multipart(id).await?;
    let stored = service.count_parts(&upload).await?;
    Ok(Json(MultipartResponse::new(&upload, stored.parts, stored.bytes)))
}

/// Cancels a multipart upload: its parts are deleted, and its reservation is freed. Costs 3 D1 calls (one to identify
/// you) and 1 R2 call.
#[utoipa::path(delete, path = "/api/files/multipart/{id}", tag = "uploads",
    params(("id" = String, Path, description = "The upload")),
    responses((status = 204), (status = 401), (status = 404), (status = 409), (status = 410)))]
async fn abort_multipart(
    Storage(service): Storage,
    MultipartUploadPath(id): MultipartUploadPath,
) -> Result<StatusCode> {
    let upload = service.find_multipart(id).await?;
    service.abort_multipart(&upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores a part of a multipart upload.
///
/// Every part except the last must have exactly `partSize` bytes. Parts may be sent in any order and in parallel. A new
/// part replaces an earlier part with the same number. `Repr-Digest` and `Content-Digest` are both digests of the bytes
/// of the part (RFC 9530). Costs 3 D1 calls (one to identify you), 1 R2 call and 1 Durable Object request for the rate
/// limit.
#[utoipa::path(put, path = "/api/files/multipart/{id}/parts/{number}", tag = "uploads",
    params(("id" = String, Path, description = "The upload"), ("number" = u64, Path, description = "From 1"),
        DigestHeaders),
    request_body(content((Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = PartResponse, description = "Stored; the etag is also in the ETag header"), (status = 400), (status = 401),
        (status = 404), (status = 409), (status = 410), (status = 411), (status = 413), (status = 415),
        (status = 422)))]
async fn put_part(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    MultipartUploadPath(id): MultipartUploadPath,
    number: std::result::Result<PartPath, Problem>,
    headers: HeaderMap,
    body: UploadBody,
) -> Result<Response> {
    let upload = service.find_multipart(id).await?;
    let new = NewPart {
        number: number?.0,
        length_bytes: check_length(body.length_bytes, app.config.max_file_size_bytes)?,
        expected_sha256: announced_digest(&headers)?,
    };
    let part = service.put_part(&upload, new, body.body.ok_or_else(empty_upload)?).await?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", part.etag)).map_err(Problem::internal)?;
    Ok(([(ETAG, etag)], Json(PartResponse { success: true, part: part.into() })).into_response())
}

/// Query of a page of parts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PartsParams {
    /// Number of parts on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// The page has only parts whose number is greater than `after`. For the next page, send `nextAfter` of the
    /// previous page.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
}

/// A page of parts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartsResponse {
    success: bool,
    parts: Vec<PartView>,
    has_more: bool,
    /// `after` for the next page; null on the last page.
    next_after: Option<u16>,
}

/// Lists the stored parts in the order of their numbers. Costs 3 D1 calls (one to identify you).
#[utoipa::path(get, path = "/api/files/multipart/{id}/parts", tag = "uploads",
    params(("id" = String, Path, description = "The upload"), PartsParams),
    responses((status = 200, body = PartsResponse), (status = 400), (status = 401), (status = 404)))]
async fn list_parts(
    Storage(service): Storage,
    MultipartUploadPath(id): MultipartUploadPath,
    Params(params): Params<PartsParams>,
) -> Result<Json<PartsResponse>> {
    let limit = u64::from(pagination::parse_limit(params.limit.as_deref())?);
    let after = pagination::parse_after(params.after.as_deref())?.min(MAX_PARTS);
    let upload = service.find_multipart(id).await?;
    let mut parts = service.parts(&upload, after, limit + 1).await?;
    let has_more = parts.len() as u64 > limit;
    if has_more {
        parts.pop();
    }
    let next_after = parts.last().filter(|_| has_more).map(|part| part.part_number);
    let parts = parts.into_iter().map(PartView::from).collect();
    Ok(Json(PartsResponse { success: true, parts, has_more, next_after }))
}

/// The parts of the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompleteBody {
    /// All parts, in ascending order of their numbers.
    #[serde(default)]
    #[schema(value_type = Vec<NamedPart>)]
    parts: Vec<Object<NamedPart>>,
}

/// Number and etag of a part.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
struct NamedPart {
    part_number: u64,
    etag: String,
    /// Ignored. Cutty accepts `size` so that a client can copy a part from the response to `PUT` or from the list of
    /// parts.
    size: Option<u64>,
    /// Ignored, like `size`.
    #[schema(value_type = Option<String>, format = DateTime)]
    uploaded_at: Option<Timestamp>,
}

/// Completes a multipart upload: joins the parts into a file.
///
/// The request may be repeated. Until a background pass has read the file once, the file has no checksum, and
/// `verified` is false. Costs 4 D1 calls (one to identify you), 1 R2 call and 1 queue message.
#[utoipa::path(post, path = "/api/files/multipart/{id}/complete", tag = "uploads", request_body = CompleteBody,
    params(("id" = String, Path, description = "The upload")),
    responses((status = 201, body = FileResponse), (status = 400), (status = 401), (status = 404), (status = 409),
        (status = 410), (status = 413), (status = 415), (status = 422)))]
async fn complete_multipart(
    Storage(service): Storage,
    MultipartUploadPath(id): MultipartUploadPath,
    OptionalJsonBody(body): OptionalJsonBody<CompleteBody, MAX_LIST_BYTES>,
) -> Result<Response> {
    let upload = service.find_multipart(id).await?;
    let named: Vec<_> = body.parts.into_iter().map(|Object(part)| (part.part_number, part.etag)).collect();
    crate::routes::responses::created_file(service.complete_multipart(&upload, &named).await?)
}
