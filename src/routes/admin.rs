//! `/api/admin`: for operators: sweeps, findings and the self-check. Reached with `OPERATOR_TOKEN` or by an account with
//! the role `admin`.

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::body::JsonBody;
use super::extract::identity::OperatorOnly;
use super::extract::params::Params;
use super::extract::storage::PathText;
use crate::app::{App, SharedApp};
use crate::audit::entry::{Action, Entry};
use crate::domain::budget::Subrequests;
use crate::domain::caller::Caller;
use crate::domain::ids::EventId;
use crate::domain::principal::Principal;
use crate::error::{Code, Problem, Result};
use crate::http::pagination;
use crate::integrity::findings;
use crate::integrity::findings::Finding;
use crate::integrity::fsck::FsckPage;
use crate::routes::table::{Routes, route};
use crate::sweeps::report::SweepRun;
use crate::sweeps::sweep::Sweep;
use crate::sweeps::{self, SWEEPS, report};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(list_sweeps, run_sweeps))
        .route(route!(list_findings))
        .route(route!(resolve_finding))
        .route(route!(run_fsck))
        .route(route!(get_isolate))
}

/// Which reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SweepParams {
    /// Only of this sweep; an unknown one is answered with the names there are.
    kind: Option<String>,
    /// Reports on a page: 1 to 1,000, 50 by default.
    limit: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Reports, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SweepsResponse {
    success: bool,
    sweeps: Vec<SweepRun>,
    has_more: bool,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// What the sweeps did in the last 30 days, newest first. Costs 1 D1 read, and 1 to identify an account.
#[utoipa::path(get, path = "/api/admin/sweeps", tag = "admin", params(SweepParams),
    responses((status = 200, body = SweepsResponse), (status = 400), (status = 401), (status = 403)))]
async fn list_sweeps(
    State(app): State<SharedApp>,
    _: OperatorOnly,
    Params(params): Params<SweepParams>,
) -> Result<Json<SweepsResponse>> {
    let sweep = params.kind.as_deref().map(parse_kind).transpose()?;
    let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
    let sweeps =
        report::list(&app, sweep.map(|sweep| sweep.name()), page.before.as_deref(), page.limit + 1).await?;
    let (sweeps, next_cursor) = page.cut(sweeps, |run| run.id.to_string());
    Ok(Json(SweepsResponse { success: true, sweeps, has_more: next_cursor.is_some(), next_cursor }))
}

/// Which sweeps to run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunParams {
    /// Only this sweep; all of them by default.
    kind: Option<String>,
}

/// What the sweeps did.
#[derive(Debug, Serialize, ToSchema)]
struct RunResponse {
    success: bool,
    sweeps: Vec<SweepRun>,
    /// Things that failed and stay for a later run.
    failed: u64,
}

/// Runs the sweeps now, as the clock does every five minutes, and answers their reports.
#[utoipa::path(post, path = "/api/admin/sweeps", tag = "admin", params(RunParams),
    responses((status = 200, body = RunResponse), (status = 400), (status = 401), (status = 403)))]
async fn run_sweeps(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<RunParams>,
) -> Result<Json<RunResponse>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::RunSweeps };
    let run = async {
        match params.kind.as_deref().map(parse_kind).transpose()? {
            Some(sweep) => app.run_sweeps(&[sweep], app.now(), Subrequests::of_event()).await,
            None => app.sweep(app.now()).await,
        }
    };
    let report = act.log(params.kind.as_deref(), run).await?;
    Ok(Json(RunResponse { success: true, sweeps: report.runs, failed: report.failed }))
}

/// Which findings.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FindingParams {
    /// `true` (default): only those that hold; `false`: all.
    open: Option<String>,
    /// Findings on a page: 1 to 1,000, 50 by default.
    limit: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Findings, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FindingsResponse {
    success: bool,
    findings: Vec<Finding>,
    has_more: bool,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// Stored bytes that are not what their rows say, newest first. Costs 1 D1 read, and 1 to identify an account.
#[utoipa::path(get, path = "/api/admin/findings", tag = "admin", params(FindingParams),
    responses((status = 200, body = FindingsResponse), (status = 400), (status = 401), (status = 403)))]
async fn list_findings(
    State(app): State<SharedApp>,
    _: OperatorOnly,
    Params(params): Params<FindingParams>,
) -> Result<Json<FindingsResponse>> {
    let open_only = match params.open.as_deref() {
        None | Some("true" | "1") => true,
        Some("false" | "0") => false,
        Some(_) => return Err(Problem::new(Code::BadRequest, "open is true or false.")),
    };
    let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
    let found = findings::list(&app, open_only, page.before.as_deref(), page.limit + 1).await?;
    let (findings, next_cursor) = page.cut(found, |finding| finding.id.clone());
    Ok(Json(FindingsResponse { success: true, findings, has_more: next_cursor.is_some(), next_cursor }))
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
struct FindingResponse {
    success: bool,
    finding: Finding,
}

/// Says that a finding holds no more, after a repair: the file's bytes are sent again, and the scrub looks at them next.
#[utoipa::path(post, path = "/api/admin/findings/{id}/resolve", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = FindingResponse), (status = 401), (status = 403), (status = 404)))]
async fn resolve_finding(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
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

/// Which page to check, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FsckRequest {
    /// Whether to read every kept file's bytes and compare their SHA-256.
    #[serde(default)]
    deep: bool,
    /// `cursor` of the page before; absent or null for the first.
    cursor: Option<String>,
}

/// A page of the self-check.
#[derive(Debug, Serialize, ToSchema)]
struct FsckResponse {
    success: bool,
    #[serde(flatten)]
    page: FsckPage,
}

/// Checks that rows, objects and quotas agree, a page at a time: call it with the `cursor` it answered until `complete`.
#[utoipa::path(post, path = "/api/admin/fsck", tag = "admin", request_body = FsckRequest,
    responses((status = 200, body = FsckResponse), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415)))]
async fn run_fsck(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<FsckRequest>,
) -> Result<Json<FsckResponse>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::RunFsck };
    let page = act.log(None, app.fsck(request.deep, request.cursor.as_deref())).await?;
    Ok(Json(FsckResponse { success: true, page }))
}

/// Something that an operator does.
struct OperatorAct<'a> {
    app: &'a App,
    operator: &'a Principal,
    caller: &'a Caller,
    action: Action,
}

impl OperatorAct<'_> {
    /// Does it and then logs how it ended. `subject` is what it concerns, if the operator named something.
    async fn log<T>(self, subject: Option<&str>, act: impl Future<Output = Result<T>>) -> Result<T> {
        let start = self.app.now();
        let outcome = act.await;
        let entry = Entry::new(self.app, Some(self.operator), self.action, self.caller).since(start);
        let entry = subject.into_iter().fold(entry, Entry::about);
        let entry = outcome.as_ref().err().into_iter().fold(entry, Entry::failed);
        self.app.audit().log(&entry);
        outcome
    }
}

fn parse_kind(name: &str) -> Result<&'static dyn Sweep> {
    sweeps::named(name).ok_or_else(|| {
        let known: Vec<_> = SWEEPS.iter().map(|sweep| sweep.name()).collect();
        Problem::new(
            Code::BadRequest,
            format!("There is no sweep {name:?}. There are: {}.", known.join(", ")),
        )
    })
}

/// A page of a list that runs from new to old; its cursor is the last id.
struct AdminPage {
    limit: u64,
    before: Option<String>,
}

impl AdminPage {
    fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<Self> {
        let limit = pagination::parse_limit(limit)?;
        let bad =
            || Problem::new(Code::BadCursor, "The cursor is not one of this list. Start again without it.");
        let before = cursor.map(|text| EventId::parse(text).ok_or_else(bad)).transpose()?;
        Ok(Self { limit: limit.into(), before: before.map(|id| id.to_string()) })
    }

    /// The page of one item more than it should have, and where the next one begins.
    fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        (items, next)
    }
}

/// What an isolate uses.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct IsolateResponse {
    success: bool,
    /// Bytes of files copied into wasm since the isolate began: none of a download's.
    bytes_into_wasm: u64,
    /// The size of wasm's memory, bytes; it never shrinks.
    memory_bytes: u64,
}

/// What the isolate that answers uses; another request may meet another isolate. Costs 1 D1 read to identify an account.
#[utoipa::path(get, path = "/api/admin/isolate", tag = "admin",
    responses((status = 200, body = IsolateResponse), (status = 401), (status = 403)))]
async fn get_isolate(State(app): State<SharedApp>, _: OperatorOnly) -> Json<IsolateResponse> {
    let (bytes_into_wasm, memory_bytes) = (app.isolate.bytes_into_wasm(), app.isolate.memory_bytes());
    Json(IsolateResponse { success: true, bytes_into_wasm, memory_bytes })
}
