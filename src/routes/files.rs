//! `/api/files`: uploads in one request, and the list of files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract::body::UploadBody;
use super::extract::file_headers::{
    DigestHeaders, FileHeaders, announced_digest, default_filename, description_of, form_boundary,
    header_text, named_by,
};
use super::extract::params::Params;
use super::extract::storage::Storage;
use super::layers::idempotency::{FingerprintOf, idempotent};
use super::layers::uploads::limit_uploads;
use super::responses::{FileResponse, created_file};
use crate::app::{App, SharedApp};
use crate::body::stream::{ByteSource, NativeBody, PIECE_BYTES};
use crate::domain::ids::ShareId;
pub use crate::error::sentence;
use crate::error::{Code, Problem, Result};
use crate::http::pagination::{self, Cursor, ListFingerprint};
use crate::http::tags::Tags;
use crate::memory::budget::Memory;
use crate::memory::leased::LeasedSource;
use crate::routes::form;
use crate::routes::table::{Routes, route};
use crate::sql::files::{SortColumn, SortValue};
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, FileView, LifecycleStatus};
use crate::storage::listing::{ListQuery, PageStart};
use crate::storage::part_writer::{PartWriter, STREAM_PART_BYTES};
use crate::storage::protocol::{NewFile, Origin};
pub use crate::storage::upload::check_content;
use crate::storage::upload::{check_length, too_large};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(limit_uploads(idempotent(FingerprintOf::Head, route!(post_file, list_files))))
        .route(limit_uploads(idempotent(FingerprintOf::Head, route!(post_file_upload))))
}

/// Uploads a file.
///
/// Send the bytes as the body, and the filename in `X-File-Name` (percent-encoded UTF-8). You can also send a
/// `multipart/form-data` form with a part named `file`. Costs 3 D1 calls (one to identify you, two to store the
/// file), 2 R2 puts (the file and its profile) and 1 Durable Object request for the rate limit. A form, and a body
/// without `Content-Length`, cost 1 D1 call more, because the length of the file is known only after the last byte. In these two cases, a file over 5 MiB is stored in parts
/// of 5 MiB.
#[utoipa::path(post, path = "/api/files", tag = "files",
    params(FileHeaders, DigestHeaders),
    request_body(content((Vec<u8> = "text/csv"), (Object = "multipart/form-data"))),
    responses(
        (status = 201, body = FileResponse, description = "Stored: the file can be read from now on"),
        (status = 400), (status = 401), (status = 413), (status = 415), (status = 422), (status = 507)
    ))]
async fn post_file(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    let row = match form_boundary(&headers)? {
        Some(boundary) => {
            let limit_bytes = app.config.max_file_size_bytes;
            let form = form::FormRequest {
                headers: &headers,
                boundary: &boundary,
                limit_bytes,
                takes_description: true,
            };
            form::store(&app, &service, upload, form).await?
        }
        None => store_raw(&app, &service, &headers, upload, app.config.max_file_size_bytes).await?,
    };
    created_file(row)
}

/// Uploads a file, like `POST /api/files`. Costs 3 D1 calls, 2 R2 puts and 1 Durable Object request.
#[utoipa::path(post, path = "/api/files/upload", tag = "files", params(FileHeaders, DigestHeaders),
    request_body(content((Vec<u8> = "text/csv"), (Object = "multipart/form-data"))),
    responses((status = 201, body = FileResponse), (status = 400), (status = 401), (status = 413),
        (status = 415), (status = 422), (status = 507)))]
async fn post_file_upload(
    app: State<SharedApp>,
    service: Storage,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    post_file(app, service, headers, upload).await
}

/// Stores the body of a request as a file of at most `limit` bytes.
///
/// # Errors
/// The errors of an upload. After an error, no bytes of the file are kept.
pub async fn store_raw(
    app: &App,
    service: &R2StorageService,
    headers: &HeaderMap,
    upload: UploadBody,
    limit: u64,
) -> Result<FileRow> {
    let length = upload.length_bytes.map(|length| check_length(Some(length), limit)).transpose()?;
    let filename = named_by(headers)?.map_or_else(default_filename, Ok)?;
    let description = description_of(headers, app.now())?;
    let expected_sha256 = announced_digest(headers)?;
    let no_bytes =
        || Problem::new(Code::EmptyFile, "The request has no body. Send the bytes of the file as the body.");
    let mut body = upload.body.ok_or_else(no_bytes)?;
    let sample = body.peek().await?;
    if sample.is_empty() && length.is_none() {
        return Err(no_bytes());
    }
    let detected = check_content(app, header_text(headers, CONTENT_TYPE)?, &filename, &sample)?;
    let new = NewFile {
        filename: filename.as_str().to_owned(),
        content_type: detected.content_type,
        encoding: detected.encoding,
        dialect: detected.dialect(),
        description,
        expected_sha256,
        origin: Origin::Upload,
    };
    match length {
        Some(length) => service.store_body(new, body, length).await,
        None => store_unmeasured(app, service, new, body, limit).await,
    }
}

/// Stores a body whose length is not known. At most one R2 part of the body is in memory.
async fn store_unmeasured(
    app: &App,
    service: &R2StorageService,
    new: NewFile,
    body: Box<dyn NativeBody>,
    limit: u64,
) -> Result<FileRow> {
    // This function holds the lease until the file is stored, because the writer holds the buffer until then.
    let lease = Arc::new(app.lease_memory(form::FORM + Memory::js(STREAM_PART_BYTES)).await?);
    let mut source = LeasedSource::new(body.into_source(), lease.clone(), app.clock.clone());
    let mut writer = service.begin_streamed_file(new, STREAM_PART_BYTES).await?;
    match copy(&mut source, &mut writer, limit).await {
        Ok(()) => {
            let (attempt, stored) = writer.finish().await?;
            attempt.commit(&stored).await
        }
        Err(problem) => {
            writer.discard().await;
            Err(problem)
        }
    }
}

async fn copy(source: &mut LeasedSource, writer: &mut PartWriter, limit_bytes: u64) -> Result<()> {
    let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
    let mut copied_bytes = 0;
    while source.read(&mut piece).await? > 0 {
        copied_bytes += piece.len() as u64;
        if copied_bytes > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        writer.write(&piece).await?;
        piece.clear();
    }
    Ok(())
}

/// Query of the list of files.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Number of files on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// Start of the page: `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Number of files to skip; ignored if the request has a `cursor`.
    offset: Option<String>,
    /// `active` (default), `archived` or `deleted`.
    status: Option<String>,
    /// Only files with this tag (1 to 64 bytes). The parameter may occur up to 16 times: then only files with all these
    /// tags.
    #[param(style = Form, explode = true, max_items = 16, required = false)]
    tag: Vec<String>,
    /// Only files whose name contains this text; the case of ASCII letters is ignored.
    q: Option<String>,
    /// `true`: the files that other accounts share with you, those shared last first, instead of your own files. Only
    /// `limit` and `cursor` may stand beside it.
    shared: Option<String>,
    /// `createdAt`, `filename` or `size`; with `-` before the name for descending order. Default `-createdAt`.
    sort: Option<String>,
}

/// Maximum number of tags in the query of a list.
pub const MAX_LIST_TAGS: usize = 16;

impl ListParams {
    fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self> {
        let mut params = Self::default();
        for (name, value) in pairs {
            let single = match name.as_str() {
                "limit" => &mut params.limit,
                "cursor" => &mut params.cursor,
                "offset" => &mut params.offset,
                "status" => &mut params.status,
                "q" => &mut params.q,
                "sort" => &mut params.sort,
                "shared" => &mut params.shared,
                _ => {
                    params.tag.push(value);
                    continue;
                }
            };
            if single.replace(value).is_some() {
                let detail = format!(
                    "The query has {name} twice. Send each parameter once; only tag may be repeated."
                );
                return Err(Problem::new(Code::BadRequest, detail));
            }
        }
        if params.tag.len() > MAX_LIST_TAGS {
            let detail = format!("The query has {} tags. Send at most {MAX_LIST_TAGS}.", params.tag.len());
            return Err(Problem::new(Code::BadRequest, detail));
        }
        let tags = Tags::from_values(params.tag).map_err(|error| {
            Problem::new(Code::BadRequest, format!("The parameter tag is not a tag: {error}."))
        })?;
        params.tag = tags.into_vec();
        Ok(params)
    }
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ListResponse {
    success: bool,
    files: Vec<FileView>,
    /// Number of files on all pages.
    total: u64,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists your files. Costs 2 D1 calls for any number of files.
#[utoipa::path(get, path = "/api/files", tag = "files", params(ListParams),
    responses((status = 200, body = ListResponse), (status = 400), (status = 401)))]
async fn list_files(
    Storage(service): Storage,
    Params(pairs): Params<Vec<(String, String)>>,
) -> Result<Json<ListResponse>> {
    let params = ListParams::from_pairs(pairs)?;
    if is_about_shared(&params)? {
        return list_shared(&service, &params).await;
    }
    let (query, fingerprint) = list_query(&params)?;
    let page = service.list(&query).await?;
    let next_cursor = match (page.has_more, page.files.last()) {
        (true, Some(last)) => cursor_after(last, &query, fingerprint).encode(),
        _ => None,
    };
    Ok(Json(ListResponse {
        success: true,
        files: page.files.into_iter().map(FileView::from).collect(),
        total: page.total,
        has_more: page.has_more,
        next_cursor,
    }))
}

/// Whether a request asks for the files that other accounts share with the user.
fn is_about_shared(params: &ListParams) -> Result<bool> {
    let bad = |detail: &str| Problem::new(Code::BadRequest, detail);
    match params.shared.as_deref() {
        None | Some("false") => return Ok(false),
        Some("true") => {}
        Some(_) => return Err(bad("The parameter shared must be true or false.")),
    }
    let others = [&params.offset, &params.status, &params.q, &params.sort];
    if others.into_iter().any(Option::is_some) || !params.tag.is_empty() {
        return Err(bad("With shared=true, the query may only have limit and cursor. Leave the others out."));
    }
    Ok(true)
}

async fn list_shared(service: &R2StorageService, params: &ListParams) -> Result<Json<ListResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let bad_cursor = || {
        let detail = "The cursor is not valid: send nextCursor unchanged, or start again without a cursor.";
        Problem::new(Code::BadCursor, detail)
    };
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(ShareId::parse(text).ok_or_else(bad_cursor)?),
    };
    let page = service.list_granted(before, limit.into()).await?;
    let last = page.files.last().and_then(|file| file.share).filter(|_| page.has_more);
    Ok(Json(ListResponse {
        success: true,
        files: page.files.into_iter().map(FileView::from).collect(),
        total: page.total,
        has_more: page.has_more,
        next_cursor: last.map(|share| share.to_string()),
    }))
}

fn list_query(params: &ListParams) -> Result<(ListQuery, ListFingerprint)> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let offset = pagination::parse_offset(params.offset.as_deref())?;
    let status_text = params.status.as_deref().unwrap_or("active");
    let status = LifecycleStatus::parse(status_text).ok_or_else(|| {
        Problem::new(Code::BadRequest, "The parameter status must be active, archived or deleted.")
    })?;
    let sort_text = params.sort.as_deref().unwrap_or("-createdAt");
    let (sort, descending) = parse_sort(sort_text)?;
    let (tags, name_part) = (params.tag.clone(), params.q.clone());
    let tag_text = tags.iter().map(|tag| format!("={tag}")).collect::<Vec<_>>().join("\0");
    let option = |value: &Option<String>| value.as_ref().map(|text| format!("={text}")).unwrap_or_default();
    let fingerprint = ListFingerprint::of(&[status_text, sort_text, &tag_text, &option(&name_part)]);
    let start = match &params.cursor {
        Some(cursor) => page_start(cursor, fingerprint, sort, descending)?,
        None => PageStart::Offset(offset),
    };
    Ok((ListQuery { status, tags, name_part, sort, descending, limit: limit.into(), start }, fingerprint))
}

fn parse_sort(text: &str) -> Result<(SortColumn, bool)> {
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let column = match name {
        "createdAt" => SortColumn::CreatedAt,
        "filename" => SortColumn::Filename,
        "size" => SortColumn::Size,
        _ => {
            let detail = "The parameter sort must be createdAt, filename or size; - before the name means descending order.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    Ok((column, descending))
}

fn page_start(
    cursor: &str,
    fingerprint: ListFingerprint,
    sort: SortColumn,
    descending: bool,
) -> Result<PageStart> {
    let bad = |detail: String| Problem::new(Code::BadCursor, detail);
    let cursor = Cursor::decode(cursor, fingerprint, descending).map_err(|error| bad(sentence(&error)))?;
    let value = match sort {
        SortColumn::Size => {
            let size = cursor
                .sort_key
                .parse()
                .map_err(|_| bad("The cursor has no size. Start again without a cursor.".to_owned()))?;
            SortValue::Size(size)
        }
        SortColumn::CreatedAt | SortColumn::Filename => SortValue::Text(cursor.sort_key),
    };
    Ok(PageStart::After { value, id: cursor.id })
}

fn cursor_after(last: &FileRow, query: &ListQuery, fingerprint: ListFingerprint) -> Cursor {
    let sort_key = match query.sort {
        SortColumn::CreatedAt => last.created_at.to_string(),
        SortColumn::Filename => last.filename.clone(),
        SortColumn::Size => last.file_size.to_string(),
    };
    Cursor { sort_key, id: last.id.to_string(), descending: query.descending, fingerprint }
}
