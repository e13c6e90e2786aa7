//! What can be told of a file without cutting it: its columns, its profile, what a cut would cost.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Pairs, ReadingParams, borrowed, reading_request};
use crate::app::SharedApp;
use crate::csv::request::CutRequest;
use crate::cut::estimate::Estimate;
use crate::cut::pages::KnownColumn;
use crate::cut::{CutService, request_problem};
use crate::error::{Code, Problem, Result};
use crate::ids::FileId;
use crate::routes::actor::{FilePath, Storage};
use crate::routes::params::Params;
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route(route!(get_columns))
        .route(route!(get_fields))
        .route(route!(get_profile))
        .route(route!(get_estimate))
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
#[utoipa::path(get, path = "/api/files/{id}/columns", tag = "cuts", params(("id" = String, Path), ReadingParams),
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
#[utoipa::path(get, path = "/api/files/{id}/fields", tag = "cuts", params(("id" = String, Path), ReadingParams),
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
    let request = reading_request(pairs)?;
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
#[utoipa::path(get, path = "/api/files/{id}/estimate", tag = "cuts",
    params(("id" = String, Path),
        ("column__op" = Option<String>, Query, description = "A filter; any number of them, and options, those of `/cut`")),
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
