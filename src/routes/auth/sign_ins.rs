//! The sign-ins of the signed-in user.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::account::account_of;
use crate::app::SharedApp;
use crate::audit::list::AuditEntry;
use crate::error::Result;
use crate::http::pagination;
use crate::routes::extract::identity::Authenticated;
use crate::routes::extract::params::Params;
use crate::routes::history;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(list_sign_ins))
}

/// Query of the list of sign-ins.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SignInParams {
    /// Number of sign-ins on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A sign-in, an attempt, or another act on the account.
#[derive(Debug, Serialize, ToSchema)]
struct SignInView {
    /// Id of the entry in the audit log.
    id: String,
    /// When it happened.
    timestamp: String,
    /// `login`, `logout`, `register`, `change_password`, `change_profile`, `reset_password`, `verify_email`,
    /// `end_sessions`, `reuse_token` or `delete_account`.
    action: String,
    /// Whether it succeeded. A failed `login` is an attempt with a wrong password.
    success: bool,
    /// The code of the problem; null if it succeeded.
    error_code: Option<String>,
    /// Address of the client; null after `AUDIT_PERSONAL_DAYS`.
    ip_address: Option<String>,
    /// User agent of the client; null after `AUDIT_PERSONAL_DAYS`.
    user_agent: Option<String>,
}

impl From<AuditEntry> for SignInView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            timestamp: entry.timestamp,
            action: entry.action,
            success: entry.success,
            error_code: entry.error_code,
            ip_address: entry.ip_address,
            user_agent: entry.user_agent,
        }
    }
}

/// Sign-ins, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct SignInsResponse {
    success: bool,
    sign_ins: Vec<SignInView>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists your sign-ins, failed attempts included, and other acts on your account, newest first. A sign-in is listed some
/// seconds after it. Costs 2 D1 calls.
#[utoipa::path(get, path = "/api/auth/sign-ins", tag = "auth", security(("bearer" = [])), params(SignInParams),
    responses((status = 200, body = SignInsResponse), (status = 400), (status = 401)))]
async fn list_sign_ins(
    State(app): State<SharedApp>,
    authenticated: Authenticated,
    Params(params): Params<SignInParams>,
) -> Result<Json<SignInsResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let before = history::cursor(params.cursor.as_deref())?;
    let user = account_of(&authenticated)?;
    let mut entries = app.sign_ins_of(user, before.as_deref(), u64::from(limit) + 1).await?;
    let next_cursor = history::split(&mut entries, limit);
    let sign_ins = entries.into_iter().map(SignInView::from).collect();
    Ok(Json(SignInsResponse { success: true, sign_ins, has_more: next_cursor.is_some(), next_cursor }))
}
