//! Responses that several routes give.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Problem, Result};
use crate::storage::file::{FileRow, FileView};

/// One file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileResponse {
    /// Always true.
    pub success: bool,
    /// The file.
    pub file: FileView,
}

impl From<FileRow> for FileResponse {
    fn from(row: FileRow) -> Self {
        Self { success: true, file: row.into() }
    }
}

/// The answer to whatever made a file.
pub fn created(row: FileRow) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/files/{}", row.id)).map_err(Problem::internal)?;
    let etag = HeaderValue::from_str(&row.entity_tag()).map_err(Problem::internal)?;
    let headers = [(LOCATION, location), (ETAG, etag)];
    Ok((StatusCode::CREATED, headers, Json(FileResponse::from(row))).into_response())
}

/// A file's facts, with the ETag that counts their changes.
pub fn with_metadata_tag(file: FileRow) -> Result<Response> {
    let etag = HeaderValue::from_str(&file.metadata_tag()).map_err(Problem::internal)?;
    Ok(([(ETAG, etag)], Json(FileResponse::from(file))).into_response())
}

/// That a file is gone for good.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedResponse {
    success: bool,
    permanent: bool,
}

/// The answer to a deletion for good.
pub fn deleted_for_good() -> Response {
    Json(DeletedResponse { success: true, permanent: true }).into_response()
}
