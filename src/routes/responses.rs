//! Responses that several routes share.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::conditions::{Representation, validator_headers};
use crate::error::{Problem, Result};
use crate::storage::file::{FileRow, FileView};
use crate::storage::recipes::RecipeView;

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

/// Returns the response 201 to a request that created a file, with `Location` and `ETag`.
pub fn created_file(row: FileRow) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/files/{}", row.id)).map_err(Problem::internal)?;
    let etag = HeaderValue::from_str(&row.entity_tag()).map_err(Problem::internal)?;
    let headers = [(LOCATION, location), (ETAG, etag)];
    Ok((StatusCode::CREATED, headers, Json(FileResponse::from(row))).into_response())
}

/// Returns a response with the file as JSON, and with the validators of its metadata.
pub fn file_with_metadata_tag(file: FileRow) -> Result<Response> {
    let validators = validator_headers(&file, Representation::Metadata)?;
    Ok((validators, Json(FileResponse::from(file))).into_response())
}

/// Recipe of a cut.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecipeResponse {
    success: bool,
    #[serde(flatten)]
    recipe: RecipeView,
}

impl From<RecipeView> for RecipeResponse {
    fn from(recipe: RecipeView) -> Self {
        Self { success: true, recipe }
    }
}

/// Response to a permanent deletion.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedResponse {
    success: bool,
    permanent: bool,
}

/// Returns the response to a permanent deletion.
pub fn permanently_deleted() -> Response {
    Json(DeletedResponse { success: true, permanent: true }).into_response()
}
