//! Metrics, for operators.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::report_read;
use crate::app::{App, SharedApp};
use crate::audit::security::AdminView;
use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::metrics::open_metrics::MEDIA_TYPE;
use crate::metrics::report::{MAX_POINTS, MetricsQuery, MetricsSeries, MetricsSummary, PerformanceMetrics};
use crate::metrics::rollup::MetricStep;
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::table::{Routes, route};
use crate::sweeps::SWEEPS;

/// The range if the request names none.
const DEFAULT_RANGE: TimeDelta = TimeDelta::hours(24);

/// The longest range.
const MAX_RANGE: TimeDelta = TimeDelta::days(731);

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(get_metrics_summary))
        .route(route!(get_metrics_performance))
        .route(route!(get_metrics_series))
        .route(route!(get_open_metrics))
}

/// Query of metrics.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RangeParams {
    /// Start of the range, RFC 3339. Default: 24 hours before the end.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// End of the range, RFC 3339. Default: now. The range is at most 731 days, and is extended to whole buckets.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Id of a user: only the operations of this user.
    user: Option<String>,
}

/// Query of a series.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SeriesParams {
    /// Start of the range, RFC 3339. Default: 24 hours before the end.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// End of the range, RFC 3339. Default: now. The range is extended to whole buckets.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Id of a user: only the operations of this user. There are no buckets of 5 minutes for a user.
    user: Option<String>,
    /// Length of a bucket: `5m` (kept for 2 days), `1h` (30 days) or `1d` (731 days). Default: the shortest of which the
    /// range has at most 336. A series has at most 1,000 buckets.
    step: Option<String>,
}

fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(Code::BadRequest, detail)
}

/// Reads the range of a request.
fn range(app: &App, from: Option<&str>, to: Option<&str>) -> Result<(Timestamp, Timestamp)> {
    let parse = |name: &str, text: &str| {
        let detail = format!("The parameter {name} must be a time such as 2026-11-30T12:00:00Z.");
        Timestamp::parse(text).ok_or_else(|| bad_request(detail).with("field", name))
    };
    let to = to.map(|text| parse("to", text)).transpose()?.unwrap_or_else(|| app.now());
    let from = from.map(|text| parse("from", text)).transpose()?.unwrap_or_else(|| to.plus(-DEFAULT_RANGE));
    if from >= to || to.instant() - from.instant() > MAX_RANGE {
        let detail = "The parameter from must be before to, and at most 731 days before it.";
        return Err(bad_request(detail).with("field", "from"));
    }
    Ok((from, to))
}

fn user_id(text: Option<&str>) -> Result<String> {
    let Some(text) = text else { return Ok(String::new()) };
    let detail = "The parameter user must be the id of a user. GET /api/admin/users shows the ids.";
    let user = UserId::parse(text).ok_or_else(|| bad_request(detail).with("field", "user"))?;
    Ok(user.to_string())
}

fn query(app: &App, params: &RangeParams) -> Result<MetricsQuery> {
    let range = range(app, params.from.as_deref(), params.to.as_deref())?;
    Ok(MetricsQuery::choose(range, user_id(params.user.as_deref())?, app.now()))
}

/// The summary.
#[derive(Debug, Serialize, ToSchema)]
struct MetricsSummaryResponse {
    success: bool,
    summary: MetricsSummary,
}

/// Returns how many operations there were, how they ended, how long they took and how many bytes they moved.
///
/// The numbers come from the audit log: an operation is counted within about 10 minutes. Costs 1 D1 read, and 1 more if the
/// operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/metrics/summary", tag = "admin", params(RangeParams),
    responses((status = 200, body = MetricsSummaryResponse), (status = 400), (status = 401), (status = 403)))]
async fn get_metrics_summary(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<RangeParams>,
) -> Result<Json<MetricsSummaryResponse>> {
    let read = async {
        let summary = app.metrics().summary(&query(&app, &params)?).await?;
        Ok(Json(MetricsSummaryResponse { success: true, summary }))
    };
    report_read(&app, operator, &caller, AdminView::Metrics, read).await
}

/// How fast the service was.
#[derive(Debug, Serialize, ToSchema)]
struct PerformanceResponse {
    success: bool,
    performance: PerformanceMetrics,
}

/// Returns how fast uploads, downloads and cuts were. Costs 1 D1 read, and 1 more if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/metrics/performance", tag = "admin", params(RangeParams),
    responses((status = 200, body = PerformanceResponse), (status = 400), (status = 401), (status = 403)))]
async fn get_metrics_performance(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<RangeParams>,
) -> Result<Json<PerformanceResponse>> {
    let read = async {
        let performance = app.metrics().performance(&query(&app, &params)?).await?;
        Ok(Json(PerformanceResponse { success: true, performance }))
    };
    report_read(&app, operator, &caller, AdminView::Metrics, read).await
}

/// A series.
#[derive(Debug, Serialize, ToSchema)]
struct SeriesResponse {
    success: bool,
    series: MetricsSeries,
}

/// Returns the operations of each 5 minutes, hour or day of a range. Costs 1 D1 read, and 1 more if the operator signed in
/// with an account.
#[utoipa::path(get, path = "/api/admin/metrics/series", tag = "admin", params(SeriesParams),
    responses((status = 200, body = SeriesResponse), (status = 400), (status = 401), (status = 403)))]
async fn get_metrics_series(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<SeriesParams>,
) -> Result<Json<SeriesResponse>> {
    let read = async {
        let range = range(&app, params.from.as_deref(), params.to.as_deref())?;
        let user = user_id(params.user.as_deref())?;
        let query = match params.step.as_deref() {
            None => MetricsQuery::choose(range, user, app.now()),
            Some(name) => {
                let bad_step =
                    || bad_request("The parameter step must be 5m, 1h or 1d.").with("field", "step");
                let step = MetricStep::parse(name).ok_or_else(bad_step)?;
                if !user.is_empty() && !step.has_users() {
                    let detail = "There are no buckets of 5 minutes for a user. Use step=1h or step=1d.";
                    return Err(bad_request(detail).with("field", "step"));
                }
                MetricsQuery::with_step(step, range, user)
            }
        };
        if query.buckets() > MAX_POINTS {
            let detail = format!(
                "The range has {} buckets of {}, and a series has at most {MAX_POINTS}. Use a longer step or a shorter range.",
                query.buckets(),
                query.step.name()
            );
            return Err(bad_request(detail).with("field", "step"));
        }
        let series = app.metrics().series(&query).await?;
        Ok(Json(SeriesResponse { success: true, series }))
    };
    report_read(&app, operator, &caller, AdminView::Metrics, read).await
}

/// Returns all metrics in the text format of OpenMetrics 1.0, for Prometheus: counters since the installation, and gauges.
/// Costs 1 D1 read, and 1 more if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/metrics/prometheus", tag = "admin",
    responses((status = 200, content_type = "application/openmetrics-text", body = String), (status = 401), (status = 403)))]
async fn get_open_metrics(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    let read = async {
        let sweeps: Vec<_> = SWEEPS.iter().map(|sweep| sweep.name()).collect();
        let text = app.metrics().open_metrics(&sweeps).await?;
        Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
    };
    report_read(&app, operator, &caller, AdminView::Metrics, read).await
}
