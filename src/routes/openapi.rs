//! The OpenAPI description, made from the handlers. The module `completion` adds the facts that all handlers have in
//! common.

mod bodies;
mod completion;
mod options;
mod parameters;
mod response_headers;

use axum::Json;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::error::Code;
use crate::routes::table::{Routes, route};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cutty",
        description = "Store, share and cut CSV files. Each path /api/… also exists as /api/v1/…, and each path may end with a slash.",
    ),
    security(("bearer" = []))
)]
struct Base;

/// Returns the part of the description that is not made from handlers.
fn base() -> utoipa::openapi::OpenApi {
    let mut base = Base::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    base.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
    base
}

/// Returns the whole description.
pub fn description() -> Value {
    let mut description = super::all().description(base());
    let codes: Vec<_> =
        Code::ALL.iter().map(|code| format!("{} {}", code.status().as_u16(), code.name())).collect();
    let intro = description.info.description.take().unwrap_or_default();
    description.info.description = Some(format!(
        "{intro}\n\nAn error is application/problem+json (RFC 9457). Its status and its `code` are one of these \
         pairs: {}.",
        codes.join(", ")
    ));
    // `to_value` cannot fail, because a description has only texts, numbers, lists and maps with text keys.
    completion::completed(serde_json::to_value(description).unwrap_or_default())
}

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_openapi))
}

/// Returns this OpenAPI description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "about", security(()), responses((status = 200, body = Object)))]
async fn get_openapi() -> Json<Value> {
    Json(description())
}
