//! Whether the service is up, and whether what it depends on is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::domain::storage_key::StorageKey;
use crate::routes::table::{Routes, route};
use crate::sql;

/// The routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_health)).route(route!(get_ready)).route(route!(get_storage))
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It answers.
    Healthy,
    /// Some of what it depends on does not answer.
    Degraded,
    /// It does not answer.
    Unhealthy,
}

/// That the service is up.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    success: bool,
    status: Health,
    version: &'static str,
}

/// Each dependency on its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyResponse {
    success: bool,
    status: Health,
    database: Health,
    storage: Health,
}

/// The object store alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct StorageResponse {
    success: bool,
    status: Health,
    storage: Health,
}

/// Whether the Worker runs. Asks nothing of its dependencies.
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, body = HealthResponse)))]
async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { success: true, status: Health::Healthy, version: env!("CARGO_PKG_VERSION") })
}

/// Whether the database and the object store answer: one D1 query and one R2 head.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = ReadyResponse), (status = 503, body = ReadyResponse)))]
async fn get_ready(State(app): State<SharedApp>) -> Response {
    let database = health_of(app.database.query(sql::accounts::Ping {}.statement()).await.is_ok());
    let storage = storage_health(&app).await;
    let (code, status) = match (database, storage) {
        (Health::Healthy, Health::Healthy) => (StatusCode::OK, Health::Healthy),
        (Health::Unhealthy, Health::Unhealthy) => (StatusCode::SERVICE_UNAVAILABLE, Health::Unhealthy),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Health::Degraded),
    };
    let answer = ReadyResponse { success: status == Health::Healthy, status, database, storage };
    (code, Json(answer)).into_response()
}

/// Whether the object store answers: one R2 head.
#[utoipa::path(get, path = "/health/storage", tag = "health", security(()),
    responses((status = 200, body = StorageResponse), (status = 503, body = StorageResponse)))]
async fn get_storage(State(app): State<SharedApp>) -> Response {
    let storage = storage_health(&app).await;
    let success = storage == Health::Healthy;
    let code = if success { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(StorageResponse { success, status: storage, storage })).into_response()
}

/// Asks for an object that is not there: an answer is an answer.
async fn storage_health(app: &App) -> Health {
    health_of(app.objects.head(&StorageKey::Known("health/probe".to_owned())).await.is_ok())
}

fn health_of(answers: bool) -> Health {
    if answers { Health::Healthy } else { Health::Unhealthy }
}
