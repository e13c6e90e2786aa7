//! `/api/admin`: sweeps, findings, the self-check, memory statistics, health, switches, accounts, their usage and the mailbox, for operators. The routes need
//! `OPERATOR_TOKEN`, or an account with the role `admin`.

mod audit;
mod health;
mod mailbox;
mod metrics;
mod usage;
mod users;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, SharedApp};
use crate::audit::action::Action;
use crate::audit::entry::Entry;
use crate::audit::security::{AdminView, SecurityEvent};
use crate::domain::budget::CallBudget;
use crate::domain::caller::Caller;
use crate::domain::ids::EventId;
use crate::domain::principal::Principal;
use crate::error::{Code, Problem, Result};
use crate::http::pagination;
use crate::integrity::findings;
use crate::integrity::findings::Finding;
use crate::integrity::fsck::FsckPage;
use crate::memory::budget::MemoryUsage;
use crate::routes::extract::body::{NoMembers, OptionalJsonBody};
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::PathText;
use crate::routes::table::{Routes, route};
use crate::sweeps::report::SweepRun;
use crate::sweeps::sweep::Sweep;
use crate::sweeps::{self, SWEEPS, report};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(list_sweeps, run_sweeps))
        .route(route!(list_findings))
        .route(route!(resolve_finding))
        .route(route!(run_fsck))
        .route(route!(get_isolate))
        .merge(audit::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(usage::routes())
        .merge(users::routes())
        .merge(mailbox::routes())
}

/// Query of the list of sweep reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SweepParams {
    /// Name of a sweep: only its reports are listed. If the name is unknown, the error lists all names.
    kind: Option<String>,
    /// Number of reports on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// Reports of sweeps, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SweepsResponse {
    success: bool,
    sweeps: Vec<SweepRun>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists the sweep reports of the last 30 days, newest first. Costs 1 D1 read, and 1 more if the operator signed in
/// with an account.
#[utoipa::path(get, path = "/api/admin/sweeps", tag = "admin", params(SweepParams),
    responses((status = 200, body = SweepsResponse), (status = 400), (status = 401), (status = 403)))]
async fn list_sweeps(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<SweepParams>,
) -> Result<Json<SweepsResponse>> {
    let read = async {
        let sweep = params.kind.as_deref().map(parse_kind).transpose()?;
        let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
        let kind = sweep.map(|sweep| sweep.name());
        let sweeps = report::list(&app, kind, page.before.as_deref(), page.limit + 1).await?;
        let (sweeps, next_cursor) = page.split(sweeps, |run| run.id.to_string());
        Ok(Json(SweepsResponse { success: true, sweeps, has_more: next_cursor.is_some(), next_cursor }))
    };
    report_read(&app, operator, &caller, AdminView::Sweeps, read).await
}

/// Query of a request that runs sweeps.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunParams {
    /// Name of the only sweep to run. By default, all sweeps run.
    kind: Option<String>,
}

/// Reports of a run.
#[derive(Debug, Serialize, ToSchema)]
struct RunResponse {
    success: bool,
    sweeps: Vec<SweepRun>,
    /// Number of items that failed; a later run tries them again.
    failed: u64,
}

/// Runs the sweeps now and returns their reports. Cron runs them every five minutes.
#[utoipa::path(post, path = "/api/admin/sweeps", tag = "admin", params(RunParams),
    responses((status = 200, body = RunResponse), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415)))]
async fn run_sweeps(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<RunParams>,
    _: NoMembers,
) -> Result<Json<RunResponse>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::RunSweeps };
    let run = async {
        match params.kind.as_deref().map(parse_kind).transpose()? {
            Some(sweep) => app.run_sweeps(&[sweep], app.now(), CallBudget::of_event()).await,
            None => app.sweep(app.now()).await,
        }
    };
    let report = act.log(params.kind.as_deref(), run).await?;
    Ok(Json(RunResponse { success: true, sweeps: report.runs, failed: report.failed }))
}

/// Query of the list of findings.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FindingParams {
    /// `true` (default): only open findings. `false`: also resolved findings.
    open: Option<String>,
    /// Number of findings on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// Findings, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FindingsResponse {
    success: bool,
    findings: Vec<Finding>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists findings, newest first. A finding is damage: the stored bytes of a file are missing, cannot be read, or differ
/// from the file's row. Costs 1 D1 read, and 1 more if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/findings", tag = "admin", params(FindingParams),
    responses((status = 200, body = FindingsResponse), (status = 400), (status = 401), (status = 403)))]
async fn list_findings(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<FindingParams>,
) -> Result<Json<FindingsResponse>> {
    let read = async {
        let open_only = match params.open.as_deref() {
            None | Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(_) => {
                return Err(Problem::new(Code::BadRequest, "The parameter open must be true or false."));
            }
        };
        let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
        let found = findings::list(&app, open_only, page.before.as_deref(), page.limit + 1).await?;
        let (findings, next_cursor) = page.split(found, |finding| finding.id.clone());
        Ok(Json(FindingsResponse { success: true, findings, has_more: next_cursor.is_some(), next_cursor }))
    };
    report_read(&app, operator, &caller, AdminView::Findings, read).await
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
struct FindingResponse {
    success: bool,
    finding: Finding,
}

/// Marks a finding as resolved, after a repair.
///
/// If the file has no other open finding, the bytes of the file can be read again, and the scrub reads this file next.
#[utoipa::path(post, path = "/api/admin/findings/{id}/resolve", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = FindingResponse), (status = 400), (status = 401), (status = 403), (status = 404),
        (status = 413), (status = 415)))]
async fn resolve_finding(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
    _: NoMembers,
) -> Result<Json<FindingResponse>> {
    let act =
        OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::ResolveFinding };
    let resolve = async {
        let id = EventId::parse(&id).ok_or_else(findings::no_such_finding)?;
        findings::resolve(&app, id).await
    };
    let finding = act.log(Some(&id), resolve).await?;
    Ok(Json(FindingResponse { success: true, finding }))
}

/// Options of a page of the self-check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FsckRequest {
    /// Whether to read the bytes of every stored file and compare their SHA-256 with the checksum in the row.
    #[serde(default)]
    deep: bool,
    /// `cursor` of the previous page; absent or null for the first page.
    cursor: Option<String>,
}

/// Result of a page of the self-check.
#[derive(Debug, Serialize, ToSchema)]
struct FsckResponse {
    success: bool,
    #[serde(flatten)]
    page: FsckPage,
}

/// Checks page by page that rows, objects and quotas agree.
///
/// Repeat the request with the returned `cursor` until `complete` is true.
#[utoipa::path(post, path = "/api/admin/fsck", tag = "admin", request_body = FsckRequest,
    responses((status = 200, body = FsckResponse), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415)))]
async fn run_fsck(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    OptionalJsonBody(request): OptionalJsonBody<FsckRequest>,
) -> Result<Json<FsckResponse>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::RunFsck };
    let page = act.log(None, app.fsck(request.deep, request.cursor.as_deref())).await?;
    Ok(Json(FsckResponse { success: true, page }))
}

/// Performs `read` for an operator, and then logs that the operator read `view`.
async fn report_read<T>(
    app: &App,
    operator: OperatorOnly,
    caller: &Caller,
    view: AdminView,
    read: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = read.await;
    let failure = outcome.as_ref().err().map(Problem::code);
    app.audit().report(&SecurityEvent::AdminRead { operator: operator.0, view, failure }, caller);
    outcome
}

/// An action of an operator.
struct OperatorAct<'a> {
    app: &'a App,
    operator: &'a Principal,
    caller: &'a Caller,
    action: Action,
}

impl OperatorAct<'_> {
    /// Performs the action and then logs its outcome. `subject` is the id or name in the operator's request, if any.
    async fn log<T>(self, subject: Option<&str>, act: impl Future<Output = Result<T>>) -> Result<T> {
        let start = self.app.now();
        let outcome = act.await;
        let entry = Entry::new(self.app, Some(self.operator), self.action, self.caller).since(start);
        let entry = subject.into_iter().fold(entry, Entry::about);
        let entry = outcome.as_ref().err().into_iter().fold(entry, Entry::failed);
        self.app.audit().record(entry);
        outcome
    }
}

fn parse_kind(name: &str) -> Result<&'static dyn Sweep> {
    sweeps::named(name).ok_or_else(|| {
        let known: Vec<_> = SWEEPS.iter().map(|sweep| sweep.name()).collect();
        Problem::new(
            Code::BadRequest,
            format!("There is no sweep {name:?}. The sweeps are {}.", known.join(", ")),
        )
    })
}

/// A page of a list in descending order of time. The cursor of the next page is the id of the last item of this page.
struct AdminPage {
    limit: u64,
    before: Option<String>,
}

impl AdminPage {
    fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<Self> {
        let limit = pagination::parse_limit(limit)?;
        let bad = || {
            Problem::new(
                Code::BadCursor,
                "The cursor does not belong to this list. Start again without a cursor.",
            )
        };
        let before = cursor.map(|text| EventId::parse(text).ok_or_else(bad)).transpose()?;
        Ok(Self { limit: limit.into(), before: before.map(|id| id.to_string()) })
    }

    /// Returns the items of the page, and the cursor of the next page. The caller reads `limit + 1` items. If `items`
    /// has the additional item, there is a next page.
    fn split<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        (items, next)
    }
}

/// Memory statistics of an isolate.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct IsolateResponse {
    success: bool,
    /// Bytes of files that Cutty copied into wasm since the isolate started. A download copies no bytes into wasm.
    bytes_into_wasm: u64,
    /// Size of the wasm memory in bytes; it never shrinks.
    memory_bytes: u64,
    /// The memory budgets: `bodies` (JSON bodies), `common` (buffers), `wide` (headers and profiles of wide files),
    /// `large` (long records and pages).
    budgets: BTreeMap<&'static str, BudgetResponse>,
}

/// Use of a memory budget.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BudgetResponse {
    /// Bytes in wasm that leases hold now.
    held_wasm_bytes: usize,
    /// Bytes in JavaScript that leases hold now.
    held_js_bytes: usize,
    /// Maximum number of bytes in wasm that all leases together have held at one time.
    most_wasm_bytes: usize,
    /// Maximum number of bytes in JavaScript that all leases together have held at one time.
    most_js_bytes: usize,
    /// Maximum number of bytes in wasm that all leases together may hold.
    limit_wasm_bytes: usize,
    /// Maximum number of bytes in JavaScript that all leases together may hold.
    limit_js_bytes: usize,
    /// Number of leases.
    leases: usize,
    /// Number of requests that wait for a lease.
    waiting: usize,
}

impl From<MemoryUsage> for BudgetResponse {
    fn from(usage: MemoryUsage) -> Self {
        Self {
            held_wasm_bytes: usage.held.wasm,
            held_js_bytes: usage.held.js,
            most_wasm_bytes: usage.most.wasm,
            most_js_bytes: usage.most.js,
            limit_wasm_bytes: usage.limit.wasm,
            limit_js_bytes: usage.limit.js,
            leases: usage.leases,
            waiting: usage.waiting,
        }
    }
}

/// Returns memory statistics of the isolate that handles this request.
///
/// Another isolate may handle the next request. Costs 1 D1 read if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/isolate", tag = "admin",
    responses((status = 200, body = IsolateResponse), (status = 401), (status = 403)))]
async fn get_isolate(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
) -> Result<Json<IsolateResponse>> {
    let read = async {
        let (bytes_into_wasm, memory_bytes) = (app.isolate.bytes_into_wasm(), app.isolate.memory_bytes());
        let budgets = app.memory.budgets().map(|(name, budget)| (name, budget.usage().into()));
        Ok(Json(IsolateResponse { success: true, bytes_into_wasm, memory_bytes, budgets: budgets.into() }))
    };
    report_read(&app, operator, &caller, AdminView::Isolate, read).await
}
