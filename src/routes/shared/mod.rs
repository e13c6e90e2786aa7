//! `/api/shared/{token}`: shares, for the holders of their links. No request needs an account.

mod receive;
mod resumable;

use axum::extract::State;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, RANGE, REFERRER_POLICY, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::conditions::Conditions;
use super::cuts::rows::{RowsResponse, rows_of, scans};
use super::extract::body::{UploadBody, parse_json, read_bounded};
use super::extract::file_headers::{DigestHeaders, header_text};
use super::extract::limits::Limits;
use super::extract::observed::Observed;
use super::extract::params::Params;
use super::extract::storage::PathText;
use super::file::send_file;
use super::layers::problems::canonical_uri;
use crate::app::SharedApp;
use crate::csv::request::CutRequest;
use crate::domain::caller::Caller;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::disposition::Disposition;
use crate::http::media_type::MediaType;
use crate::http::pagination;
use crate::http::range::{self, Ranges};
use crate::limits::command::LimitKind;
use crate::routes::table::{Route, Routes, route};
use crate::shares::opened::OpenedShare;
use crate::shares::row::ShareKind;
use crate::shares::token::Purpose;
use crate::storage::file::FileRow;

/// The header with the password of a share.
pub const PASSWORD: HeaderName = HeaderName::from_static("x-share-password");

/// Maximum length of the body of a request that opens a share, in bytes.
const MAX_OPENING_BYTES: usize = 4096;

/// Headers that only a link for uploads reads.
const OF_UPLOADS: [&str; 4] = ["x-file-name", "repr-digest", "content-digest", "digest"];

/// Number of rows on a page, by default.
const DEFAULT_ROWS: u32 = 100;

/// Returns the routes.
pub fn routes() -> Routes {
    let private = |route: Route| route.map(|handlers| handlers.layer(from_fn(keep_private)));
    Routes::new()
        .route(private(route!(get_shared, post_shared)))
        .route(private(route!(get_shared_info)))
        .route(private(route!(get_shared_rows)))
        .merge(resumable::routes(private))
}

/// Whether a request is about the holder of a link.
pub fn is_shared(uri: &Uri) -> bool {
    let canonical = canonical_uri(uri);
    canonical.as_ref().unwrap_or(uri).path().starts_with("/api/shared/")
}

/// Middleware: tells caches not to store the response, search engines not to list it, and browsers not to send its URL to
/// other sites.
async fn keep_private(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    headers.remove(VARY);
    response
}

/// Downloads the file of a share, or byte ranges of it.
///
/// The request needs no account. If the uses of the share are limited, or if it has a password (`X-Share-Password`), the
/// response is 302: it counts a use and leads to a link with which the download can be repeated and resumed for an hour,
/// without another use. `HEAD` counts no use. Costs 2 D1
/// calls, 1 R2 read and 1 Durable Object request for the rate limit. A request for ranges, which counts no use, costs 1 D1
/// call less, and 1 R2 read for each range.
#[utoipa::path(get, path = "/api/shared/{token}", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("X-Share-Password" = Option<String>, Header, description = "The password, if the share has one"), Conditions),
    responses((status = 200, content_type = "text/csv"), (status = 206),
        (status = 302, description = "A use was counted. Location is a link that can be used for an hour"),
        (status = 400), (status = 403, description = "forbidden: the password is missing or wrong"), (status = 404),
        (status = 410, description = "gone: the share has expired, was used up or revoked, or its file was deleted"),
        (status = 416), (status = 429)))]
async fn get_shared(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(token): PathText,
    Extension(limits): Extension<Limits>,
    Extension(observed): Extension<Observed>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    limits.admit_shared(&token, |_| &[LimitKind::Shares]).await?;
    let shared = OpenedShare::find(&app, &token).await?;
    observed.note(&shared.principal());
    let file = file_of(&shared)?;
    shared.check_password(&app, header_text(&headers, PASSWORD)?, &caller).await?;
    if method != Method::HEAD && shared.must_begin() {
        return continued(&shared.begin(&app).await?.token, StatusCode::FOUND);
    }
    let is_counted = shared.token.purpose == Purpose::Read && !is_for_the_rest(&headers, file);
    if method != Method::HEAD && is_counted {
        shared.count_use(&app).await?;
    }
    let mut response = send_file(&app, &shared.storage(&app, caller), file, (&method, &headers)).await?;
    if shared.token.disposition == Disposition::Inline {
        let inline = Disposition::Inline.with_filename(&file.filename);
        response.headers_mut().insert(CONTENT_DISPOSITION, inline);
    }
    Ok(response)
}

/// Whether a request is for ranges that do not begin at the first byte: for the rest of a download that was counted.
fn is_for_the_rest(headers: &HeaderMap, file: &FileRow) -> bool {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    match range.map(|range| range::parse(range, file.file_size)) {
        Some(Ranges::Satisfiable(ranges)) => ranges.iter().all(|range| range.start() > 0),
        _ => false,
    }
}

fn continued(token: &str, status: StatusCode) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/shared/{token}")).map_err(Problem::internal)?;
    Ok((status, [(LOCATION, location)]).into_response())
}

/// Returns the file that a share sends.
fn file_of(shared: &OpenedShare) -> Result<&FileRow> {
    shared.file.as_ref().filter(|_| shared.token.purpose != Purpose::Upload).ok_or_else(|| {
        Problem::new(Code::BadRequest, "This link takes a file and sends none. POST the file to the link.")
    })
}

/// What the holder of a link sends to open a share.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShareOpening {
    /// The password, if the share has one.
    password: Option<String>,
}

/// A share that was opened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OpenedResponse {
    success: bool,
    /// A path with which the file can be downloaded, repeatedly and in ranges, without another use.
    url: String,
    /// When this path ends (RFC 3339).
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Opens a share with a password, or uploads a file through a link for uploads.
///
/// To a link for a download, send the `password` as JSON or as a form (`application/x-www-form-urlencoded`); a share
/// without a password needs no body. The request counts a use. The response to JSON has a `url` with which the download
/// can be repeated and resumed for an hour; the response to a form is a redirect (303) to this URL. Costs 2 D1 calls and 1
/// Durable Object request for the rate limit.
///
/// To a link for uploads, send the bytes of the file as the body, or a `multipart/form-data` form with a part named
/// `file`. The password stands in `X-Share-Password`. Costs what `POST /api/files` costs.
#[utoipa::path(post, path = "/api/shared/{token}", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"),
        ("X-Share-Password" = Option<String>, Header, description = "The password of the link"),
        ("X-File-Name" = Option<String>, Header, description = "The name of an uploaded file, percent-encoded UTF-8"),
        DigestHeaders),
    request_body(content((ShareOpening = "application/json"), (ShareOpening = "application/x-www-form-urlencoded"),
        (Vec<u8> = "text/csv"), (Object = "multipart/form-data"))),
    responses((status = 200, body = OpenedResponse, description = "A use was counted"),
        (status = 201, body = receive::ReceivedResponse, description = "The file is stored"),
        (status = 303, description = "A use was counted. Location is a link that can be used for an hour"),
        (status = 400), (status = 403, description = "forbidden: the password is missing or wrong"), (status = 404),
        (status = 410, description = "gone: the share has expired, was used up or revoked, or its file was deleted"),
        (status = 413), (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn post_shared(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(token): PathText,
    Extension(limits): Extension<Limits>,
    Extension(observed): Extension<Observed>,
    headers: HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    limits.admit_shared(&token, calls_of_post).await?;
    let shared = OpenedShare::find(&app, &token).await?;
    observed.note(&shared.principal());
    if shared.token.purpose == Purpose::Upload {
        shared.check_password(&app, header_text(&headers, PASSWORD)?, &caller).await?;
        return receive::store(&app, &shared, caller, &headers, upload).await;
    }
    if shared.token.purpose == Purpose::Continue {
        return Err(Problem::new(Code::BadRequest, "This link was opened already. GET it."));
    }
    if let Some(name) = OF_UPLOADS.into_iter().find(|name| headers.contains_key(*name)) {
        let detail = format!("Only a link for uploads reads the header {name}. Leave it out.");
        return Err(Problem::new(Code::BadRequest, detail).with("header", name));
    }
    let (opening, is_form) = opening_of(&headers, upload).await?;
    let password = match &opening.password {
        Some(password) => Some(password.as_str()),
        None => header_text(&headers, PASSWORD)?,
    };
    shared.check_password(&app, password, &caller).await?;
    let begun = shared.begin(&app).await?;
    if is_form {
        return continued(&begun.token, StatusCode::SEE_OTHER);
    }
    let url = format!("/api/shared/{}", begun.token);
    Ok(Json(OpenedResponse { success: true, url, expires_at: begun.expires_at }).into_response())
}

/// A file that is sent to a link for uploads also counts as an upload.
fn calls_of_post(purpose: Purpose) -> &'static [LimitKind] {
    match purpose {
        Purpose::Upload => &[LimitKind::Shares, LimitKind::Uploads],
        Purpose::Read | Purpose::Continue => &[LimitKind::Shares],
    }
}

/// Reads the body of a request that opens a share. Also returns whether it is a form.
async fn opening_of(headers: &HeaderMap, upload: UploadBody) -> Result<(ShareOpening, bool)> {
    let text = match upload.body {
        Some(body) => read_bounded(body, headers, MAX_OPENING_BYTES).await?,
        None => Vec::new(),
    };
    let media_type = header_text(headers, CONTENT_TYPE)?.and_then(|text| MediaType::parse(text).ok());
    let is = |name| media_type.as_ref().is_some_and(|media_type| media_type.is(name));
    if is("application/x-www-form-urlencoded") {
        let unreadable =
            || Problem::new(Code::BadRequest, "The form cannot be read. Send one field: password.");
        let mut opening = ShareOpening::default();
        for (name, value) in form_urlencoded::parse(&text) {
            let is_repeated = opening.password.replace(value.into_owned()).is_some();
            if name != "password" || is_repeated {
                return Err(unreadable());
            }
        }
        return Ok((opening, true));
    }
    if text.trim_ascii().is_empty() {
        return Ok((ShareOpening::default(), false));
    }
    if !is("application/json") {
        let detail = "Send the password as JSON, or as a form (application/x-www-form-urlencoded).";
        return Err(Problem::new(Code::UnsupportedType, detail));
    }
    Ok((parse_json(&text)?, false))
}

/// What the holder of a link may know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SharedInfo {
    success: bool,
    /// What the link is for: `download`, `cut` or `upload`.
    kind: ShareKind,
    /// When the link ends (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether the link needs a password. Then the members about the file are null until the share is opened.
    password_required: bool,
    /// How often the link can still be used; null if that is not limited.
    uses_left: Option<u64>,
    /// Whether `POST` must open the share before the file or its rows can be read.
    must_open: bool,
    /// Name of the file.
    filename: Option<String>,
    /// Size of the file in bytes.
    size: Option<u64>,
    /// Media type of the file.
    content_type: Option<String>,
    /// Number of rows; null until it is known.
    row_count: Option<u64>,
    /// Number of columns; null until it is known.
    column_count: Option<u64>,
    /// The name of a link for uploads.
    name: Option<String>,
    /// Greatest size of an uploaded file in bytes.
    max_bytes: Option<u64>,
    /// Media types that may be uploaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content_types: Vec<String>,
}

/// Tells what a link is for: the name and the size of the file, or what may be uploaded. Counts no use. Costs 1 D1 call
/// and 1 Durable Object request for the rate limit.
#[utoipa::path(get, path = "/api/shared/{token}/info", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link")),
    responses((status = 200, body = SharedInfo), (status = 404), (status = 410), (status = 429)))]
async fn get_shared_info(
    State(app): State<SharedApp>,
    PathText(token): PathText,
    Extension(limits): Extension<Limits>,
    Extension(observed): Extension<Observed>,
) -> Result<Json<SharedInfo>> {
    limits.admit_shared(&token, |_| &[LimitKind::Shares]).await?;
    let shared = OpenedShare::find(&app, &token).await?;
    observed.note(&shared.principal());
    let row = &shared.row;
    let password_required = row.password_hash.is_some() && shared.token.purpose != Purpose::Continue;
    let file = shared.file.as_ref().filter(|_| !password_required);
    let is_upload = row.kind == ShareKind::Upload;
    Ok(Json(SharedInfo {
        success: true,
        kind: row.kind,
        expires_at: row.expires_at.map(|end| end.min(shared.token.expires_at())),
        password_required,
        uses_left: row.max_uses.map(|most| most.saturating_sub(row.uses)),
        must_open: shared.must_begin(),
        filename: file.map(|file| file.filename.clone()),
        size: file.map(|file| file.file_size),
        content_type: file.map(|file| file.mime_type.clone()),
        row_count: file.and_then(|file| file.row_count),
        column_count: file.and_then(|file| file.column_count),
        name: row.name.clone().filter(|_| is_upload),
        max_bytes: row.max_bytes,
        content_types: row.content_types(),
    }))
}

/// A page of rows of a shared file.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SharedRowsParams {
    /// Number of rows to skip.
    offset: Option<String>,
    /// Number of rows on the page: 1 to 1,000, default 100.
    limit: Option<String>,
}

/// Returns a page of rows of the file of a share, like `GET /api/files/{id}/rows`, without a filter.
///
/// If the uses of the share are limited, or if it has a password, the link must be opened first: the `url` of `POST
/// /api/shared/{token}` has the token for this request. Costs 1 D1 call, 2 R2 reads and 1 Durable Object request for the
/// rate limit; 3 if the whole file is read.
#[utoipa::path(get, path = "/api/shared/{token}/rows", tag = "shares", security(()),
    params(("token" = String, Path, description = "The last part of the link"), SharedRowsParams),
    responses((status = 200, body = RowsResponse), (status = 400),
        (status = 403, description = "forbidden: the share must be opened first"), (status = 404), (status = 410),
        (status = 413), (status = 422), (status = 429)))]
async fn get_shared_rows(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(token): PathText,
    Extension(limits): Extension<Limits>,
    Extension(observed): Extension<Observed>,
    Params(params): Params<SharedRowsParams>,
) -> Result<Response> {
    limits.admit_shared(&token, |_| &[LimitKind::Shares]).await?;
    let shared = OpenedShare::find(&app, &token).await?;
    observed.note(&shared.principal());
    if shared.must_begin() {
        let detail = "Open the share first: POST the link, and use the token in the url of the response.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let file = file_of(&shared)?;
    file.check_undamaged()?;
    let limit = match params.limit.as_deref() {
        None => DEFAULT_ROWS,
        given => pagination::parse_limit(given)?,
    };
    let offset = pagination::parse_offset(params.offset.as_deref())?;
    let request = CutRequest { offset, ..CutRequest::default() };
    let storage = shared.storage(&app, caller);
    let storage = match scans(file, &request) {
        true => limits.admit_shared_scan(storage, shared.row.id, file).await?,
        false => storage,
    };
    rows_of(&app, storage, file, &request, limit as usize).await
}
