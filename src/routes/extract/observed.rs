//! Facts about a request that become known while the service handles the request. From these facts, the outermost layer
//! makes the audit entry of a read or of a failed operation. If the service refuses the request, the entry is a security
//! event.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, StatusCode};

use crate::app::App;
use crate::audit::entry::Entry;
use crate::audit::security::{RefusedRequest, SecurityEvent};
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, FileId};
use crate::domain::principal::Principal;
use crate::error::{Code, Problem};
use crate::routes::audited::{self, Audited};

/// Facts about one request. All copies share the facts.
#[derive(Debug, Clone, Default)]
pub struct Observed(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    route: OnceLock<String>,
    principal: OnceLock<Principal>,
    operator_token_is_wrong: OnceLock<()>,
}

impl Observed {
    /// Notes the principal of a request. `extensions` are the extensions of this request.
    pub fn principal_is(extensions: &Extensions, principal: &Principal) {
        if let Some(Self(facts)) = extensions.get() {
            let _ = facts.principal.set(principal.clone());
        }
    }

    /// Notes the principal of a request, for a handler that finds the principal itself.
    pub fn note(&self, principal: &Principal) {
        let _ = self.0.principal.set(principal.clone());
    }

    /// Notes that the request is for operators, and that its token is not the operator token.
    pub fn operator_token_is_wrong(extensions: &Extensions) {
        if let Some(Self(facts)) = extensions.get() {
            let _ = facts.operator_token_is_wrong.set(());
        }
    }

    /// Returns the security event for a refused request. `code` is the code of the problem in the response. Returns
    /// `None` if the problem is no refusal. Also returns `None` for a failed sign-in, which is logged as
    /// [`SecurityEvent::SignIn`]. `path` is the path of the request.
    pub fn refusal(&self, code: Code, path: &str) -> Option<SecurityEvent> {
        let refuses = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS]
            .contains(&code.status());
        if !refuses || code == Code::BadCredentials {
            return None;
        }
        let Facts { route, principal, operator_token_is_wrong } = &*self.0;
        let refusal = RefusedRequest {
            code,
            principal: principal.get().cloned(),
            route: route.get().cloned(),
            subject: path.split('/').find_map(EventId::parse),
        };
        let is_wrong_token = code == Code::Unauthenticated && operator_token_is_wrong.get().is_some();
        Some(match is_wrong_token && refusal.principal.is_none() {
            true => SecurityEvent::WrongOperatorToken(refusal),
            false => SecurityEvent::Refusal(refusal),
        })
    }

    /// Returns the audit entry of a request that no other code has an entry for: the entry of a read, or of an operation
    /// that failed. `None` if the principal is not known, or if the operation has no such entry. `path` is the path of the
    /// request.
    pub fn entry(&self, app: &App, caller: &Caller, path: &str, problem: Option<&Problem>) -> Option<Entry> {
        let Facts { route, principal, .. } = &*self.0;
        let (operation, principal) = (route.get()?, principal.get()?);
        let action = match (audited::of(operation)?, problem) {
            (Audited::ByLayer(action), _) | (Audited::ByService(action), Some(_)) => action,
            _ => return None,
        };
        if caller.has_entry() {
            return None;
        }
        let mut entry = Entry::new(app, Some(principal), action, caller);
        let id = path.split('/').find_map(EventId::parse).map(|id| id.to_string());
        match id.filter(|_| operation.contains("/api/files/{id}")) {
            Some(file) => entry.file_id = FileId::parse(&file),
            None => entry.subject = path.split('/').find_map(EventId::parse).map(|id| id.to_string()),
        }
        Some(problem.into_iter().fold(entry, Entry::failed))
    }
}

/// Middleware: notes the route of the request.
pub async fn observe_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(Observed(facts)), Some(path)) = (extensions.get(), extensions.get::<MatchedPath>()) {
        let _ = facts.route.set(format!("{} {}", request.method(), path.as_str()));
    }
    next.run(request).await
}
