//! Which switches concern each operation.
//!
//! The layer [`refuse_switched_off`] refuses a request behind access control and before its handler. A request that has
//! begun ends as it began. While [`ReadOnly`] is on, users can still sign in, download and cut, and they can still end what
//! gives others access: sessions, links and API keys. Operators can run the sweeps and the self-check, which only finish
//! what has begun.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::SharedApp;
use crate::domain::switch::Switch::{self, Cache, Cuts, ReadOnly, Shares, Uploads};

/// Returns the switches that concern an operation; `None` for an unknown operation.
pub fn of(method: &str, path: &str) -> Option<&'static [Switch]> {
    Some(match (method, path) {
        // New bytes.
        ("POST", "/api/files" | "/api/files/upload" | "/api/files/multipart" | "/api/uploads")
        | ("POST", "/api/files/multipart/{id}/complete")
        | ("PUT", "/api/files/multipart/{id}/parts/{number}")
        | ("PATCH", "/api/uploads/{id}") => &[Uploads, ReadOnly],
        ("POST", "/api/shared/{token}" | "/api/shared/{token}/uploads")
        | ("PATCH", "/api/shared/{token}/uploads/{id}") => &[Shares, Uploads, ReadOnly],

        // Cuts.
        ("GET" | "POST", "/api/files/{id}/cut" | "/api/files/{id}/process")
        | ("GET", "/api/files/{id}/count" | "/api/files/{id}/estimate" | "/api/files/{id}/rows")
        | ("POST", "/api/recipes/{id}/run") => &[Cuts, Cache],
        ("POST", "/api/files/{id}/save") => &[Cuts, Cache, ReadOnly],
        ("GET", "/api/files/{id}/columns" | "/api/files/{id}/fields" | "/api/files/{id}/profile") => &[Cache],

        // Links, and sharing with an account. A shared cut is checked when its kind is known.
        ("POST", "/api/files/{id}/share" | "/api/shares") | ("PATCH", "/api/shares/{id}") => {
            &[Shares, ReadOnly]
        }
        ("GET", "/api/shared/{token}/rows") => &[Shares, Cuts, Cache],
        ("GET" | "HEAD", "/api/shared/{token}" | "/api/shared/{token}/info")
        | ("HEAD", "/api/shared/{token}/uploads/{id}") => &[Shares],
        ("DELETE", "/api/shared/{token}/uploads/{id}") => &[Shares, ReadOnly],

        // Other changes.
        ("PATCH" | "DELETE", "/api/files/{id}")
        | ("POST", "/api/files/{id}/restore")
        | ("DELETE", "/api/files/multipart/{id}" | "/api/uploads/{id}")
        | ("POST", "/api/recipes")
        | ("PATCH" | "DELETE", "/api/recipes/{id}")
        | ("POST", "/api/keys" | "/api/keys/{id}/rotate")
        | ("PATCH", "/api/keys/{id}" | "/api/auth/user" | "/api/admin/users/{id}")
        | (
            "POST",
            "/api/admin/findings/{id}/resolve"
            | "/api/auth/email/verification"
            | "/api/auth/email/verify"
            | "/api/auth/password"
            | "/api/auth/password/reset"
            | "/api/auth/password/reset/confirm"
            | "/api/auth/register"
            | "/api/auth/user/delete",
        ) => &[ReadOnly],

        // Never refused: other reads, and changes that end access or finish what has begun.
        (
            "DELETE",
            "/api/auth/sessions" | "/api/auth/sessions/{id}" | "/api/keys/{id}" | "/api/shares/{id}",
        )
        | (
            "POST",
            "/api/admin/audit/verify"
            | "/api/admin/fsck"
            | "/api/admin/sweeps"
            | "/api/auth/login"
            | "/api/auth/logout"
            | "/api/auth/refresh"
            | "/api/downloads"
            | "/api/filters/parse",
        )
        | ("PATCH", "/api/admin/switches")
        | ("GET" | "HEAD" | "OPTIONS", _) => &[],
        _ => return None,
    })
}

/// Middleware behind access control: refuses a request if a switch that concerns its operation is off.
pub async fn refuse_switched_off(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let switches = path.and_then(|path| of(request.method().as_str(), &path)).unwrap_or_default();
    if let Some(app) = request.extensions().get::<SharedApp>().cloned()
        && let Err(problem) = app.require_switches(switches).await
    {
        return problem.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::access::RULES;

    #[test]
    fn each_operation_says_which_switches_concern_it() {
        for rule in RULES {
            assert!(of(rule.method, rule.path).is_some(), "add {} {} to this file", rule.method, rule.path);
        }
    }

    #[test]
    fn each_operation_that_changes_something_is_refused_or_named_as_an_exception() {
        assert_eq!(of("POST", "/api/new"), None);
        assert_eq!(of("DELETE", "/api/new"), None);
    }
}
