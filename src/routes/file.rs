//! `/api/files/{id}`: the bytes, the metadata and the lineage of a file.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::conditions::{
    ChangeRequest, Conditions, Representation, evaluate, guarding_revision, validator_headers,
};
use super::extract::body::{JsonBody, NoMembers};
use super::extract::file_headers::{bad_metadata, checked_filename};
use super::extract::params::Params;
use super::extract::storage::{FilePath, Storage};
use super::layers::idempotency::{FingerprintOf, idempotent};
use super::responses::{FileResponse, RecipeResponse};
use super::responses::{file_with_metadata_tag, permanently_deleted};
use crate::app::{App, SharedApp};
use crate::body::outgoing::ResponseBody;
use crate::csv::InputOptions;
use crate::cuts::request_problem;
use crate::domain::time::Timestamp;
use crate::error::sentence;
use crate::error::{Code, Problem, Result};
use crate::http::boundary::Boundary;
use crate::http::conditional::PreconditionOutcome;
use crate::http::disposition::Disposition;
use crate::http::filename::Filename;
use crate::http::range::{self, ByteRange, Ranges};
use crate::http::safe_headers::RESOURCE_POLICY;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::http::{digest, expiry, pagination};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, LifecycleStatus};
use crate::storage::lineage::Relative;
use crate::storage::update::Change;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(idempotent(FingerprintOf::Body, route!(get_file, head_file, patch_file, delete_file)))
        .route(route!(get_metadata))
        .route(idempotent(FingerprintOf::Body, route!(restore_file)))
        .route(route!(get_lineage))
        .route(route!(get_file_recipe))
}

/// Downloads a file, or byte ranges of the file.
///
/// The response contains exactly the stored bytes. The route supports conditions and one or several ranges (RFC 9110).
/// Costs 2 D1 reads, and 1 R2 read for each range. A response with the status 304, 412 or 416 costs no R2 read.
#[utoipa::path(get, path = "/api/files/{id}", tag = "files", params(("id" = String, Path), Conditions),
    responses((status = 200, content_type = "text/csv"), (status = 206), (status = 401), (status = 404),
        (status = 416)))]
async fn get_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
) -> Result<Response> {
    let file = service.find_readable(id).await?;
    send_file(&app, &service, &file, (&Method::GET, &headers)).await
}

/// Returns the headers of the response to a download, without the bytes. Costs 2 D1 reads.
#[utoipa::path(head, path = "/api/files/{id}", tag = "files", params(("id" = String, Path), Conditions),
    responses((status = 200), (status = 401), (status = 404)))]
async fn head_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
) -> Result<Response> {
    let file = service.find_readable(id).await?;
    send_file(&app, &service, &file, (&Method::HEAD, &headers)).await
}

/// Sends the bytes of a file, as the conditions and ranges in the headers say. The response to `HEAD` has no bytes.
///
/// # Errors
/// `precondition_failed`; the errors of the storage.
pub async fn send_file(
    app: &App,
    service: &R2StorageService,
    file: &FileRow,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response> {
    match decide(app, file, method, headers)? {
        Decision::Status(status) => Ok((status, representation_headers(file)?).into_response()),
        _ if *method == Method::HEAD => {
            let length = [(CONTENT_LENGTH, HeaderValue::from(file.file_size))];
            let head = (representation_headers(file)?, content_headers(file)?, length);
            Ok((head, ResponseBody::Empty).into_response())
        }
        Decision::Unsatisfiable => Ok(unsatisfiable(file)),
        Decision::Whole => {
            let body = service.send(file, None).await?;
            Ok((representation_headers(file)?, content_headers(file)?, body).into_response())
        }
        Decision::Ranges(ranges) => send_ranges(app, service, file, &ranges).await,
    }
}

/// How to respond to a request for the bytes of a file.
enum Decision {
    /// Respond with this status and no body (304).
    Status(StatusCode),
    /// Respond 200 with the whole file.
    Whole,
    /// Respond 206 with these ranges.
    Ranges(Vec<ByteRange>),
    /// Respond 416.
    Unsatisfiable,
}

fn decide(app: &App, file: &FileRow, method: &Method, headers: &HeaderMap) -> Result<Decision> {
    Ok(match evaluate(app, file, Representation::Bytes, method, headers)? {
        PreconditionOutcome::NotModified => Decision::Status(StatusCode::NOT_MODIFIED),
        PreconditionOutcome::PreconditionFailed => Decision::Status(StatusCode::PRECONDITION_FAILED),
        PreconditionOutcome::Proceed { honour_range: false } => Decision::Whole,
        PreconditionOutcome::Proceed { honour_range: true } => {
            match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
                None => Decision::Whole,
                Some(range) => match range::parse(range, file.file_size) {
                    Ranges::Whole => Decision::Whole,
                    Ranges::Unsatisfiable => Decision::Unsatisfiable,
                    Ranges::Satisfiable(ranges) => Decision::Ranges(ranges),
                },
            }
        }
    })
}

async fn send_ranges(
    app: &App,
    service: &R2StorageService,
    file: &FileRow,
    ranges: &[ByteRange],
) -> Result<Response> {
    let representation = representation_headers(file)?;
    if let [range] = ranges {
        let body = service.send(file, Some(*range)).await?;
        let content_range = header(&range.content_range(file.file_size))?;
        let head = (StatusCode::PARTIAL_CONTENT, representation, content_headers(file)?);
        return Ok((head.0, head.1, head.2, [(CONTENT_RANGE, content_range)], body).into_response());
    }
    let boundary = fresh_boundary(app)?;
    let plan = range::multipart_byte_ranges(ranges, file.file_size, &file.mime_type, &boundary);
    let content_type = [(CONTENT_TYPE, header(&plan.content_type)?)];
    let body = service.send_segments(file, plan.segments, plan.length_bytes).await?;
    Ok((StatusCode::PARTIAL_CONTENT, representation, content_type, body).into_response())
}

/// Makes a boundary from 16 random bytes, so that the bytes of the file do not contain the boundary.
fn fresh_boundary(app: &App) -> Result<Boundary> {
    let mut random = [0; 16];
    app.random.fill(&mut random);
    Boundary::new(&hex::encode(random)).map_err(Problem::internal)
}

fn unsatisfiable(file: &FileRow) -> Response {
    let detail =
        format!("The file has {} bytes. Request a range that starts before its end.", file.file_size);
    let mut response = Problem::new(Code::BadRange, detail).with("size", file.file_size).into_response();
    if let Ok(value) = HeaderValue::from_str(&range::unsatisfied_content_range(file.file_size)) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

/// Returns the headers that the responses 200, 206 and 304 to a request for the bytes of a file have in common. A 304
/// has `Content-Disposition` too, so that a client with a copy of the bytes saves this copy under the current name of
/// the file.
fn representation_headers(file: &FileRow) -> Result<HeaderMap> {
    let mut headers = validator_headers(file, Representation::Bytes)?;
    headers.insert(CONTENT_DISPOSITION, Disposition::Attachment.with_filename(&file.filename));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Authorization"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if let Some(sha256) = file.sha256() {
        headers.insert(HeaderName::from_static("repr-digest"), header(&digest::render(&sha256))?);
    }
    Ok(headers)
}

fn content_headers(file: &FileRow) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, header(&file.mime_type)?);
    Ok(headers)
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Problem::internal)
}

/// Returns the metadata of a file, even if the file is in the trash. The ETag is the tag of the metadata. Each change
/// of the metadata changes this tag. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/files/{id}/metadata", tag = "files", params(("id" = String, Path), Conditions),
    responses((status = 200, body = FileResponse), (status = 401), (status = 404)))]
async fn get_metadata(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let file = service.find(id).await?;
    match evaluate(&app, &file, Representation::Metadata, &method, &headers)? {
        PreconditionOutcome::NotModified => {
            let validators = validator_headers(&file, Representation::Metadata)?;
            Ok((StatusCode::NOT_MODIFIED, validators).into_response())
        }
        PreconditionOutcome::Proceed { .. } | PreconditionOutcome::PreconditionFailed => {
            file_with_metadata_tag(file)
        }
    }
}

/// Changes to a file. If a member is absent, its value is not changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PatchBody {
    /// New filename; not null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    filename: Option<Option<String>>,
    /// New tags, which replace all tags of the file; null for none.
    #[serde(default, deserialize_with = "present", alias = "userTags")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Option<Vec<String>>>,
    /// New metadata: a flat object, at most 8 KiB. The object replaces all metadata of the file; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Box<RawValue>>>,
    /// Time at which Cutty moves the file to the trash (RFC 3339); null for never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// How the file is read: an object with the options `delimiter`, `encoding`, `quote`, `escape`, `inputHeader`,
    /// `skipRows`, `skipFooter`, `comment`, `trim`, `nullValues`, `ragged` and `repeatedHeaders` of a cut. The object
    /// replaces all stored options. An option that it does not have is detected; null detects all. Cutty then computes the profile again.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    dialect: Option<Option<Value>>,
    /// Whether the file is archived; not null. Archived files are not in the default list.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    archived: Option<Option<bool>>,
}

/// Distinguishes null (`Some(None)`) from an absent member (`None`), because null deletes a member (RFC 7396).
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Refuses null for a member that every file has.
fn not_null<T>(name: &str, value: Option<Option<T>>) -> Result<Option<T>> {
    match value {
        Some(None) => {
            let detail =
                format!("The member {name} cannot be null, because every file has it. Leave it out.");
            Err(Problem::new(Code::BadRequest, detail).with("field", name))
        }
        Some(value) => Ok(value),
        None => Ok(None),
    }
}

/// Changes the filename, tags, metadata, expiry or archived state of a file.
///
/// With `If-Match` and the ETag of `/metadata`, the request fails if the file was changed after the client got this
/// ETag. Costs 2 D1 calls, or 3 with a condition.
#[utoipa::path(patch, path = "/api/files/{id}", tag = "files",
    params(("id" = String, Path), Conditions), request_body = PatchBody,
    responses((status = 200, body = FileResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422)))]
async fn patch_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PatchBody>,
) -> Result<Response> {
    let change = checked_change(body, app.now())?;
    let request = ChangeRequest {
        method: &Method::PATCH,
        headers: &headers,
        is_possible: |file| file.lifecycle_status != LifecycleStatus::Deleted,
    };
    let revision = guarding_revision(&app, &service, id, &request).await?;
    file_with_metadata_tag(service.change(id, change, revision).await?)
}

fn checked_change(body: PatchBody, now: Timestamp) -> Result<Change> {
    let filename = not_null("filename", body.filename)?;
    let archived = not_null("archived", body.archived)?;
    let filename = filename.map(|name| checked_filename(Filename::parse(&name))).transpose()?;
    let tags = body.tags.map(|tags| Tags::from_values(tags.unwrap_or_default())).transpose();
    let tags = tags.map_err(|error| bad_metadata(&error))?;
    let metadata = body.metadata.map(|metadata| match metadata {
        Some(metadata) => UserMetadata::parse(metadata.get()),
        None => Ok(UserMetadata::default()),
    });
    let metadata = metadata.transpose().map_err(|error| bad_metadata(&error))?;
    let expires_at = match body.expires_at {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => {
            let expiry = expiry::parse(&text, now.instant()).map_err(|error| bad_metadata(&error))?;
            Some(Some(Timestamp::new(expiry)))
        }
    };
    let dialect_options = body.dialect.map(stored_dialect).transpose()?;
    Ok(Change {
        dialect_options,
        filename: filename.map(|name| name.as_str().to_owned()),
        tags: tags.map(Tags::into_vec),
        metadata: metadata.map(|metadata| metadata.as_object().clone()),
        expires_at,
        archived,
    })
}

/// Returns the JSON to store for the member `dialect`; `None` if every rule is detected.
fn stored_dialect(dialect: Option<Value>) -> Result<Option<String>> {
    let Some(dialect) = dialect else { return Ok(None) };
    let options = InputOptions::from_json(&dialect).map_err(request_problem)?;
    Ok((!options.to_json().as_object().is_none_or(Map::is_empty)).then(|| options.to_json().to_string()))
}

/// Query of a deletion.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// `true`: delete the file permanently and free its quota immediately, even if the file is not in the trash.
    /// `false` (default): move the file to the trash, where it can be restored for 30 days.
    permanent: Option<String>,
}

/// Moves a file to the trash, or deletes it permanently.
///
/// If the file is already in the trash and `permanent` is not `true`, nothing changes. Costs 2 D1 calls, or 3 with
/// a condition.
#[utoipa::path(delete, path = "/api/files/{id}", tag = "files",
    params(("id" = String, Path), DeleteParams, Conditions),
    responses((status = 200, body = FileResponse, description = "Moved to the trash, or deleted permanently. After a permanent deletion, the response has no `file`"),
        (status = 400), (status = 401), (status = 404)))]
async fn delete_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    Params(params): Params<DeleteParams>,
    headers: HeaderMap,
) -> Result<Response> {
    let permanent = match params.permanent.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Problem::new(Code::BadRequest, "The parameter permanent must be true or false."));
        }
    };
    let request = ChangeRequest { method: &Method::DELETE, headers: &headers, is_possible: |_| true };
    let revision = guarding_revision(&app, &service, id, &request).await?;
    if permanent {
        service.delete_permanently(id, revision).await?;
        return Ok(permanently_deleted());
    }
    file_with_metadata_tag(service.trash(id, revision).await?)
}

/// Restores a file from the trash. Costs 2 D1 calls, or 3 with a condition.
#[utoipa::path(post, path = "/api/files/{id}/restore", tag = "files", params(("id" = String, Path), Conditions),
    responses((status = 200, body = FileResponse), (status = 401), (status = 400), (status = 404), (status = 409), (status = 413), (status = 415)))]
async fn restore_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
    _: NoMembers,
) -> Result<Response> {
    let request = ChangeRequest {
        method: &Method::POST,
        headers: &headers,
        is_possible: |file| file.lifecycle_status == LifecycleStatus::Deleted,
    };
    let revision = guarding_revision(&app, &service, id, &request).await?;
    file_with_metadata_tag(service.restore(id, revision).await?)
}

/// Query for a page of children. The children of a file are the saved cuts that were made from it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LineageParams {
    /// Number of children on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// Lineage of a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LineageResponse {
    success: bool,
    parents: Vec<Relative>,
    children: Vec<Relative>,
    has_more: bool,
    next_cursor: Option<String>,
}

/// Returns the lineage of a file: its parents and its children, without recipes. Costs 3 D1 reads.
#[utoipa::path(get, path = "/api/files/{id}/lineage", tag = "files", params(("id" = String, Path), LineageParams),
    responses((status = 200, body = LineageResponse), (status = 400), (status = 401), (status = 404)))]
async fn get_lineage(
    Storage(service): Storage,
    FilePath(id): FilePath,
    Params(params): Params<LineageParams>,
) -> Result<Json<LineageResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let fingerprint = pagination::ListFingerprint::of(&["lineage", &id.to_string()]);
    let after = params.cursor.as_deref().map(|cursor| lineage_start(cursor, fingerprint)).transpose()?;
    let lineage = service.lineage(id, after, limit.into()).await?;
    let next_cursor = match (lineage.has_more, lineage.children.last()) {
        (true, Some(last)) => pagination::Cursor {
            sort_key: last.created_at.to_string(),
            id: last.file_id.clone(),
            descending: false,
            fingerprint,
        }
        .encode(),
        _ => None,
    };
    Ok(Json(LineageResponse {
        success: true,
        parents: lineage.parents,
        children: lineage.children,
        has_more: lineage.has_more,
        next_cursor,
    }))
}

fn lineage_start(cursor: &str, fingerprint: pagination::ListFingerprint) -> Result<(Timestamp, String)> {
    let bad = |detail: String| Problem::new(Code::BadCursor, detail);
    let cursor =
        pagination::Cursor::decode(cursor, fingerprint, false).map_err(|error| bad(sentence(&error)))?;
    let time = Timestamp::parse(&cursor.sort_key)
        .ok_or_else(|| bad("The cursor has no time. Start again without a cursor.".to_owned()))?;
    Ok((time, cursor.id))
}

/// Returns the recipe of a saved cut: everything that is needed to make its bytes again. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/files/{id}/recipe", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = RecipeResponse), (status = 401), (status = 404),
        (status = 409, description = "conflict: the file is not a saved cut"),
        (status = 410, description = "gone: the recipe is not stored any more")))]
async fn get_file_recipe(Storage(service): Storage, FilePath(id): FilePath) -> Result<Json<RecipeResponse>> {
    Ok(Json(service.recipe(id).await?.into()))
}
