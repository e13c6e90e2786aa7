//! Cuts: `/api/files/{id}/cut`, `/save`, `/rows`, `/columns`, `/fields`, and `/api/cuts/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    LINK, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::AnswerBody;
use crate::app::SharedApp;
use crate::csv::OutputFormat;
use crate::csv::request::{Compress, CutRequest};
use crate::cut::estimate::Estimate;
use crate::cut::gzip::GzipSource;
use crate::cut::pages::KnownColumn;
use crate::cut::receipt::ReceiptView;
use crate::cut::spool::spool;
use crate::cut::{CutService, request_problem};
use crate::error::{Code, Problem, Result};
use crate::http::accept_encoding::accepts_gzip;
use crate::http::disposition::Disposition;
use crate::http::filename::Filename;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::ids::{CutId, FileId};
use crate::ports::ByteSource;
use crate::routes::actor::{FilePath, Storage};
use crate::routes::body::JsonBody;
use crate::routes::files::{bad_metadata, bad_name};
use crate::routes::once::{KnownBy, once};
use crate::routes::params::Params;
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, FileView};
use crate::storage::protocol::{Description, NewFile, Origin};

/// Rows on a page unless the client says otherwise.
const DEFAULT_ROWS: u64 = 100;

/// The most rows on a page.
const MAX_ROWS: u64 = 10_000;

/// The routes.
pub fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(get_cut, post_cut))
        .routes(routes!(get_process, post_process))
        .routes(once(KnownBy::Body, routes!(save_cut)))
        .routes(routes!(get_estimate))
        .routes(routes!(get_rows))
        .routes(routes!(get_columns))
        .routes(routes!(get_fields))
        .routes(routes!(get_profile))
        .routes(routes!(get_receipt))
}

type Pairs = Params<Vec<(String, String)>>;

/// Cuts a file and streams the result.
///
/// The query holds options (`columns`, `format`, `limit`, `offset`, `header`, `inputHeader`, `delimiter`, `encoding`,
/// `bom`, `newline`, `strict`, `spreadsheetSafe`, `typed`, `compress`, `streaming`) and filters (`column__op=value`).
/// The `Link` header names the receipt. A cut that fails on the way breaks the transfer: a complete answer is a
/// complete cut. Parts of the file in which, by its index, no row can match are not read: `X-Bytes-Scanned` and
/// `X-Bytes-Skipped` say how many bytes. Costs 4 D1 calls and 1 R2 read; with a filter and an index 1 R2 read more for
/// the index and 1 for each stretch of the file.
#[utoipa::path(get, path = "/api/files/{id}/cut", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_cut(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    method: Method,
    headers: HeaderMap,
    Params(pairs): Pairs,
) -> Result<Response> {
    let request = CutRequest::from_query(borrowed(&pairs)).map_err(request_problem)?;
    send_cut(&app, storage, id, request, &Asked::read(&method, &headers)).await
}

/// Cuts a file and streams the result; the request is a JSON body (`selectedColumns`, `whereFilters` or `filter`,
/// `outputFormat`, `streaming` and the options of the query form). An `Idempotency-Key` is not needed here and not read:
/// a cut changes no file, and repeating it gives the same bytes. Costs 4 D1 calls and 1 R2 read.
#[utoipa::path(post, path = "/api/files/{id}/cut", tag = "cuts", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422)))]
async fn post_cut(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Response> {
    let request = CutRequest::from_json(&body).map_err(request_problem)?;
    send_cut(&app, storage, id, request, &Asked::read(&Method::POST, &headers)).await
}

/// The same as `GET /api/files/{id}/cut`. Costs 4 D1 calls and 1 R2 read.
#[utoipa::path(get, path = "/api/files/{id}/process", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_process(
    app: State<SharedApp>,
    storage: Storage,
    id: FilePath,
    method: Method,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response> {
    get_cut(app, storage, id, method, headers, pairs).await
}

/// The same as `POST /api/files/{id}/cut`. Costs 4 D1 calls and 1 R2 read.
#[utoipa::path(post, path = "/api/files/{id}/process", tag = "cuts", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422)))]
async fn post_process(
    app: State<SharedApp>,
    storage: Storage,
    id: FilePath,
    headers: HeaderMap,
    body: JsonBody<Value>,
) -> Result<Response> {
    post_cut(app, storage, id, headers, body).await
}

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

async fn send_cut(
    app: &SharedApp,
    storage: R2StorageService,
    id: FileId,
    request: CutRequest,
    asked: &Asked,
) -> Result<Response> {
    let user = storage.actor.user.clone();
    let file = storage.find_readable(id).await?;
    let cuts = CutService::new(storage);
    let coding = Coding::choose(&request, asked);
    let mut headers = cut_headers(&file, &request, coding)?;
    let streaming = request.streaming;
    let prepared = cuts.prepare(file, request).await?;
    let planned = prepared.planned();
    headers.insert(HeaderName::from_static("x-bytes-scanned"), planned.scanned.into());
    headers.insert(HeaderName::from_static("x-bytes-skipped"), planned.skipped.into());
    if asked.head_only {
        prepared.cancel().await;
        return Ok(headers.into_response());
    }
    let stream = cuts.begin(prepared).await?;
    let cut_id = stream.id();
    headers.insert(LINK, header(&format!("</api/cuts/{cut_id}>; rel=\"describedby\""))?);
    headers.insert(HeaderName::from_static("x-cut-id"), header(&cut_id.to_string())?);
    let stream: Box<dyn ByteSource> = match coding {
        Coding::Identity => Box::new(stream),
        Coding::Transfer | Coding::File => Box::new(GzipSource::new(Box::new(stream))),
    };
    if streaming {
        return Ok((headers, AnswerBody::Generated(stream)).into_response());
    }
    let (body, length) = spool(app, user.as_str(), cut_id, stream).await?;
    headers.insert(CONTENT_LENGTH, length.into());
    Ok((headers, body).into_response())
}

/// What the request's head asks for, beside the cut.
struct Asked {
    head_only: bool,
    gzip: bool,
}

impl Asked {
    fn read(method: &Method, headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        Self { head_only: *method == Method::HEAD, gzip: accepts_gzip(accepted) }
    }
}

/// Whether and how a result is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    /// On the wire only: `Content-Encoding: gzip`.
    Transfer,
    /// As a `.gz` file.
    File,
}

impl Coding {
    /// A result sent with its length is sent as it is.
    fn choose(request: &CutRequest, asked: &Asked) -> Self {
        match request.compress {
            Some(Compress::Gzip) => Self::File,
            None if asked.gzip && request.streaming => Self::Transfer,
            None => Self::Identity,
        }
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Problem::internal)
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
    let name = derived_name(file, &extension)?;
    let mut headers = HeaderMap::new();
    if coding == Coding::Transfer {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_DISPOSITION, Disposition::Attachment.with_filename(name.as_str()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Accept-Encoding"));
    Ok(headers)
}

fn derived_name(file: &FileRow, extension: &str) -> Result<Filename> {
    Ok(Filename::parse(&file.filename).map_err(Problem::internal)?.derived("cut", extension))
}

/// A saved cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SaveAnswer {
    success: bool,
    /// The file that was made.
    file: FileView,
    /// Its receipt: `GET /api/cuts/{cutId}`.
    cut_id: String,
}

/// Cuts a file and keeps the result as a file of its own (CSV or TSV), which knows its parent and recipe.
///
/// The body is that of `/cut`, with `filename` (default `<stem>-cut.csv`), `tags` and `metadata`. Costs 6 D1 calls, 1
/// R2 read and 2 R2 puts (the file and its profile); a result over 8 MiB is put in parts of 8 MiB.
#[utoipa::path(post, path = "/api/files/{id}/save", tag = "cuts", params(("id" = String, Path)), request_body = Object,
    responses((status = 201, body = SaveAnswer), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 507)))]
async fn save_cut(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    JsonBody(body): JsonBody<Value>,
) -> Result<Response> {
    let request = CutRequest::from_json(&body).map_err(request_problem)?;
    if request.compress.is_some() {
        let detail =
            "A saved cut is kept as it is, so that ranges and rows of it can be read. Leave compress out.";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let file = storage.find_readable(id).await?;
    let new = new_file(&file, &request)?;
    let cuts = CutService::new(storage);
    let prepared = cuts.prepare(file, request).await?;
    let (cut_id, row) = cuts.save(prepared, new).await?;
    saved(row, cut_id)
}

/// The answer to a cut that made a file.
pub fn saved(row: FileRow, cut_id: CutId) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/files/{}", row.id)).map_err(Problem::internal)?;
    let answer = SaveAnswer { success: true, file: row.into(), cut_id: cut_id.to_string() };
    Ok((StatusCode::CREATED, [(http::header::LOCATION, location)], Json(answer)).into_response())
}

fn new_file(file: &FileRow, request: &CutRequest) -> Result<NewFile> {
    let (content_type, extension) = match request.output.format {
        OutputFormat::Csv => ("text/csv", "csv"),
        OutputFormat::Tsv => ("text/tab-separated-values", "tsv"),
        OutputFormat::Json | OutputFormat::Ndjson => {
            let detail =
                "A saved cut is CSV or TSV, so that it can be cut again. For JSON, download the cut.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    let filename = match &request.filename {
        Some(name) => Filename::parse(name).map_err(bad_name)?,
        None => derived_name(file, extension)?,
    };
    let tags = Tags::from_values(&request.tags).map_err(|error| bad_metadata(&error))?;
    let metadata =
        request.metadata.clone().map(|map| UserMetadata::from_value(Value::Object(map))).transpose();
    let metadata = metadata.map_err(|error| bad_metadata(&error))?;
    Ok(NewFile {
        filename: filename.as_str().to_owned(),
        content_type,
        description: Description {
            tags: tags.into_vec(),
            metadata: metadata.map(|metadata| metadata.as_object().clone()).unwrap_or_default(),
            expires_at: None,
        },
        expected_sha256: None,
        origin: Origin::Upload,
    })
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RowsAnswer {
    success: bool,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    offset: u64,
    /// Rows of the whole file.
    total: u64,
    has_more: bool,
}

/// A page of a file's rows as text: `offset` (0), `limit` (100, at most 10,000), `columns`, and how to read the file
/// (`inputHeader`, `delimiter`, `encoding`). A page of more than 8 MiB of text ends early. Costs 2 D1 reads and 1 R2
/// read; for a file over 2 MiB 2 R2 reads, one of the index and one of at most 2 MiB and the page. A file without an
/// index, or read in another way than it was detected, is read as a whole.
#[utoipa::path(get, path = "/api/files/{id}/rows", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = RowsAnswer), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_rows(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Json<RowsAnswer>> {
    let request = reading_request(&pairs, &["offset", "limit", "columns"])?;
    let limit = request.limit.unwrap_or(DEFAULT_ROWS);
    if limit == 0 || limit > MAX_ROWS {
        return Err(Problem::new(Code::BadRequest, format!("limit is a whole number from 1 to {MAX_ROWS}.")));
    }
    let file = storage.find_readable(id).await?;
    let limit = usize::try_from(limit).map_err(Problem::internal)?;
    let page = CutService::new(storage).rows(&file, &request, limit).await?;
    let shown = page.rows.len() as u64;
    Ok(Json(RowsAnswer {
        success: true,
        columns: page.columns,
        rows: page.rows,
        offset: request.offset,
        total: page.total,
        has_more: request.offset.saturating_add(shown) < page.total,
    }))
}

/// A request that only says how to read a file, and these of a cut's options.
fn reading_request(pairs: &[(String, String)], allowed: &[&str]) -> Result<CutRequest> {
    let reading = ["inputHeader", "delimiter", "encoding"];
    let known = |name: &str| reading.contains(&name) || allowed.contains(&name);
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !known(name)) {
        let known: Vec<_> = allowed.iter().chain(&reading).copied().collect();
        let detail = format!("There is no option {name:?} here. The options are {}.", known.join(", "));
        return Err(Problem::new(Code::UnknownOption, detail)
            .with("option", name.as_str())
            .with("known", known));
    }
    CutRequest::from_query(borrowed(pairs)).map_err(request_problem)
}

/// A column.
#[derive(Debug, Serialize, ToSchema)]
struct Column {
    name: String,
    /// Position, from 1.
    index: usize,
    /// `integer`, `decimal`, `date`, `datetime`, `boolean`, `categorical`, `text` or `empty`; null until the whole file
    /// has been read, and when it is read in another way than it was detected.
    r#type: Option<String>,
}

/// A file's columns.
#[derive(Debug, Serialize, ToSchema)]
struct ColumnsAnswer {
    success: bool,
    columns: Vec<Column>,
}

/// A file's columns, by name and position, with their types. Costs 2 D1 reads; 1 R2 read more for a file of very many
/// columns, one that has no profile yet, or one read in another way than it was detected.
#[utoipa::path(get, path = "/api/files/{id}/columns", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ColumnsAnswer), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_columns(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Json<ColumnsAnswer>> {
    let (_, known) = columns_of(storage, id, &pairs).await?;
    let numbered = known.into_iter().enumerate();
    let columns = numbered
        .map(|(position, column)| Column { name: column.name, index: position + 1, r#type: column.kind })
        .collect();
    Ok(Json(ColumnsAnswer { success: true, columns }))
}

/// A file's fields.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FieldsAnswer {
    success: bool,
    fields: Vec<String>,
    /// Rows of the file; null until the whole file has been read.
    row_count: Option<u64>,
}

/// The names of a file's columns. Costs 2 D1 reads; 1 R2 read more when its columns do.
#[utoipa::path(get, path = "/api/files/{id}/fields", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = FieldsAnswer), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_fields(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Json<FieldsAnswer>> {
    let (file, known) = columns_of(storage, id, &pairs).await?;
    let fields = known.into_iter().map(|column| column.name).collect();
    Ok(Json(FieldsAnswer { success: true, fields, row_count: file.row_count }))
}

async fn columns_of(
    storage: R2StorageService,
    id: FileId,
    pairs: &[(String, String)],
) -> Result<(FileRow, Vec<KnownColumn>)> {
    let request = reading_request(pairs, &[])?;
    let file = storage.find_readable(id).await?;
    let columns = CutService::new(storage).columns(&file, request.input).await?;
    Ok((file, columns))
}

/// What is known of a file's content.
#[derive(Debug, Serialize, ToSchema)]
struct ProfileAnswer {
    success: bool,
    /// Dialect, counts, the first 100 rows of unsound form, and statistics of each column.
    #[schema(value_type = Object)]
    profile: Value,
}

/// What a file's content is: encoding, delimiter, rows, rows of unsound form, and for each column its type, empty cells,
/// least and greatest value, about how many distinct ones, samples and more. Learned while the file came in. Costs 2 D1
/// reads and 1 R2 read.
#[utoipa::path(get, path = "/api/files/{id}/profile", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ProfileAnswer), (status = 401), (status = 404),
        (status = 409, description = "The file is being read for its profile: ask again")))]
async fn get_profile(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
) -> Result<Json<ProfileAnswer>> {
    let file = storage.find_readable(id).await?;
    let Some(profile) = storage.profile(&file).await else {
        app.ask_to_learn(&file).await;
        let detail = "The file is being read for its profile. Ask again in a few seconds.";
        return Err(Problem::new(Code::InProgress, detail).retry_after(5));
    };
    let profile = serde_json::to_value(profile.as_ref()).map_err(Problem::internal)?;
    Ok(Json(ProfileAnswer { success: true, profile }))
}

/// What a cut would cost.
#[derive(Debug, Serialize, ToSchema)]
struct EstimateAnswer {
    success: bool,
    estimate: Estimate,
}

/// What a cut would read and cost, without making it; the query is that of `/cut`. Costs 2 D1 reads and 1 R2 read.
#[utoipa::path(get, path = "/api/files/{id}/estimate", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = EstimateAnswer), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_estimate(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Json<EstimateAnswer>> {
    let request = CutRequest::from_query(borrowed(&pairs)).map_err(request_problem)?;
    let file = storage.find_readable(id).await?;
    let estimate = CutService::new(storage).estimate(&file, &request).await?;
    Ok(Json(EstimateAnswer { success: true, estimate }))
}

/// A receipt.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptAnswer {
    success: bool,
    cut: ReceiptView,
}

/// What a cut did and whether it is complete. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/cuts/{id}", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ReceiptAnswer), (status = 401), (status = 404)))]
async fn get_receipt(Storage(storage): Storage, Path(id): Path<String>) -> Result<Json<ReceiptAnswer>> {
    let cut = CutService::new(storage).receipt(&id).await?;
    Ok(Json(ReceiptAnswer { success: true, cut }))
}
