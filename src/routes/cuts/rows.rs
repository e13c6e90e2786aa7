//! `/rows`: pages of rows.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Pairs, add_notice, reading_request, refuse_other_options};
use crate::app::{App, SharedApp};
use crate::csv::MalformedCsv;
use crate::csv::request::CutRequest;
use crate::cuts::CutService;
use crate::domain::principal::Scope;
use crate::domain::reading::MalformedRecord;
use crate::error::{Code, Problem, Result};
use crate::routes::conditions::{Conditions, evaluate_for_result};
use crate::routes::document::document;
use crate::routes::extract::limits::Limits;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Default number of rows on a page.
const DEFAULT_ROWS: u64 = 100;

/// Maximum number of rows on a page.
const MAX_ROWS: u64 = 10_000;

/// Returns the routes of this module.
pub(super) fn routes() -> Routes {
    Routes::new().route(route!(get_rows))
}

/// Query of a page of rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct PageParams {
    /// Number of rows to skip. With a filter, only the rows that it keeps count.
    offset: Option<u64>,
    /// Number of rows on the page: 1 to 10,000, default 100.
    limit: Option<u64>,
    /// Only these columns, comma-separated.
    columns: Option<String>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowsResponse {
    success: bool,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The number of each row in the file, from 1.
    row_numbers: Vec<u64>,
    offset: u64,
    /// Number of rows of the file, or of the rows that the filter keeps. If the file cannot be read to its end, the
    /// number of rows before `failure`. Null if there is a filter and nobody has counted its rows yet:
    /// `GET /api/files/{id}/count` counts them.
    total: Option<u64>,
    /// Whether there are more rows after the page. With a filter, `true` if the end of the file was not reached.
    has_more: bool,
    /// The record at which reading fails: because the record is too long or has too many fields, or is ragged with
    /// `ragged=refuse`. Null if the file can be read to its end.
    #[schema(value_type = Option<MalformedRecord>)]
    failure: Option<MalformedCsv>,
}

/// Returns a page of rows of a file, with the cells as text. With a filter, it is a page of the rows that the filter
/// keeps.
///
/// The page ends early if its text has more than 8 MiB. If the file has a record that cannot be read, the page has
/// only rows before this record, and `failure` says where the record is. If the page would start after this record, the
/// error is `malformed_csv`.
///
/// Costs 2 D1 reads and 2 R2 reads. The first R2 read gets the index and the digests. The second R2 read gets the bytes
/// of the page and at most 2.5 MiB around them. If the file has no index, or is read in another dialect than the
/// detected one, the whole file is read.
///
/// With a filter, the file is read until the page is full. Bytes in which no row can match are skipped. If the rows of a
/// file of at least 4 MiB were counted within the last hour, a page with an `offset` begins to read near its first row.
/// This costs 1 D1 read and 1 R2 read in addition. A page with a filter, and a page for which the whole file is read,
/// cost 2 Durable Object requests for the rate limit.
#[utoipa::path(get, path = "/api/files/{id}/rows", tag = "cuts", params(("id" = String, Path), Conditions, PageParams,
        ("column__op" = Option<String>, Query, description = "A condition. The query may have several conditions, and a filter as text")),
    responses((status = 200, body = RowsResponse), (status = 400), (status = 401), (status = 404), (status = 413), (status = 422), (status = 429)))]
async fn get_rows(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    method: Method,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    Params(pairs): Pairs,
) -> Result<Response> {
    refuse_other_options(&pairs, &["columns", "limit", "offset"])?;
    let request = reading_request(&pairs)?;
    let limit = request.limit.unwrap_or(DEFAULT_ROWS);
    if limit == 0 || limit > MAX_ROWS {
        return Err(Problem::new(
            Code::BadRequest,
            format!("The parameter limit must be a whole number from 1 to {MAX_ROWS}."),
        ));
    }
    let file = storage.find_undamaged(Scope::Read, id).await?;
    let limit = usize::try_from(limit).map_err(Problem::internal)?;
    let storage = match scans(&file, &request) {
        true => limits.admit_cut(storage, &file).await?,
        false => storage,
    };
    let mut response = rows_of(&app, storage, &file, &request, limit).await?;
    let not_modified = evaluate_for_result(&app, &file, &method, &headers, response.headers())?;
    if let Some(not_modified) = not_modified {
        return Ok(not_modified);
    }
    add_notice(response.headers_mut(), file.notice(&request.input))?;
    Ok(response)
}

/// Whether a page of rows can read the whole file: because it has a filter, or because the file has no row index for the
/// reading of the request. Such a page counts like a cut.
pub fn scans(file: &FileRow, request: &CutRequest) -> bool {
    let is_utf8 = || file.shown_dialect().is_some_and(|dialect| dialect["encoding"] == "UTF-8");
    let has_index = file.row_count.is_some() && file.is_read_as_profiled(&request.input) && is_utf8();
    request.filter.is_some() || !has_index
}

/// Returns a page of at most `limit` rows of an undamaged file.
///
/// # Errors
/// The errors of [`CutService::rows`].
pub async fn rows_of(
    app: &App,
    storage: R2StorageService,
    file: &FileRow,
    request: &CutRequest,
    limit: usize,
) -> Result<Response> {
    let page = CutService::new(storage).rows(file, request, limit).await?;
    let response = RowsResponse {
        success: true,
        columns: page.columns,
        rows: page.rows,
        row_numbers: page.row_numbers,
        offset: request.offset,
        total: page.total,
        has_more: page.has_more,
        failure: page.failure,
    };
    document(response, page.lease, app.clock.clone())
}
