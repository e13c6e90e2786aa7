//! Cuts of files: `cut`, `process`, `save`, `rows`, `columns`, `fields`, `profile`, `count` and `estimate` below
//! `/api/files/{id}`, and the routes `/api/cuts/{id}` and `/api/cuts/{id}/recipe`.

mod body;
mod count;
mod inspect;
mod rows;
mod save;
mod send;

pub use body::{CutBody, FilterTree};
pub use count::is_option_of_counts;
pub use save::saved_cut;
pub use send::{ClientOptions, cut_of_body, result_name, send_cut_of};

use axum::Json;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract::params::Params;
use super::extract::storage::{PathText, Storage};
use super::responses::RecipeResponse;
use crate::csv::request::CutRequest;
use crate::cuts::receipt::ReceiptView;
use crate::cuts::{CutService, request_problem};
use crate::error::{Problem, Result};
use crate::http::filename::Filename;
use crate::routes::table::{Routes, route};
use crate::storage::file::FileRow;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .merge(send::routes())
        .merge(save::routes())
        .merge(inspect::routes())
        .merge(rows::routes())
        .merge(count::routes())
        .route(route!(get_receipt))
        .route(route!(get_cut_recipe))
}

/// What a reader of the rows should know about the file, such as `rows-long=12; undecodable=3`.
const NOTICE: HeaderName = HeaderName::from_static("x-cutty-notice");

/// Adds the header [`NOTICE`] to a response, if there is something to say ([`FileRow::notice`]).
fn add_notice(headers: &mut HeaderMap, notice: Option<String>) -> Result<()> {
    if let Some(notice) = notice {
        headers.insert(NOTICE, HeaderValue::from_str(&notice).map_err(Problem::internal)?);
    }
    Ok(())
}

type Pairs = Params<Vec<(String, String)>>;

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Options of a cut that say how to read the file.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[allow(dead_code)]
struct ReadingParams {
    /// Whether the first record is the header; default `true`.
    input_header: Option<bool>,
    /// Delimiter of fields; detected by default.
    delimiter: Option<String>,
    /// Character encoding of the file; detected by default.
    encoding: Option<String>,
    /// Character around quoted fields; detected by default. The shorter name `quote` works too.
    quote_character: Option<String>,
    /// How a quoted field contains its quote; detected by default.
    escape: Option<String>,
    /// Lines above the header; detected by default.
    skip_rows: Option<u32>,
    /// Records at the end of the file that are left out; default 0.
    skip_footer: Option<u32>,
    /// Character at the start of comments; detected by default.
    comment: Option<String>,
    /// Where blanks are removed; detected by default.
    trim: Option<String>,
    /// Values that are read as empty cells, as one CSV record.
    null_values: Option<String>,
    /// What happens to rows with more or fewer fields than the header; default `keep`.
    ragged: Option<String>,
    /// What happens to records that repeat the header; default `keep`.
    repeated_headers: Option<String>,
}

/// Parses the query of an operation that allows only some options of a cut. `params::refuse_unknown` has already
/// refused all other options.
fn reading_request(pairs: &[(String, String)]) -> Result<CutRequest> {
    CutRequest::from_query(borrowed(pairs)).map_err(request_problem)
}

fn derived_name(file: &FileRow, extension: &str) -> Result<Filename> {
    Ok(Filename::parse(&file.filename).map_err(Problem::internal)?.derived("cut", extension))
}

/// Receipt of a cut.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptResponse {
    success: bool,
    cut: ReceiptView,
}

/// Returns the receipt of a cut: its rows, its SHA-256 and whether it is complete. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/cuts/{id}", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ReceiptResponse), (status = 401), (status = 404)))]
async fn get_receipt(Storage(storage): Storage, PathText(id): PathText) -> Result<Json<ReceiptResponse>> {
    let cut = CutService::new(storage).receipt(&id).await?;
    Ok(Json(ReceiptResponse { success: true, cut }))
}

/// Returns the recipe of a cut: everything that is needed to make its bytes again. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/cuts/{id}/recipe", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = RecipeResponse), (status = 401), (status = 404),
        (status = 410, description = "gone: the recipe is not kept any more")))]
async fn get_cut_recipe(Storage(storage): Storage, PathText(id): PathText) -> Result<Json<RecipeResponse>> {
    Ok(Json(CutService::new(storage).recipe(&id).await?.into()))
}
