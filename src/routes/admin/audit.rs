//! The audit log, for operators: list, export and verify.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{AdminPage, OperatorAct, report_read};
use crate::app::SharedApp;
use crate::audit::action::Action;
use crate::audit::export::{AuditExport, ExportFormat};
use crate::audit::list::{AuditEntry, AuditFilter};
use crate::audit::security::AdminView;
use crate::audit::verify::VerifiedAudit;
use crate::body::outgoing::ResponseBody;
use crate::domain::caller::Caller;
use crate::domain::ids::{FileId, UserId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::routes::extract::body::OptionalJsonBody;
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(list_audit)).route(route!(verify_audit))
}

/// Query of the audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct AuditParams {
    /// Only entries of this account.
    user: Option<String>,
    /// Only entries about this file.
    file: Option<String>,
    /// Only this action, such as `upload`, `download` or `login`. If the name is unknown, the error lists all names.
    action: Option<String>,
    /// `true`: only successful actions. `false`: only failed actions.
    success: Option<String>,
    /// Only requests from this address.
    address: Option<String>,
    /// Only entries from this time on, such as `2026-11-01T00:00:00Z`.
    from: Option<String>,
    /// Only entries before this time.
    until: Option<String>,
    /// `json` (default): one page. `csv` or `ndjson`: all entries, streamed, at most 400,000; a longer export breaks off.
    format: Option<String>,
    /// Number of entries on a page of `json`: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page of `json`.
    cursor: Option<String>,
}

/// Entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditResponse {
    success: bool,
    entries: Vec<AuditEntry>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists or exports the entries of the audit log that the database holds, newest first.
///
/// Older entries are segments in R2, which `POST /api/admin/audit/verify` verifies. An entry that comes through the queue
/// is listed some seconds after its request. Costs 1 D1 read; an export 1 D1 read for each 500 entries. 1 more D1 read if
/// the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", params(AuditParams),
    responses((status = 200, content((AuditResponse = "application/json"), (String = "text/csv"),
        (String = "application/x-ndjson"))), (status = 400), (status = 401), (status = 403)))]
async fn list_audit(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<AuditParams>,
) -> Result<Response> {
    let read = async {
        let filter = filter_of(&params)?;
        let format = match params.format.as_deref() {
            None | Some("json") => None,
            Some("csv") => Some(ExportFormat::Csv),
            Some("ndjson") => Some(ExportFormat::Ndjson),
            Some(_) => return Err(bad("format", "json, csv or ndjson")),
        };
        if let Some(format) = format {
            if params.limit.is_some() || params.cursor.is_some() {
                let detail = "An export has no pages. Leave out limit and cursor, or send format=json.";
                return Err(Problem::new(Code::BadRequest, detail));
            }
            return Ok(export(app.clone(), filter, format));
        }
        let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
        let entries = app.audit_entries(&filter, page.before.as_deref(), page.limit + 1).await?;
        let (entries, next_cursor) = page.split(entries, |entry| entry.id.clone());
        let body = AuditResponse { success: true, entries, has_more: next_cursor.is_some(), next_cursor };
        Ok(Json(body).into_response())
    };
    report_read(&app, operator, &caller, AdminView::Audit, read).await
}

fn export(app: SharedApp, filter: AuditFilter, format: ExportFormat) -> Response {
    let (media_type, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        ExportFormat::Ndjson => ("application/x-ndjson", "attachment; filename=\"audit.ndjson\""),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let body = ResponseBody::Generated(Box::new(AuditExport::new(app, filter, format)));
    (headers, body).into_response()
}

fn filter_of(params: &AuditParams) -> Result<AuditFilter> {
    let user = params
        .user
        .as_deref()
        .map(|text| UserId::parse(text).ok_or_else(|| bad("user", "an id of an account")));
    let file =
        params.file.as_deref().map(|text| FileId::parse(text).ok_or_else(|| bad("file", "an id of a file")));
    let time = |name: &'static str, text: &Option<String>| {
        let text = text.as_deref();
        let time =
            text.map(|text| parse_time(text).ok_or_else(|| bad(name, "a time such as 2026-11-01T00:00:00Z")));
        time.transpose()
    };
    let action = params.action.as_deref().map(|name| {
        let known = || Action::ALL.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ");
        Action::named(name).ok_or_else(|| bad("action", &format!("one of {}", known())))
    });
    let success = params.success.as_deref().map(|text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(bad("success", "true or false")),
    });
    Ok(AuditFilter {
        user: user.transpose()?.map(|user| user.to_string()),
        file: file.transpose()?.map(|file| file.to_string()),
        action: action.transpose()?,
        success: success.transpose()?,
        address: params.address.clone(),
        from: time("from", &params.from)?,
        until: time("until", &params.until)?,
    })
}

fn parse_time(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| Timestamp::new(time.to_utc()))
}

fn bad(name: &str, wanted: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("The parameter {name} must be {wanted}.")).with("parameter", name)
}

/// Options of the verification.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    /// `nextCursor` of the previous call; absent or null for the start of the log.
    cursor: Option<String>,
}

/// The result of the verification.
#[derive(Debug, Serialize, ToSchema)]
struct VerifyResponse {
    success: bool,
    #[serde(flatten)]
    result: VerifiedAudit,
}

/// Verifies the audit log, segments included: whether an entry was changed, removed, inserted or moved.
///
/// One call checks about 100,000 entries. Repeat the call with `nextCursor` until `complete` is true.
#[utoipa::path(post, path = "/api/admin/audit/verify", tag = "admin", request_body = VerifyRequest,
    responses((status = 200, body = VerifyResponse), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415)))]
async fn verify_audit(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    OptionalJsonBody(request): OptionalJsonBody<VerifyRequest>,
) -> Result<Json<VerifyResponse>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::VerifyAudit };
    let result = act.log(None, app.verify_audit(request.cursor.as_deref())).await?;
    Ok(Json(VerifyResponse { success: true, result }))
}
