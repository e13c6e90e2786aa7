//! `/api/usage`: how much a user stores and does, and what it costs.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::identity::Authenticated;
use crate::app::SharedApp;
use crate::auth::usage::UsageView;
use crate::config::Config;
use crate::error::Result;
use crate::routes::table::{Routes, route};
use crate::usage::MonthView;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_usage))
}

/// Where the costs come from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricesView {
    /// Always true: the costs are estimated from list prices, without free tiers. The invoice of the platform differs.
    estimate: bool,
    /// The day on which somebody read the prices, as `YYYY-MM-DD`.
    prices_read_on: String,
    /// Where the prices are published.
    prices_source: String,
}

impl PricesView {
    /// Describes the prices of the configuration.
    pub fn of(config: &Config) -> Self {
        let prices = &config.prices;
        Self {
            estimate: true,
            prices_read_on: prices.read_on.to_string(),
            prices_source: prices.source.clone(),
        }
    }

    /// Returns the day on which somebody read the prices.
    pub fn read_on(&self) -> &str {
        &self.prices_read_on
    }
}

/// The limits and the usage of a user, with the last months.
#[derive(Debug, Serialize, ToSchema)]
struct UsageReport {
    #[serde(flatten)]
    usage: UsageView,
    #[serde(flatten)]
    prices: PricesView,
    /// The current month and at most the 12 months before, the newest first. A month without usage is left out.
    months: Vec<MonthView>,
}

/// The usage of the signed-in user.
#[derive(Debug, Serialize, ToSchema)]
struct UsageResponse {
    success: bool,
    usage: UsageReport,
}

/// Returns your limits, how much of them you use, and for the last 13 months what you did and stored, and the estimated
/// cost. Months and days are in UTC. Reads and cuts are counted some seconds after they end. Costs 3 D1 calls.
#[utoipa::path(get, path = "/api/usage", tag = "files",
    responses((status = 200, body = UsageResponse), (status = 401)))]
async fn get_usage(State(app): State<SharedApp>, user: Authenticated) -> Result<Json<UsageResponse>> {
    let (account, usage) = app.accounts().user_and_usage(&user.0).await?;
    let months = app.months_of(&account.id).await?.into_iter().map(|month| month.month).collect();
    let usage = UsageReport { usage, prices: PricesView::of(&app.config), months };
    Ok(Json(UsageResponse { success: true, usage }))
}
