//! Access control: which callers may send which request.
//!
//! [`RULES`] has one rule for each operation. The layer [`control`] is in front of every handler: it identifies the
//! caller, checks the rule, and passes the caller on to the extractors of the handler. A route without a rule
//! refuses every request. The rule says only what the caller may do in general. Whether a file belongs to the caller is
//! checked by the statements of the service, which find files of this owner only.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use super::extract::identity::{self, Authenticated, CurrentSession};
use crate::app::SharedApp;
use crate::auth::service::Holder;
use crate::domain::principal::Principal;
use crate::domain::principal::Scope::{self, Cut, Read, Share, Write};
use crate::error::{Code, Problem, Result};
use crate::idempotency::key::IDEMPOTENCY_KEY;

/// The callers that an operation admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// Every client. The operation reads no access token; some read another secret, such as a password or a ticket.
    Everyone,
    /// A signed-in user, for their own account. No key and no share.
    Account,
    /// A caller with all of these scopes.
    All(&'static [Scope]),
    /// As [`Admits::All`], but the account of a user is not looked up. The operation checks that it exists. A key is
    /// looked up.
    TokenOnly(&'static [Scope]),
    /// An operator: the holder of the operator token, an account with the role `admin`, or a key of such an account with
    /// the scope `admin`.
    Operator,
}

use Admits::{Account, All, Everyone, Operator, TokenOnly};

/// The rule for one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Method of the operation.
    pub method: &'static str,
    /// Path of the operation, as in the API description.
    pub path: &'static str,
    /// The callers that the operation admits.
    pub admits: Admits,
}

const fn rule(method: &'static str, path: &'static str, admits: Admits) -> Rule {
    Rule { method, path, admits }
}

/// The rules of all operations.
pub const RULES: &[Rule] = &[
    rule("GET", "/api/admin/audit", Operator),
    rule("POST", "/api/admin/audit/verify", Operator),
    rule("GET", "/api/admin/findings", Operator),
    rule("POST", "/api/admin/findings/{id}/resolve", Operator),
    rule("POST", "/api/admin/fsck", Operator),
    rule("GET", "/api/admin/health", Operator),
    rule("GET", "/api/admin/isolate", Operator),
    rule("GET", "/api/admin/mailbox", Operator),
    rule("GET", "/api/admin/metrics/performance", Operator),
    rule("GET", "/api/admin/metrics/prometheus", Operator),
    rule("GET", "/api/admin/metrics/series", Operator),
    rule("GET", "/api/admin/metrics/summary", Operator),
    rule("GET", "/api/admin/sweeps", Operator),
    rule("POST", "/api/admin/sweeps", Operator),
    rule("GET", "/api/admin/switches", Operator),
    rule("PATCH", "/api/admin/switches", Operator),
    rule("GET", "/api/admin/usage", Operator),
    rule("GET", "/api/admin/users", Operator),
    rule("PATCH", "/api/admin/users/{id}", Operator),
    rule("POST", "/api/auth/email/verification", Account),
    rule("POST", "/api/auth/email/verify", Everyone),
    rule("POST", "/api/auth/login", Everyone),
    rule("POST", "/api/auth/logout", Everyone),
    rule("POST", "/api/auth/password", Account),
    rule("POST", "/api/auth/password/reset", Everyone),
    rule("POST", "/api/auth/password/reset/confirm", Everyone),
    rule("POST", "/api/auth/refresh", Everyone),
    rule("POST", "/api/auth/register", Everyone),
    rule("GET", "/api/auth/session", Everyone),
    rule("GET", "/api/auth/sessions", Account),
    rule("DELETE", "/api/auth/sessions", Account),
    rule("DELETE", "/api/auth/sessions/{id}", Account),
    rule("GET", "/api/auth/sign-ins", Account),
    rule("GET", "/api/auth/user", Account),
    rule("PATCH", "/api/auth/user", Account),
    rule("POST", "/api/auth/user/delete", Account),
    rule("GET", "/api/cuts", All(&[Read])),
    rule("GET", "/api/cuts/{id}", All(&[Read])),
    rule("GET", "/api/cuts/{id}/recipe", All(&[Read])),
    rule("POST", "/api/downloads", All(&[Read])),
    rule("GET", "/api/downloads/{ticket}", Everyone),
    rule("GET", "/api/files", All(&[Read])),
    rule("POST", "/api/files", All(&[Write])),
    rule("POST", "/api/files/multipart", All(&[Write])),
    rule("GET", "/api/files/multipart/{id}", All(&[Write])),
    rule("DELETE", "/api/files/multipart/{id}", All(&[Write])),
    rule("POST", "/api/files/multipart/{id}/complete", All(&[Write])),
    rule("GET", "/api/files/multipart/{id}/parts", All(&[Write])),
    rule("PUT", "/api/files/multipart/{id}/parts/{number}", All(&[Write])),
    rule("POST", "/api/files/upload", All(&[Write])),
    rule("GET", "/api/files/{id}", All(&[Read])),
    rule("HEAD", "/api/files/{id}", All(&[Read])),
    rule("PATCH", "/api/files/{id}", All(&[Write])),
    rule("DELETE", "/api/files/{id}", All(&[Write])),
    rule("GET", "/api/files/{id}/columns", All(&[Read])),
    rule("GET", "/api/files/{id}/count", All(&[Cut])),
    rule("GET", "/api/files/{id}/cut", All(&[Cut])),
    rule("POST", "/api/files/{id}/cut", All(&[Cut])),
    rule("GET", "/api/files/{id}/estimate", All(&[Cut])),
    rule("GET", "/api/files/{id}/fields", All(&[Read])),
    rule("GET", "/api/files/{id}/history", All(&[Share])),
    rule("GET", "/api/files/{id}/lineage", All(&[Read])),
    rule("GET", "/api/files/{id}/metadata", All(&[Read])),
    rule("GET", "/api/files/{id}/process", All(&[Cut])),
    rule("POST", "/api/files/{id}/process", All(&[Cut])),
    rule("GET", "/api/files/{id}/profile", All(&[Read])),
    rule("GET", "/api/files/{id}/recipe", All(&[Read])),
    rule("POST", "/api/files/{id}/restore", All(&[Write])),
    rule("GET", "/api/files/{id}/rows", All(&[Read])),
    rule("POST", "/api/files/{id}/save", All(&[Cut, Write])),
    rule("POST", "/api/files/{id}/share", All(&[Share])),
    rule("POST", "/api/filters/parse", All(&[Read])),
    rule("GET", "/api/keys", Account),
    rule("POST", "/api/keys", Account),
    rule("PATCH", "/api/keys/{id}", Account),
    rule("DELETE", "/api/keys/{id}", Account),
    rule("POST", "/api/keys/{id}/rotate", Account),
    rule("GET", "/api/openapi.json", Everyone),
    rule("GET", "/api/recipes", All(&[Read])),
    rule("POST", "/api/recipes", All(&[Write])),
    rule("GET", "/api/recipes/{id}", All(&[Read])),
    rule("PATCH", "/api/recipes/{id}", All(&[Write])),
    rule("DELETE", "/api/recipes/{id}", All(&[Write])),
    rule("POST", "/api/recipes/{id}/run", All(&[Cut])),
    rule("POST", "/api/uploads", All(&[Write])),
    rule("OPTIONS", "/api/uploads", Everyone),
    rule("HEAD", "/api/uploads/{id}", TokenOnly(&[Write])),
    rule("PATCH", "/api/uploads/{id}", TokenOnly(&[Write])),
    rule("DELETE", "/api/uploads/{id}", All(&[Write])),
    rule("OPTIONS", "/api/uploads/{id}", Everyone),
    rule("GET", "/api/shared/{token}", Everyone),
    rule("POST", "/api/shared/{token}", Everyone),
    rule("GET", "/api/shared/{token}/info", Everyone),
    rule("GET", "/api/shared/{token}/rows", Everyone),
    rule("POST", "/api/shared/{token}/uploads", Everyone),
    rule("OPTIONS", "/api/shared/{token}/uploads", Everyone),
    rule("HEAD", "/api/shared/{token}/uploads/{id}", Everyone),
    rule("PATCH", "/api/shared/{token}/uploads/{id}", Everyone),
    rule("DELETE", "/api/shared/{token}/uploads/{id}", Everyone),
    rule("OPTIONS", "/api/shared/{token}/uploads/{id}", Everyone),
    rule("GET", "/api/shares", All(&[Share])),
    rule("POST", "/api/shares", All(&[Share])),
    rule("GET", "/api/shares/{id}", All(&[Share])),
    rule("PATCH", "/api/shares/{id}", All(&[Share])),
    rule("DELETE", "/api/shares/{id}", All(&[Share])),
    rule("GET", "/api/usage", Account),
    rule("GET", "/health", Everyone),
    rule("GET", "/health/ready", Everyone),
    rule("GET", "/health/storage", Everyone),
];

/// Returns the rule of an operation. A `HEAD` that has no rule follows the rule of `GET`.
pub fn rule_of(method: &str, path: &str) -> Option<&'static Rule> {
    let of = |method: &str| RULES.iter().find(|rule| rule.path == path && rule.method == method);
    of(method).or_else(|| of("GET").filter(|_| method == "HEAD"))
}

/// Middleware in front of all handlers: refuses a request if its rule does not admit the caller.
pub async fn control(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(rule) = path.and_then(|path| rule_of(request.method().as_str(), &path)) else {
        // The path has no handler for this method, or only one that refuses.
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    match admit(rule.admits, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// Identifies the caller, checks the rule, and puts the caller into the extensions of the request.
async fn admit(admits: Admits, parts: &mut Parts) -> Result<()> {
    let app = parts.extensions.get::<SharedApp>().cloned();
    let app = app.ok_or_else(|| Problem::internal("the request has no application in its extensions"))?;
    let Holder { principal, session } = match admits {
        Everyone => return Ok(()),
        Operator => {
            let operator = identity::operator(parts, &app).await?;
            parts.extensions.insert(operator);
            return Ok(());
        }
        // The stored response to a keyed request is sent without the operation, so it needs the account.
        TokenOnly(_) if !parts.headers.contains_key(IDEMPOTENCY_KEY) => identity::holder(parts, &app).await?,
        Account | All(_) | TokenOnly(_) => identity::account(parts, &app).await?,
    };
    if !is_admitted(admits, &principal) {
        return Err(Problem::not_allowed());
    }
    parts.extensions.insert(Authenticated(principal));
    parts.extensions.insert(CurrentSession(session));
    Ok(())
}

fn is_admitted(admits: Admits, principal: &Principal) -> bool {
    match admits {
        Everyone => true,
        Operator => principal.may_operate(),
        Account => matches!(principal, Principal::User { .. }),
        All(scopes) | TokenOnly(scopes) => scopes.iter().all(|scope| principal.has(*scope)),
    }
}

/// The handler of an operation that has no rule.
pub async fn refuse() -> Problem {
    Problem::new(Code::Forbidden, "Nobody may use this operation.")
}

/// Returns the rules as a table in Markdown.
pub fn table() -> String {
    let rows = RULES.iter().map(|Rule { method, path, admits }| {
        let (callers, scopes) = match admits {
            Everyone => ("every client", &[][..]),
            Account => ("the signed-in user", &[][..]),
            Operator => ("operators", &[][..]),
            All(scopes) => ("the owner", *scopes),
            TokenOnly(scopes) => ("the owner (token only)", *scopes),
        };
        let scopes =
            scopes.iter().map(|scope| format!("`{}`", scope.name())).collect::<Vec<_>>().join(" and ");
        format!("| `{method} {path}` | {callers} | {scopes} |\n")
    });
    rows.fold("| operation | callers | scope |\n|---|---|---|\n".to_owned(), |table, row| table + &row)
}
