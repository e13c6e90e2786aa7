//! `/health`: whether the Worker, the database and the object store are available.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::config::ScanFailure;
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::routes::table::{Routes, route};
use crate::sql;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_health)).route(route!(get_ready)).route(route!(get_storage))
}

/// State of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The service responds.
    Healthy,
    /// Only for the Worker: a part of the Worker does not work.
    Degraded,
    /// The service does not respond.
    Unhealthy,
}

/// State of the Worker.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    success: bool,
    status: Health,
    version: &'static str,
}

/// State of the services that the Worker needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyResponse {
    success: bool,
    status: Health,
    database: Health,
    storage: Health,
    /// State of the content scanner; absent if no scanner is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanner: Option<Health>,
}

/// State of the object store.
#[derive(Debug, Serialize, ToSchema)]
pub struct StorageResponse {
    success: bool,
    status: Health,
    storage: Health,
}

/// Checks whether the Worker runs, without calls to other services.
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, body = HealthResponse)))]
async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { success: true, status: Health::Healthy, version: env!("CARGO_PKG_VERSION") })
}

/// Checks whether the database responds, and whether the object store responds and can be written. Costs 1 D1 query and
/// 1 R2 head. The check of writing costs 1 R2 put and 1 R2 delete of a small object. Each isolate makes this check at
/// most once in 30 seconds. Other requests use the outcome of the last check. If a content scanner is set, also reports
/// whether the last scan worked. If the isolate has made no scan in the last 30 seconds, the request scans a few bytes.
/// If only the scanner fails and the server accepts files without a scan, the response is 200 with the status
/// `degraded`.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = ReadyResponse), (status = 503, body = ReadyResponse)))]
async fn get_ready(State(app): State<SharedApp>) -> Response {
    let database = health_of(app.database.query(sql::accounts::Ping {}.statement()).await.is_ok());
    let storage = match storage_health(&app).await {
        Health::Healthy => write_health(&app).await,
        other => other,
    };
    let scanner = app.scanner_works().await.map(health_of);
    let accepts_unscanned =
        app.config.scanning.as_ref().is_some_and(|settings| settings.failure == ScanFailure::Accept);
    let (code, status) = match (database, storage) {
        (Health::Healthy, Health::Healthy) if scanner == Some(Health::Unhealthy) => {
            let code = if accepts_unscanned { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (code, Health::Degraded)
        }
        (Health::Healthy, Health::Healthy) => (StatusCode::OK, Health::Healthy),
        (Health::Unhealthy, Health::Unhealthy) => (StatusCode::SERVICE_UNAVAILABLE, Health::Unhealthy),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Health::Degraded),
    };
    let body = ReadyResponse { success: code == StatusCode::OK, status, database, storage, scanner };
    (code, Json(body)).into_response()
}

/// Checks whether the object store responds, with one R2 head.
#[utoipa::path(get, path = "/health/storage", tag = "health", security(()),
    responses((status = 200, body = StorageResponse), (status = 503, body = StorageResponse)))]
async fn get_storage(State(app): State<SharedApp>) -> Response {
    let storage = storage_health(&app).await;
    let success = storage == Health::Healthy;
    let code = if success { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(StorageResponse { success, status: storage, storage })).into_response()
}

/// Requests the head of an object that does not exist. The object store is healthy if it responds.
async fn storage_health(app: &App) -> Health {
    health_of(app.objects.head(&StorageKey::Known("health/probe".to_owned())).await.is_ok())
}

/// Returns whether the object store can be written. If this isolate made the check in the last 30 s, uses the outcome
/// of that check.
async fn write_health(app: &App) -> Health {
    let outcome = app.write_check.run(app.objects.as_ref(), app.fresh_id(), app.now()).await;
    if let Err(cause) = &outcome {
        app.write_log(LogLine::error("the object store cannot be written").caused_by(cause));
    }
    health_of(outcome.is_ok())
}

fn health_of(responds: bool) -> Health {
    if responds { Health::Healthy } else { Health::Unhealthy }
}
