//! The OpenAPI description. Tests make it from the handlers (`made`) and compare it with `clients/openapi.json`, which
//! the Worker serves: so the Worker needs neither the code nor the memory to make it.

#[cfg(not(target_arch = "wasm32"))]
mod bodies;
#[cfg(not(target_arch = "wasm32"))]
mod completion;
#[cfg(not(target_arch = "wasm32"))]
mod made;
#[cfg(not(target_arch = "wasm32"))]
mod options;
#[cfg(not(target_arch = "wasm32"))]
mod parameters;
#[cfg(not(target_arch = "wasm32"))]
mod response_headers;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

#[cfg(not(target_arch = "wasm32"))]
pub use made::description;

use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_openapi))
}

/// Returns this OpenAPI description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "about", security(()), responses((status = 200, body = Object)))]
async fn get_openapi() -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (kind, include_str!("../../clients/openapi.json")).into_response()
}
