//! `/cut` and `/process`: send the result of a cut to the client.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    ETAG, LINK, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::body::CutBody;
use super::{Pairs, add_notice, borrowed, derived_name};
use crate::app::SharedApp;
use crate::body::outgoing::ResponseBody;
use crate::body::stream::ByteSource;
use crate::csv::OutputFormat;
use crate::csv::request::{Compress, CutRequest};
use crate::cuts::gzip::GzipSource;
use crate::cuts::memory::{CUT, CUT_AND_PART};
use crate::cuts::spool::spool;
use crate::cuts::tag::result_tag;
use crate::cuts::{CutService, request_problem};
use crate::domain::ids::FileId;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::accept_encoding::accepts_gzip;
use crate::http::conditional;
use crate::http::disposition::Disposition;
use crate::http::filename::Filename;
use crate::http::safe_headers::RESOURCE_POLICY;
use crate::http::sniff;
use crate::routes::conditions::{Conditions, evaluate_for_result, headers_of_not_modified};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::file_headers::header_text;
use crate::routes::extract::limits::Limits;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Returns the routes of this module.
pub(super) fn routes() -> Routes {
    Routes::new().route(route!(get_cut, post_cut)).route(route!(get_process, post_process))
}

/// Cuts a file and streams the result.
///
/// The query has options (`columns`, `format`, `limit`, `offset`, `header`, `inputHeader`, `delimiter`, `encoding`,
/// `bom`, `newline`, `strict`, `spreadsheetSafe`, `typed`, `compress`, `streaming`, `as`) and conditions
/// (`column__op=value`, and `q`). The `Link` header contains the URL of the receipt.
///
/// If the cut fails before the first byte of output, the response is a problem. The same holds if the profile of the
/// file knows a record that exceeds a limit, unless the cut ends before this record. If the cut fails later, the
/// transfer breaks. So a complete response always contains the complete cut.
///
/// Cutty compares all bytes that it reads with the digests of the file before it uses the bytes. If the bytes do not
/// match their digest, the response is `integrity_error`, or the transfer breaks.
///
/// If the file has an index, the cut skips zones in which no row can match. `X-Bytes-Scanned` is the maximum number of
/// bytes that the cut reads. With `limit`, the cut may read fewer bytes. `X-Bytes-Skipped` is the number of bytes that
/// the cut skips.
///
/// `ETag` names the bytes of the result. If `If-None-Match` has this tag, the response is 304, and no byte of the file is
/// read. Costs 4 D1 calls, 2 R2 reads and 2 Durable Object requests for the rate limit; a 304 costs 2 D1 calls. The first R2 read gets the index and the digests. The second R2 read
/// gets the file. If the cut skips zones, it reads each byte range between skipped zones with a separate R2 read.
#[utoipa::path(get, path = "/api/files/{id}/cut", tag = "cuts",
    params(("id" = String, Path), Conditions,
        ("column__op" = Option<String>, Query, description = "A condition. The query may have several conditions, and the options of `GET /api/files/{id}/cut`")),
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 422), (status = 429), (status = 507)))]
async fn get_cut(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    method: Method,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    Params(pairs): Pairs,
) -> Result<Response> {
    let request = CutRequest::from_query(borrowed(&pairs)).map_err(request_problem)?;
    send_cut((&app, &limits), storage, id, request, (&method, &headers)).await
}

/// Cuts a file and streams the result. A JSON body describes the cut.
///
/// The body may have `selectedColumns`, `whereFilters`, `filter`, `q`, `outputFormat`, `streaming`, `filename` (the
/// name of the result), and the options of the `GET` route. An `Idempotency-Key` is ignored: a cut changes no file, and
/// a repeated request returns the same bytes. Costs 4 D1 calls, 2 R2 reads and 2 Durable Object requests.
#[utoipa::path(post, path = "/api/files/{id}/cut", tag = "cuts", params(("id" = String, Path), Conditions),
    request_body = Object,
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn post_cut(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    JsonBody(CutBody(body)): JsonBody<CutBody>,
) -> Result<Response> {
    send_cut((&app, &limits), storage, id, cut_of_body(&body)?, (&Method::POST, &headers)).await
}

/// Cuts a file, like `GET /api/files/{id}/cut`. Costs 4 D1 calls, 2 R2 reads and 2 Durable Object requests.
#[utoipa::path(get, path = "/api/files/{id}/process", tag = "cuts",
    params(("id" = String, Path), Conditions,
        ("column__op" = Option<String>, Query, description = "A condition. The query may have several conditions, and the options of `GET /api/files/{id}/cut`")),
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 422), (status = 429), (status = 507)))]
async fn get_process(
    app: State<SharedApp>,
    storage: Storage,
    id: FilePath,
    method: Method,
    headers: HeaderMap,
    limits: Extension<Limits>,
    pairs: Pairs,
) -> Result<Response> {
    get_cut(app, storage, id, method, headers, limits, pairs).await
}

/// Cuts a file, like `POST /api/files/{id}/cut`. Costs 4 D1 calls, 2 R2 reads and 2 Durable Object requests.
#[utoipa::path(post, path = "/api/files/{id}/process", tag = "cuts", params(("id" = String, Path), Conditions),
    request_body = Object,
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn post_process(
    app: State<SharedApp>,
    storage: Storage,
    id: FilePath,
    headers: HeaderMap,
    limits: Extension<Limits>,
    body: JsonBody<CutBody>,
) -> Result<Response> {
    post_cut(app, storage, id, headers, limits, body).await
}

/// Parses the body of a request for a cut.
///
/// # Errors
/// `bad_request`, `bad_filter` or `unknown_option` for an invalid body.
pub fn cut_of_body(body: &Value) -> Result<CutRequest> {
    let request = CutRequest::from_json(body).map_err(request_problem)?;
    refuse_description(&request)?;
    Ok(request)
}

/// Sends a cut of a file.
///
/// # Errors
/// The errors of [`send_cut_of`]; `not_found`.
pub async fn send_cut(
    (app, limits): (&SharedApp, &Limits),
    storage: R2StorageService,
    id: FileId,
    request: CutRequest,
    sent: (&Method, &HeaderMap),
) -> Result<Response> {
    let client = ClientOptions::from_head(sent)?;
    let file = storage.find_to_cut(id).await?;
    send_cut_of((app, limits), storage, file, request, client, sent).await
}

/// Sends a cut of an undamaged file: as a stream, or as a whole if the request says so. `sent` is the method and the
/// headers of the request, and `client` the options in them.
///
/// # Errors
/// The errors of [`CutService::prepare`] and [`CutService::begin`]; `precondition_failed`; `rate_limited`.
pub async fn send_cut_of(
    (app, limits): (&SharedApp, &Limits),
    storage: R2StorageService,
    file: FileRow,
    request: CutRequest,
    client: ClientOptions,
    (method, sent): (&Method, &HeaderMap),
) -> Result<Response> {
    let owner = storage.owner_of_results()?.clone();
    let coding = Coding::choose(&request, &client);
    let mut headers = cut_headers(&file, &request, coding)?;
    add_notice(&mut headers, file.notice(&request.input))?;
    let streaming = request.streaming;
    let memory = if streaming { CUT } else { CUT_AND_PART };
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let tag = result_tag(app, &file, &request, coding.name())?;
    if is_read {
        headers.insert(ETAG, header(&tag.to_string())?);
    }
    // A condition has an effect only if the request would succeed without it (RFC 9110 §13.2.1). So if `prepare` fails,
    // the client gets the error of `prepare`.
    let outcome = evaluate_for_result(app, &file, method, sent, &headers);
    // A client has the tag of the result only from a response 200, so this request would succeed, too.
    if is_read && outcome.is_ok() && conditional::lists_tag(sent, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers_of_not_modified(&headers)).into_response());
    }
    let cuts = CutService::new(limits.admit_cut(storage, &file).await?);
    let prepared = cuts.prepare(file, request, memory).await?;
    match outcome {
        Ok(None) => {}
        Ok(Some(not_modified)) => {
            prepared.cancel().await;
            return Ok(not_modified);
        }
        Err(problem) => {
            prepared.cancel().await;
            return Err(problem);
        }
    }
    let planned = prepared.planned();
    headers.insert(HeaderName::from_static("x-bytes-scanned"), planned.scanned.into());
    headers.insert(HeaderName::from_static("x-bytes-skipped"), planned.skipped.into());
    if client.head_only {
        prepared.cancel().await;
        return Ok(headers.into_response());
    }
    let mut stream = cuts.begin(prepared).await?;
    stream.start().await?;
    let (cut_id, lease) = (stream.id(), stream.lease());
    headers.insert(LINK, header(&format!("</api/cuts/{cut_id}>; rel=\"describedby\""))?);
    headers.insert(HeaderName::from_static("x-cut-id"), header(&cut_id.to_string())?);
    let stream: Box<dyn ByteSource> = match coding {
        Coding::Identity => Box::new(stream),
        Coding::Transfer | Coding::File => Box::new(GzipSource::new(Box::new(stream))),
    };
    if streaming {
        return Ok((headers, ResponseBody::Generated(stream)).into_response());
    }
    let (body, length) = spool(app, &owner, cut_id, stream, lease).await?;
    headers.insert(CONTENT_LENGTH, length.into());
    Ok((headers, body).into_response())
}

/// Refuses `tags` and `metadata`, because this route stores no file.
fn refuse_description(request: &CutRequest) -> Result<()> {
    let fields = [("tags", request.tags.is_some()), ("metadata", request.metadata.is_some())];
    match fields.into_iter().find(|(_, is_present)| *is_present) {
        None => Ok(()),
        Some((name, _)) => {
            let detail = format!(
                "Only a saved cut has {name}. Leave {name} out, or send the body with POST to /save."
            );
            Err(Problem::new(Code::BadRequest, detail).with("field", name))
        }
    }
}

/// Options of a cut that come from the method and the headers of the request.
pub struct ClientOptions {
    head_only: bool,
    gzip: bool,
}

impl ClientOptions {
    /// Reads the method and the headers of a request.
    ///
    /// # Errors
    /// `bad_request` for a malformed `Accept-Encoding`.
    pub fn from_head((method, headers): (&Method, &HeaderMap)) -> Result<Self> {
        let accepted = header_text(headers, ACCEPT_ENCODING)?;
        let gzip =
            accepts_gzip(accepted).map_err(|error| Problem::new(Code::BadRequest, sentence(&error)))?;
        Ok(Self { head_only: *method == Method::HEAD, gzip })
    }
}

/// How a result is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    /// With `Content-Encoding: gzip`: the client decompresses the result.
    Transfer,
    /// As a `.gz` file.
    File,
}

impl Coding {
    /// Returns the name in the entity tag of the result.
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Transfer | Self::File => "gzip",
        }
    }

    /// Chooses the compression. A result that is sent with `Content-Length` has no content coding.
    fn choose(request: &CutRequest, client: &ClientOptions) -> Self {
        match request.compress {
            Some(Compress::Gzip) => Self::File,
            None if client.gzip && request.streaming => Self::Transfer,
            None => Self::Identity,
        }
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Problem::internal)
}

/// Checks the name that a client chose for the result.
///
/// # Errors
/// `bad_name`, `unsupported_type`.
pub fn result_name(name: &str) -> Result<Filename> {
    let name = Filename::parse(name).map_err(|error| Problem::new(Code::BadName, sentence(&error)))?;
    sniff::check_result_name(&name).map_err(|error| Problem::new(Code::UnsupportedType, sentence(&error)))?;
    Ok(name)
}

fn cut_headers(file: &FileRow, request: &CutRequest, coding: Coding) -> Result<HeaderMap> {
    let (content_type, extension) = match request.output.format {
        OutputFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        OutputFormat::Tsv => ("text/tab-separated-values; charset=utf-8", "tsv"),
        OutputFormat::Json => ("application/json", "json"),
        OutputFormat::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let (content_type, extension) = match coding {
        Coding::File => ("application/gzip", format!("{extension}.gz")),
        Coding::Identity | Coding::Transfer => (content_type, extension.to_owned()),
    };
    let name = match &request.filename {
        Some(name) => result_name(name)?,
        None => derived_name(file, &extension)?,
    };
    let mut headers = HeaderMap::new();
    if coding == Coding::Transfer {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_DISPOSITION, Disposition::Attachment.with_filename(name.as_str()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Accept-Encoding"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    Ok(headers)
}
