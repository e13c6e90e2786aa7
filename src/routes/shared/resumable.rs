//! Resumable uploads (tus 1.0.0) through a link.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::PASSWORD;
use super::receive::{limit_of, no_space, too_large, wrong_type};
use crate::app::SharedApp;
use crate::domain::caller::Caller;
use crate::domain::ids::AttemptId;
use crate::error::{Code, Problem, Result};
use crate::http::sniff::TEXT_TSV;
use crate::limits::command::LimitKind;
use crate::routes::extract::body::UploadBody;
use crate::routes::extract::file_headers::{DigestHeaders, header_text};
use crate::routes::extract::limits::Limits;
use crate::routes::extract::storage::PathText;
use crate::routes::table::{Route, Routes, route};
use crate::routes::uploads::{self, TusVersion};
use crate::shares::opened::OpenedShare;
use crate::shares::token::Purpose;
use crate::storage::R2StorageService;

/// Returns the routes.
pub fn routes(private: impl Fn(Route) -> Route) -> Routes {
    Routes::new().route(private(route!(create_shared_upload, discover_shared))).route(private(route!(
        get_shared_offset,
        append_shared,
        terminate_shared,
        discover_shared_upload
    )))
}

/// Returns the supported tus version, extensions, maximum size and checksum algorithms. Costs no calls.
#[utoipa::path(options, path = "/api/shared/{token}/uploads", tag = "shares", security(()),
    params(("token" = String, Path, description = "Any text")), responses((status = 204)))]
async fn discover_shared(app: State<SharedApp>) -> Response {
    uploads::discover(app).await
}

/// Returns the same as `OPTIONS /api/shared/{token}/uploads`.
#[utoipa::path(options, path = "/api/shared/{token}/uploads/{id}", tag = "shares", security(()),
    params(("token" = String, Path, description = "Any text"), ("id" = String, Path, description = "Any text")),
    responses((status = 204)))]
async fn discover_shared_upload(app: State<SharedApp>) -> Response {
    uploads::discover(app).await
}

/// Creates a resumable upload through a link (tus: creation).
///
/// `Upload-Metadata` may have the keys `filename` and `filetype`. The length must be known. The upload counts as a use
/// when the file is stored. Costs 2 D1 calls and 2 Durable Object requests (one for the
/// rate limit).
#[utoipa::path(post, path = "/api/shared/{token}/uploads", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("X-Share-Password" = Option<String>, Header, description = "The password, if the share has one"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = u64, Header, description = "Size of the whole file in bytes"),
        ("Upload-Metadata" = Option<String>, Header, description = "Keys and values in base64, at most 16 KiB"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1 or sha256 of the body, in base64"),
        DigestHeaders),
    request_body(content((Vec<u8> = "application/offset+octet-stream"))),
    responses((status = 201, description = "Created. If the body had all bytes, the file is stored too. Location is the URL of the upload"),
        (status = 400), (status = 403), (status = 404), (status = 410), (status = 412), (status = 413), (status = 415),
        (status = 422), (status = 429), (status = 460), (status = 507)))]
async fn create_shared_upload(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(token): PathText,
    Extension(limits): Extension<Limits>,
    _: TusVersion,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    limits.admit_shared(&token, |_| &[LimitKind::Shares, LimitKind::Uploads]).await?;
    let shared = OpenedShare::find(&app, &token).await?;
    expect_upload(&shared)?;
    shared.check_password(&app, header_text(&headers, PASSWORD)?, &caller).await?;
    let limit = limit_of(&app, &shared);
    let (new, body) =
        uploads::creation(&app, &headers, upload, &["tags", "metadata", "expiresAt", "storageClass"])?;
    match new.length {
        Some(length) if length <= limit => {
            let is_tsv = new.declared_type.as_deref() == Some(TEXT_TSV);
            if is_tsv && !shared.row.content_types().iter().any(|known| known == TEXT_TSV) {
                return Err(wrong_type(&shared));
            }
        }
        Some(_) => return Err(too_large(limit)),
        None => {
            let detail = "A link needs to know the size of the file. Send Upload-Length.";
            return Err(Problem::new(Code::LengthRequired, detail));
        }
    }
    let created = shared.storage(&app, caller).create_upload(new, body).await;
    let progress = created.map_err(without_quota)?;
    let location = format!("/api/shared/{token}/uploads/{}", progress.upload);
    let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
    let mut response = (StatusCode::CREATED, [(LOCATION, location)]).into_response();
    uploads::insert_offset(response.headers_mut(), &progress);
    Ok(response)
}

/// Returns the offset of an upload through a link (tus: core). Costs 1 D1 call and 2 Durable Object
/// requests (one for the rate limit).
#[utoipa::path(head, path = "/api/shared/{token}/uploads/{id}", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("id" = String, Path, description = "The upload"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 200, description = "See Upload-Offset and Upload-Length"), (status = 404), (status = 410),
        (status = 412), (status = 415), (status = 429)))]
async fn get_shared_offset(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
    Extension(limits): Extension<Limits>,
    _: TusVersion,
) -> Result<Response> {
    limits.admit_shared(&path.0, |_| &[LimitKind::Shares]).await?;
    let (service, upload) = upload_of(&app, caller, &path).await?;
    Ok(uploads::status_response(&service.upload_status(upload).await?))
}

/// Appends bytes to an upload through a link (tus: core). When Cutty has received all bytes, it stores the file and
/// counts a use. Costs 1 D1 call, and what `PATCH /api/uploads/{id}` costs.
#[utoipa::path(patch, path = "/api/shared/{token}/uploads/{id}", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Offset of the first byte: the current offset of the upload"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1 or sha256 of the body, in base64"),
        DigestHeaders),
    request_body(content((Vec<u8> = "application/offset+octet-stream"))),
    responses((status = 204, description = "Received. See Upload-Offset"), (status = 400), (status = 404),
        (status = 409), (status = 410), (status = 412), (status = 413), (status = 415), (status = 422), (status = 429),
        (status = 460), (status = 507)))]
async fn append_shared(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
    Extension(limits): Extension<Limits>,
    _: TusVersion,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    limits.admit_shared(&path.0, |_| &[LimitKind::Uploads]).await?;
    let (service, id) = upload_of(&app, caller, &path).await?;
    let (chunk, body) = uploads::chunk(&headers, upload)?;
    let progress = service.append(id, chunk, body).await.map_err(without_quota)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    uploads::insert_offset(response.headers_mut(), &progress);
    Ok(response)
}

/// Cancels an upload through a link (tus: termination). Costs 1 D1 call and 2 Durable Object
/// requests (one for the rate limit), which cost at most 1 R2 call.
#[utoipa::path(delete, path = "/api/shared/{token}/uploads/{id}", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("id" = String, Path, description = "The upload"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 204, description = "Cancelled"), (status = 404), (status = 409), (status = 410), (status = 412), (status = 429)))]
async fn terminate_shared(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
    Extension(limits): Extension<Limits>,
    _: TusVersion,
) -> Result<Response> {
    limits.admit_shared(&path.0, |_| &[LimitKind::Shares]).await?;
    let (service, upload) = upload_of(&app, caller, &path).await?;
    service.terminate_upload(upload).await.map_err(|problem| match problem.code() {
        Code::Conflict => {
            Problem::new(Code::Conflict, "The file is stored already. Only its owner can delete it.")
        }
        _ => problem,
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Returns the storage service of a link, and the id of the upload. Only the client that created the upload knows its id,
/// so these requests need no password. They also need no use that is left: the upload itself may have been the last.
async fn upload_of(
    app: &SharedApp,
    caller: Caller,
    (token, id): &(String, String),
) -> Result<(R2StorageService, AttemptId)> {
    let shared = OpenedShare::find_used(app, token).await?;
    expect_upload(&shared)?;
    let id = AttemptId::parse(id).ok_or_else(Problem::no_such_upload)?;
    Ok((shared.storage(app, caller), id))
}

/// Tells the holder of a link nothing about the quota of the owner.
fn without_quota(problem: Problem) -> Problem {
    match problem.code() {
        Code::QuotaExceeded => no_space(),
        _ => problem,
    }
}

fn expect_upload(shared: &OpenedShare) -> Result<()> {
    match shared.token.purpose {
        Purpose::Upload => Ok(()),
        Purpose::Read | Purpose::Continue => {
            Err(Problem::new(Code::BadRequest, "This link sends a file and takes none. GET the link."))
        }
    }
}
