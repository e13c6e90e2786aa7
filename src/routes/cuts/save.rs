//! `/save`: stores a cut as a file.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::CutBody;
use super::{add_notice, derived_name};
use crate::app::SharedApp;
use crate::csv::request::CutRequest;
use crate::csv::{FileEncoding, OutputFormat};
use crate::cuts::memory::CUT_AND_PART;
use crate::cuts::{CutService, request_problem};
use crate::domain::ids::CutId;
use crate::domain::storage_class::StorageClass;
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::routes::conditions::{Conditions, evaluate_for_result};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::file_headers::{bad_metadata, checked_filename};
use crate::routes::extract::limits::Limits;
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::layers::idempotency::{FingerprintOf, idempotent};
use crate::routes::table::{Routes, route};
use crate::storage::file::{FileRow, FileView};
use crate::storage::protocol::{Description, NewFile, Origin};

/// Returns the routes of this module.
pub(super) fn routes() -> Routes {
    Routes::new().route(idempotent(FingerprintOf::Body, route!(save_cut)))
}

/// A saved cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SaveResponse {
    success: bool,
    /// The file with the result of the cut.
    file: FileView,
    /// Id of the cut. `GET /api/cuts/{cutId}` returns its receipt.
    cut_id: String,
}

/// Cuts a file and stores the result as a new file (CSV or TSV), with its lineage.
///
/// The body has the members of the body of `/cut`. It may also have the `filename` (default `<stem>-cut.csv` or
/// `<stem>-cut.tsv`), the `tags` and the `metadata` of the new file. Costs 6 D1 calls, 2 R2 reads (the file and its
/// digests), 2 R2 puts (the new file and its profile) and 2 Durable Object requests for the rate limit. A result over 5 MiB is stored in parts of 5 MiB.
#[utoipa::path(post, path = "/api/files/{id}/save", tag = "cuts", params(("id" = String, Path), Conditions),
    request_body = Object,
    responses((status = 201, body = SaveResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn save_cut(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    JsonBody(CutBody(body)): JsonBody<CutBody>,
) -> Result<Response> {
    let request = request_of(&body)?;
    let file = storage.find_to_cut(id).await?;
    let new = new_file(&file, &request)?;
    let notice = file.notice(&request.input);
    // A false condition has an effect only if the request would succeed without it (RFC 9110 §13.2.1). So if `prepare`
    // fails, the client gets the error of `prepare`, whatever the conditions are.
    let outcome = evaluate_for_result(&app, &file, &Method::POST, &headers, &HeaderMap::new());
    let cuts = CutService::new(limits.admit_cut(storage, &file).await?);
    let prepared = cuts.prepare(file, request, CUT_AND_PART).await?;
    if let Err(problem) = outcome {
        prepared.cancel().await;
        return Err(problem);
    }
    let (cut_id, row) = cuts.save(prepared, new).await?;
    let mut response = saved_cut(row, cut_id)?;
    add_notice(response.headers_mut(), notice)?;
    Ok(response)
}

/// Parses the body of a request that stores a cut.
///
/// # Errors
/// `bad_request`, `bad_filter` or `unknown_option` for an invalid body.
pub fn request_of(body: &Value) -> Result<CutRequest> {
    let request = CutRequest::from_json(body).map_err(request_problem)?;
    if request.compress.is_some() {
        let detail = "A saved cut cannot be compressed, because Cutty must be able to read its rows. Leave compress out.";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    Ok(request)
}

/// Returns the response to a saved cut.
pub fn saved_cut(row: FileRow, cut_id: CutId) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/files/{}", row.id)).map_err(Problem::internal)?;
    let body = SaveResponse { success: true, file: row.into(), cut_id: cut_id.to_string() };
    Ok((StatusCode::CREATED, [(http::header::LOCATION, location)], Json(body)).into_response())
}

/// Returns the data of the file in which a cut is stored.
///
/// # Errors
/// `bad_request` if the result would not be CSV or TSV; `bad_name`, `unsupported_type` and `bad_metadata`.
pub fn new_file(file: &FileRow, request: &CutRequest) -> Result<NewFile> {
    let (content_type, extension) = match request.output.format {
        OutputFormat::Csv => ("text/csv", "csv"),
        OutputFormat::Tsv => ("text/tab-separated-values", "tsv"),
        OutputFormat::Json | OutputFormat::Ndjson => {
            let detail = "A saved cut must be CSV or TSV, so that it can be cut again. For JSON, use /cut instead of /save.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    let filename = match &request.filename {
        Some(name) => checked_filename(Filename::parse(name))?,
        None => derived_name(file, extension)?,
    };
    let tags = Tags::from_values(request.tags.iter().flatten()).map_err(|error| bad_metadata(&error))?;
    let metadata =
        request.metadata.clone().map(|map| UserMetadata::from_value(Value::Object(map))).transpose();
    let metadata = metadata.map_err(|error| bad_metadata(&error))?;
    Ok(NewFile {
        filename: filename.as_str().to_owned(),
        content_type,
        // The result of a cut is UTF-8, for every encoding of the source file. If the result contains invalid bytes of
        // the source file, detection could choose another encoding. So this function declares UTF-8.
        encoding: Some(FileEncoding::UTF_8),
        dialect: request.output.dialect(),
        description: Description {
            tags: tags.into_vec(),
            metadata: metadata.map(|metadata| metadata.as_object().clone()).unwrap_or_default(),
            expires_at: None,
            storage_class: StorageClass::Standard,
        },
        expected_sha256: None,
        origin: Origin::Upload,
    })
}
