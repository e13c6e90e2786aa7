//! `/api/files/{id}/history`: what happened with a file.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::params::Params;
use super::extract::storage::{FilePath, Storage};
use crate::app::SharedApp;
use crate::audit::list::AuditEntry;
use crate::domain::ids::EventId;
use crate::error::{Code, Problem, Result};
use crate::http::pagination;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_history))
}

/// Query of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryParams {
    /// Number of entries on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// What happened with a file, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HistoryResponse {
    success: bool,
    entries: Vec<AuditEntry>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists who did what with your file, newest first: uploads, downloads, reads, cuts, changes, shares. A read is listed
/// some seconds after its request.
///
/// An API key needs the scope `share`. Addresses, user agents and error texts are shown only for what you did yourself while signed in. The list goes back
/// `AUDIT_PERSONAL_DAYS` (90 days by default). Costs 3 D1 calls.
#[utoipa::path(get, path = "/api/files/{id}/history", tag = "files", params(("id" = String, Path), HistoryParams),
    responses((status = 200, body = HistoryResponse), (status = 400), (status = 401), (status = 404)))]
async fn get_history(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    FilePath(id): FilePath,
    Params(params): Params<HistoryParams>,
) -> Result<Json<HistoryResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let before = cursor(params.cursor.as_deref())?;
    let file = service.find_own(id).await?;
    let mut entries = app
        .history_of_file(id, (&file.user_id, service.principal()), before.as_deref(), u64::from(limit) + 1)
        .await?;
    let next_cursor = split(&mut entries, limit);
    Ok(Json(HistoryResponse { success: true, entries, has_more: next_cursor.is_some(), next_cursor }))
}

/// Reads the cursor of a list of entries.
///
/// # Errors
/// `bad_cursor`.
pub fn cursor(text: Option<&str>) -> Result<Option<String>> {
    let bad = || {
        Problem::new(
            Code::BadCursor,
            "The cursor does not belong to this list. Start again without a cursor.",
        )
    };
    let id = text.map(|text| EventId::parse(text).ok_or_else(bad)).transpose()?;
    Ok(id.map(|id| id.to_string()))
}

/// Cuts a list of entries to `limit`. Returns the cursor of the next page if there were more.
pub fn split(entries: &mut Vec<AuditEntry>, limit: u32) -> Option<String> {
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    entries.last().filter(|_| has_more).map(|last| last.id.clone())
}
