//! `/health`: whether the Worker, the database and the object store are available.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::config::ScanFailure;
use crate::domain::time::Timestamp;
use crate::health::Health;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_health)).route(route!(get_ready)).route(route!(get_storage))
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
    /// When the check was made.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// State of each service: `r2`, the object store, and `redis`, which is disabled.
    services: BTreeMap<&'static str, ServiceStatus>,
    /// The same as `status`.
    overall: Health,
}

/// State of one service.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceStatus {
    status: Health,
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
/// `degraded`. A service that has not responded after 5 seconds counts as unhealthy.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = ReadyResponse), (status = 503, body = ReadyResponse)))]
async fn get_ready(State(app): State<SharedApp>) -> Response {
    let database = app.database_health().await.status;
    let storage = match app.storage_health().await.status {
        Health::Healthy => app.write_health().await.status,
        other => other,
    };
    let scanner = app.scanner_works().await.map(Health::of);
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

/// Checks whether the object store responds, with one R2 head. If it has not responded after 5 seconds, it counts as
/// unhealthy.
#[utoipa::path(get, path = "/health/storage", tag = "health", security(()),
    responses((status = 200, body = StorageResponse), (status = 503, body = StorageResponse)))]
async fn get_storage(State(app): State<SharedApp>) -> Response {
    let storage = app.storage_health().await.status;
    let success = storage == Health::Healthy;
    let code = if success { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let services = [("r2", storage), ("redis", Health::Disabled)];
    let body = StorageResponse {
        success,
        status: storage,
        storage,
        timestamp: app.now(),
        services: services.into_iter().map(|(name, status)| (name, ServiceStatus { status })).collect(),
        overall: storage,
    };
    (code, Json(body)).into_response()
}
