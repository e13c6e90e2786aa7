//! `POST /api/filters/parse`: converts between the forms of a filter, and checks a filter while somebody writes it.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::cuts::FilterTree;
use super::extract::body::JsonBody;
use super::extract::storage::Storage;
use crate::csv::filter::text::NextPart;
use crate::csv::filter::{Filter, text, tree};
use crate::cuts::CutService;
use crate::cuts::filters::{FilterFault, Written, check_syntax};
use crate::domain::ids::FileId;
use crate::domain::principal::Scope;
use crate::error::{Code, Problem, Result};
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(parse_filter))
}

/// A filter to check: either `text` or `tree`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FilterRequest {
    /// The filter as text.
    text: Option<String>,
    /// The filter as a tree.
    #[schema(value_type = Option<Object>)]
    tree: Option<FilterTree>,
    /// Id of the file that the filter is for. Then the columns and the operands are checked too.
    file_id: Option<String>,
}

/// A filter in both forms, and what is wrong with it.
#[derive(Serialize, ToSchema)]
struct FilterResponse {
    success: bool,
    /// The filter as a tree; null if the filter cannot be parsed, or if it is empty.
    #[schema(value_type = Option<Object>)]
    tree: Option<Value>,
    /// The filter as text; null under the same conditions.
    text: Option<String>,
    /// Number of conditions.
    conditions: usize,
    /// What is wrong with the filter; empty if it can be used.
    errors: Vec<FilterErrorView>,
}

/// Something wrong with a filter.
#[derive(Serialize, ToSchema)]
#[schema(as = FilterError)]
struct FilterErrorView {
    /// Position in the text, in characters (Unicode scalar values) from 0. If the request has a tree: in `text` of this
    /// response. Null if the whole filter is at fault.
    position: Option<usize>,
    /// Number of characters at fault; 0 if something is missing at `position`.
    length: usize,
    /// Where the fault is in the tree of the request (RFC 6901); null if the tree can be parsed.
    pointer: Option<String>,
    /// What may stand at `position`: `column`, `operator`, `value`, `AND`, `OR`, `(`, `)`, `,`, `CONTAINS`, `EMPTY`, `end`
    /// (the end of the text), or `less` (fewer conditions or levels).
    expected: Vec<String>,
    /// What is wrong and what to do next.
    detail: String,
    /// The name of the column that is most similar to an unknown name; null if no name is similar.
    nearest: Option<String>,
}

impl From<FilterFault> for FilterErrorView {
    fn from(fault: FilterFault) -> Self {
        let FilterFault { position, length, pointer, expected, detail, nearest } = fault;
        let expected = expected.into_iter().map(|expected: NextPart| expected.name().to_owned()).collect();
        Self { position, length, pointer, expected, detail, nearest }
    }
}

/// Converts between the text and the tree of a filter, and says what is wrong with the filter.
///
/// A filter that is wrong gets 200 too, with `errors`. Costs 2 D1 calls; without `fileId` 1 D1 call. If the profile of
/// the file is not in the cache, it costs 1 R2 read in addition.
#[utoipa::path(post, path = "/api/filters/parse", tag = "cuts", request_body = FilterRequest,
    responses((status = 200, body = FilterResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422)))]
async fn parse_filter(
    Storage(storage): Storage,
    JsonBody(body): JsonBody<FilterRequest>,
) -> Result<Json<FilterResponse>> {
    let written = match (&body.text, &body.tree) {
        (Some(text), None) => Written::Text(text),
        (None, Some(FilterTree(tree))) => Written::Tree(tree),
        _ => return Err(Problem::new(Code::BadRequest, "Send either text or tree.")),
    };
    let checked = match &body.file_id {
        None => check_syntax(written).0,
        Some(id) => {
            let id = FileId::parse(id).ok_or_else(Problem::no_such_file)?;
            let file = storage.find_undamaged(Scope::Read, id).await?;
            CutService::new(storage).check_filter(&file, written).await?
        }
    };
    let filter = checked.filter.as_ref();
    Ok(Json(FilterResponse {
        success: true,
        tree: filter.map(tree::render),
        text: filter.map(text::render),
        conditions: filter.map_or(0, Filter::condition_count),
        errors: checked.faults.into_iter().map(FilterErrorView::from).collect(),
    }))
}
