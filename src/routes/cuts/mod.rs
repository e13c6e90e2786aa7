//! Cuts of files: `cut`, `process`, `save`, `rows`, `columns`, `fields`, `profile`, `count` and `estimate` below
//! `/api/files/{id}`, and the routes `/api/cuts/{id}` and `/api/cuts/{id}/recipe`.

mod body;
mod count;
mod inspect;
pub mod rows;
pub mod save;
mod send;

pub use body::{CutBody, FilterTree};
pub use save::saved_cut;
pub use send::{ClientOptions, cut_of_body, result_name, send_cut, send_cut_of};

use axum::Json;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::params::Params;
use super::extract::storage::{PathText, Storage};
use super::responses::RecipeResponse;
use crate::csv::request::CutRequest;
use crate::csv::request::input::{QUOTE_CHARACTER, is_input_option};
use crate::cuts::receipt::{ListedReceipt, ReceiptView};
use crate::cuts::{CutService, request_problem};
use crate::domain::ids::FileId;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::filename::Filename;
use crate::http::pagination::{self, Cursor, ListFingerprint};
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
        .route(route!(list_receipts))
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

/// Whether an option of a cut changes which rows its filter keeps.
pub fn is_option_of_filters(name: &str) -> bool {
    ["filter", "q", "as", QUOTE_CHARACTER].contains(&name) || is_input_option(name)
}

/// Refuses an option of a cut that neither changes which rows its filter keeps nor is one of `other_names`.
fn refuse_other_options(pairs: &[(String, String)], other_names: &[&str]) -> Result<()> {
    let is_known =
        |name: &str| name.contains("__") || is_option_of_filters(name) || other_names.contains(&name);
    let Some((name, _)) = pairs.iter().find(|(name, _)| !is_known(name)) else { return Ok(()) };
    let others: String = other_names.iter().map(|name| format!("{name}, ")).collect();
    let detail = format!(
        "This route has no option {name:?}. Send {others}conditions (column__operator=value), filter, q, as, and the \
         options for reading."
    );
    Err(Problem::new(Code::UnknownOption, detail).with("option", name.as_str()))
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

/// A page of receipts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReceiptListResponse {
    success: bool,
    cuts: Vec<ListedReceipt>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Query of the list of receipts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ReceiptListParams {
    /// Number of receipts on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// Start of the page: `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only cuts of the file with this id.
    file_id: Option<String>,
}

/// Lists the receipts of your cuts, the newest first.
///
/// A page ends early if its receipts have more than 1 MiB. A receipt is kept for 90 days, or as long as the saved cut; of
/// unsaved cuts, the newest 10,000 are kept. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/cuts", tag = "cuts", params(ReceiptListParams),
    responses((status = 200, body = ReceiptListResponse), (status = 400), (status = 401), (status = 404)))]
async fn list_receipts(
    Storage(storage): Storage,
    Params(params): Params<ReceiptListParams>,
) -> Result<Json<ReceiptListResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let file_text = params.file_id.as_deref().unwrap_or_default();
    let file = match params.file_id.as_deref() {
        None => None,
        Some(id) => Some(FileId::parse(id).ok_or_else(Problem::no_such_file)?),
    };
    let fingerprint = ListFingerprint::of(&["cuts", file_text]);
    let cursor = params.cursor.as_deref().map(|cursor| Cursor::decode(cursor, fingerprint, true));
    let cursor = cursor.transpose().map_err(|error| Problem::new(Code::BadCursor, sentence(&error)))?;
    let after = cursor.as_ref().map(|cursor| (cursor.sort_key.as_str(), cursor.id.as_str()));
    let page = CutService::new(storage).receipts(file, after, limit.into()).await?;
    let next_cursor = page.receipts.last().filter(|_| page.has_more).and_then(|last| {
        let (sort_key, id) = (last.receipt.created_at.to_string(), last.receipt.id.clone());
        Cursor { sort_key, id, descending: true, fingerprint }.encode()
    });
    Ok(Json(ReceiptListResponse { success: true, cuts: page.receipts, has_more: page.has_more, next_cursor }))
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
