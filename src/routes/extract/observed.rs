//! Facts about a request that become known while the service handles the request. If the service refuses the request,
//! the outermost layer logs these facts as a security event.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, StatusCode};

use crate::audit::security::{RefusedRequest, SecurityEvent};
use crate::domain::ids::EventId;
use crate::domain::principal::Principal;
use crate::error::Code;

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
}

/// Middleware: notes the route of the request.
pub async fn observe_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(Observed(facts)), Some(path)) = (extensions.get(), extensions.get::<MatchedPath>()) {
        let _ = facts.route.set(format!("{} {}", request.method(), path.as_str()));
    }
    next.run(request).await
}
