//! A cut kept as a file.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::CutBody;
use super::derived_name;
use crate::csv::OutputFormat;
use crate::csv::request::CutRequest;
use crate::cuts::{CutService, request_problem};
use crate::domain::ids::CutId;
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::file_headers::{bad_metadata, given_name};
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::layers::idempotency::{FingerprintOf, idempotent};
use crate::routes::table::{Routes, route};
use crate::storage::file::{FileRow, FileView};
use crate::storage::protocol::{Description, NewFile, Origin};

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new().route(idempotent(FingerprintOf::Body, route!(save_cut)))
}

/// A saved cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SaveResponse {
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
    responses((status = 201, body = SaveResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 507)))]
async fn save_cut(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    JsonBody(CutBody(body)): JsonBody<CutBody>,
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
    let answer = SaveResponse { success: true, file: row.into(), cut_id: cut_id.to_string() };
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
        Some(name) => given_name(Filename::parse(name))?,
        None => derived_name(file, extension)?,
    };
    let tags = Tags::from_values(request.tags.iter().flatten()).map_err(|error| bad_metadata(&error))?;
    let metadata =
        request.metadata.clone().map(|map| UserMetadata::from_value(Value::Object(map))).transpose();
    let metadata = metadata.map_err(|error| bad_metadata(&error))?;
    Ok(NewFile {
        filename: filename.as_str().to_owned(),
        content_type,
        // A cut is UTF-8, whatever it was made from, and with a byte in it that is not: nothing is to be guessed.
        encoding: Some(encoding_rs::UTF_8),
        description: Description {
            tags: tags.into_vec(),
            metadata: metadata.map(|metadata| metadata.as_object().clone()).unwrap_or_default(),
            expires_at: None,
        },
        expected_sha256: None,
        origin: Origin::Upload,
    })
}
