//! Columns and profile of a file, and the estimate of a cut.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Pairs, ReadingParams, borrowed, reading_request};
use crate::app::SharedApp;
use crate::csv::profile::Profile;
use crate::csv::request::CutRequest;
use crate::cuts::estimate::Estimate;
use crate::cuts::pages::{FileColumns, KnownColumns};
use crate::cuts::{CutService, request_problem};
use crate::domain::ids::FileId;
use crate::domain::principal::Scope;
use crate::domain::reading;
use crate::error::{Code, Problem, Result};
use crate::routes::document::document;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Returns the routes of this module.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route(route!(get_columns))
        .route(route!(get_fields))
        .route(route!(get_profile))
        .route(route!(get_estimate))
}

/// A column.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Column)]
struct ColumnResponse<'a> {
    /// The name by which a request can refer to the column. It is unique: if the name in the file is empty or equals
    /// the name of an earlier column, the column has a given name, such as `column_3` or `name_2`.
    #[schema(value_type = String)]
    name: Cow<'a, str>,
    /// Position of the column, counted from 1.
    index: usize,
    /// `integer`, `decimal`, `date`, `datetime`, `boolean`, `categorical`, `text` or `empty`. Null if the file has no
    /// profile yet, or if the options name another dialect than the detected one.
    r#type: Option<&'a str>,
}

/// Columns of a file.
#[derive(Serialize, ToSchema)]
struct ColumnsResponse {
    success: bool,
    #[schema(value_type = Vec<ColumnResponse<'static>>)]
    #[serde(serialize_with = "columns_in_order")]
    columns: KnownColumns,
    /// How the file is read: the object `dialect` of its profile, or of this request. Null if the columns come from a
    /// profile of an older version of Cutty.
    #[schema(value_type = Option<reading::DialectView>)]
    dialect: Value,
}

fn columns_in_order<S: Serializer>(
    columns: &KnownColumns,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let numbered = columns.iter().zip(1..);
    serializer.collect_seq(numbered.map(|((name, kind), index)| ColumnResponse { name, index, r#type: kind }))
}

/// Returns the names, positions and types of the columns of a file.
///
/// Costs 2 D1 reads. In three cases, it costs 1 R2 read in addition: the file has very many columns, the file has no
/// profile yet, or the options name another dialect than the detected one.
#[utoipa::path(get, path = "/api/files/{id}/columns", tag = "cuts", params(("id" = String, Path), ReadingParams),
    responses((status = 200, body = ColumnsResponse), (status = 400), (status = 401), (status = 404), (status = 413), (status = 422)))]
async fn get_columns(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Response> {
    let (_, FileColumns { columns, dialect }) = columns_of(storage, id, &pairs).await?;
    let (columns, lease) = columns.into_parts();
    document(ColumnsResponse { success: true, columns, dialect }, lease, app.clock.clone())
}

/// Names of the columns of a file.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FieldsResponse {
    success: bool,
    #[schema(value_type = Vec<String>)]
    #[serde(serialize_with = "names_in_order")]
    fields: KnownColumns,
    /// Number of rows of the file; null if the file has no profile yet.
    row_count: Option<u64>,
}

/// Returns the names of the columns of a file, as in `/columns`. Costs 2 D1 reads. In the three cases that the
/// description of `/columns` names, it costs 1 R2 read in addition.
#[utoipa::path(get, path = "/api/files/{id}/fields", tag = "cuts", params(("id" = String, Path), ReadingParams),
    responses((status = 200, body = FieldsResponse), (status = 400), (status = 401), (status = 404), (status = 413), (status = 422)))]
async fn get_fields(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Response> {
    let (file, fields) = columns_of(storage, id, &pairs).await?;
    let (fields, lease) = fields.columns.into_parts();
    let response = FieldsResponse { success: true, fields, row_count: file.row_count };
    document(response, lease, app.clock.clone())
}

fn names_in_order<S: Serializer>(
    columns: &KnownColumns,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(columns.iter().map(|(name, _)| name))
}

async fn columns_of(
    storage: R2StorageService,
    id: FileId,
    pairs: &[(String, String)],
) -> Result<(FileRow, FileColumns)> {
    let request = reading_request(pairs)?;
    let file = storage.find_undamaged(Scope::Read, id).await?;
    let columns = CutService::new(storage).columns(&file, request.input).await?;
    Ok((file, columns))
}

/// Profile of a file.
#[derive(Debug, Serialize, ToSchema)]
struct ProfileResponse {
    success: bool,
    /// Dialect, counts, the first 100 malformed rows, and statistics of each column.
    #[schema(value_type = reading::ProfileView)]
    #[serde(serialize_with = "borrowed_profile")]
    profile: Arc<Profile>,
}

/// Serializes the profile without copying it, because a profile may have 100,000 columns.
fn borrowed_profile<S: Serializer>(
    profile: &Arc<Profile>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    Profile::serialize(profile, serializer)
}

/// Returns the profile of a file: encoding, delimiter, number of rows, malformed rows, and statistics of each column.
///
/// The statistics of a column include the type, the number of empty cells, the smallest value, the largest value, the
/// approximate number of distinct values, and samples. The profile is computed while the file is uploaded. Costs 2 D1
/// reads and 1 R2 read.
#[utoipa::path(get, path = "/api/files/{id}/profile", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ProfileResponse), (status = 401), (status = 404), (status = 413),
        (status = 409, description = "in_progress: the profile is being computed; retry later")))]
async fn get_profile(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
) -> Result<Response> {
    let file = storage.find_undamaged(Scope::Read, id).await?;
    let Some(profile) = storage.needed_profile(&file).await? else {
        app.request_profile(&file).await;
        let detail = "The profile of the file is being computed. Repeat the request in a few seconds.";
        return Err(Problem::new(Code::InProgress, detail).retry_after(5));
    };
    let (profile, lease) = profile.into_parts();
    document(ProfileResponse { success: true, profile }, lease, app.clock.clone())
}

/// Estimate of a cut.
#[derive(Debug, Serialize, ToSchema)]
struct EstimateResponse {
    success: bool,
    estimate: Estimate,
}

/// Estimates what a cut would read and cost. No cut is made. The query is the same as for `/cut`. Costs 2 D1 reads and
/// 1 R2 read.
#[utoipa::path(get, path = "/api/files/{id}/estimate", tag = "cuts",
    params(("id" = String, Path),
        ("column__op" = Option<String>, Query, description = "A condition. The query may have several conditions, and the options of `/cut`")),
    responses((status = 200, body = EstimateResponse), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn get_estimate(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Params(pairs): Pairs,
) -> Result<Json<EstimateResponse>> {
    let request = CutRequest::from_query(borrowed(&pairs)).map_err(request_problem)?;
    let file = storage.find_undamaged(Scope::Cut, id).await?;
    let estimate = CutService::new(storage).estimate(&file, &request).await?;
    Ok(Json(EstimateResponse { success: true, estimate }))
}
