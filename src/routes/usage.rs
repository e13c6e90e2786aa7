//! `/api/usage`: how much storage a user uses.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::identity::Authenticated;
use crate::app::SharedApp;
use crate::auth::usage::UsageView;
use crate::error::Result;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_usage))
}

/// The usage of the signed-in user.
#[derive(Debug, Serialize, ToSchema)]
struct UsageResponse {
    success: bool,
    usage: UsageView,
}

/// Returns your quota and how much of it you use. Costs 2 D1 calls.
#[utoipa::path(get, path = "/api/usage", tag = "files",
    responses((status = 200, body = UsageResponse), (status = 401)))]
async fn get_usage(State(app): State<SharedApp>, user: Authenticated) -> Result<Json<UsageResponse>> {
    let (_, usage) = app.accounts().user_and_usage(&user.0).await?;
    Ok(Json(UsageResponse { success: true, usage }))
}
