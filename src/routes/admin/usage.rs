//! The usage of all users by month, for operators.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::report_read;
use crate::app::SharedApp;
use crate::audit::security::AdminView;
use crate::csv::append_safe_row;
use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::month::Month;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::pagination::{self, Cursor, ListFingerprint};
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::table::{Routes, route};
use crate::routes::usage::PricesView;
use crate::usage::{UserMonthView, UsersPage};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(list_usage))
}

/// Query of the usage of users.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageParams {
    /// The month, as `YYYY-MM` (UTC). Default: the current month; with `user`, the last 13 months.
    month: Option<String>,
    /// Id of a user: only the usage of this user.
    user: Option<String>,
    /// `json` (default) or `csv`.
    format: Option<String>,
    /// Number of users on a page: 1 to 1,000, default 50. A user without usage in the month counts and is not shown.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// The usage of users, ordered by user id. With `user`, the newest month is first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsersUsageResponse {
    success: bool,
    usage: Vec<UserMonthView>,
    #[serde(flatten)]
    prices: PricesView,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists what users did and stored in a month, and the estimated cost. With `format=csv`, the response is CSV that is safe
/// for spreadsheets, with a line for each user and month. If there is a next page, the header `Link` has its address with
/// `rel="next"`. Costs 1 D1 read, and 1 more if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/usage", tag = "admin", params(UsageParams),
    responses((status = 200, content((UsersUsageResponse = "application/json"), (String = "text/csv"))), (status = 400), (status = 401), (status = 403)))]
async fn list_usage(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<UsageParams>,
) -> Result<Response> {
    let read = async {
        let is_csv = match params.format.as_deref() {
            None | Some("json") => false,
            Some("csv") => true,
            Some(_) => return Err(bad_request("The parameter format must be json or csv.")),
        };
        let bad_month = || bad_request("The parameter month must be a month such as 2026-11.");
        let month =
            params.month.as_deref().map(|text| Month::parse(text).ok_or_else(bad_month)).transpose()?;
        let limit = pagination::parse_limit(params.limit.as_deref())?;
        let fingerprint = ListFingerprint::of(&[
            "usage",
            params.month.as_deref().unwrap_or_default(),
            params.user.as_deref().unwrap_or_default(),
        ]);
        let cursor = params.cursor.as_deref().map(|cursor| Cursor::decode(cursor, fingerprint, false));
        let cursor = cursor.transpose().map_err(|error| Problem::new(Code::BadCursor, sentence(&error)))?;
        let page = match params.user.as_deref() {
            Some(user) => {
                let bad_user = || {
                    bad_request(
                        "The parameter user must be the id of a user. GET /api/admin/users shows the ids.",
                    )
                };
                let user = UserId::parse(user).ok_or_else(bad_user)?;
                let months = match month {
                    Some(month) => app.month_of(&user, month).await?,
                    None => app.months_of(&user).await?,
                };
                UsersPage { months, next: None }
            }
            None => {
                // A cursor names its month, so that the pages of one list do not change at the end of a month.
                let listed = cursor.as_ref().and_then(|cursor| Month::parse(&cursor.sort_key));
                let month = month.or(listed).unwrap_or_else(|| Month::of(app.now()));
                let after = cursor.as_ref().map_or("", |cursor| cursor.id.as_str());
                let page = app.users_of(month, after, limit.into()).await?;
                let next = page.next.and_then(|user| {
                    let (sort_key, id) = (month.to_string(), user.to_string());
                    Cursor { sort_key, id, descending: false, fingerprint }.encode()
                });
                return respond(&app, &params, page.months, next, is_csv);
            }
        };
        respond(&app, &params, page.months, None, is_csv)
    };
    report_read(&app, operator, &caller, AdminView::Usage, read).await
}

fn bad_request(detail: &str) -> Problem {
    Problem::new(Code::BadRequest, detail)
}

/// Makes the response with a page.
fn respond(
    app: &SharedApp,
    params: &UsageParams,
    usage: Vec<UserMonthView>,
    next_cursor: Option<String>,
    is_csv: bool,
) -> Result<Response> {
    let mut headers = HeaderMap::new();
    if let Some(cursor) = &next_cursor {
        let others = [("month", &params.month), ("format", &params.format), ("limit", &params.limit)];
        let others =
            others.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", value.as_ref()?)));
        let link = format!("</api/admin/usage?{}cursor={cursor}>; rel=\"next\"", others.collect::<String>());
        headers.insert(LINK, HeaderValue::from_str(&link).map_err(Problem::internal)?);
    }
    let prices = PricesView::of(&app.config);
    if !is_csv {
        let has_more = next_cursor.is_some();
        let body = UsersUsageResponse { success: true, usage, prices, has_more, next_cursor };
        return Ok((headers, Json(body)).into_response());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"usage.csv\""));
    Ok((headers, csv_of(&usage, &prices)).into_response())
}

/// The header of the CSV.
const COLUMNS: [&str; 14] = [
    "userId",
    "username",
    "month",
    "operations",
    "failed",
    "bytesIn",
    "bytesOut",
    "bytesScanned",
    "storageByteDays",
    "storagePeakBytes",
    "costStorageUsd",
    "costOperationsUsd",
    "costTotalUsd",
    "pricesReadOn",
];

fn csv_of(usage: &[UserMonthView], prices: &PricesView) -> Vec<u8> {
    let mut out = Vec::new();
    append_safe_row(COLUMNS, &mut out);
    for UserMonthView { user_id, username, month } in usage {
        let operations = month.operations.values();
        let cells: [String; COLUMNS.len()] = [
            user_id.to_string(),
            username.clone().unwrap_or_default(),
            month.month.clone(),
            operations.clone().map(|operation| operation.count).sum::<u64>().to_string(),
            operations.map(|operation| operation.failed).sum::<u64>().to_string(),
            month.bytes_in.to_string(),
            month.bytes_out.to_string(),
            month.bytes_scanned.to_string(),
            month.storage_byte_days.to_string(),
            month.storage_peak_bytes.to_string(),
            month.cost_usd.storage.to_string(),
            month.cost_usd.operations.to_string(),
            month.cost_usd.total.to_string(),
            prices.read_on().to_owned(),
        ];
        append_safe_row(cells.iter().map(String::as_str), &mut out);
    }
    out
}
