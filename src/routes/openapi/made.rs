//! Makes the description from the handlers. The module `completion` adds the facts that all handlers have in common.

use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::completion;
use crate::error::Code;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cutty",
        description = "Store, share and cut CSV files. Each path /api/… also exists as /api/v1/…, and each path may end with a slash.",
    ),
    security(("bearer" = []), ("basic" = []))
)]
struct Base;

/// Returns the part of the description that is not made from handlers.
fn base() -> utoipa::openapi::OpenApi {
    let mut base = Base::openapi();
    let scheme = |scheme, text: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(text)).build())
    };
    let components = base.components.get_or_insert_default();
    let text = "An access token (a JWT), the secret of an API key, or the operator token.";
    components.add_security_scheme("bearer", scheme(HttpAuthScheme::Bearer, text));
    let text = "The secret of an API key as the password, with any user name.";
    components.add_security_scheme("basic", scheme(HttpAuthScheme::Basic, text));
    base
}

/// Returns the whole description.
pub fn description() -> Value {
    let mut description = crate::routes::all().description(base());
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
