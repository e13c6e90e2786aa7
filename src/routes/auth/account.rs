//! The account of the signed-in user: its password and its sessions.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{SessionForm, SessionResponse, cookie, session_response, with_cookie};
use crate::app::SharedApp;
use crate::audit::security::SecurityEvent;
use crate::auth::sessions::{PasswordChange, SessionFacts};
use crate::domain::caller::Caller;
use crate::domain::ids::{TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::pagination;
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::identity::{Authenticated, CurrentSession};
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::PathText;
use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(change_password))
        .route(route!(list_sessions, end_all_sessions))
        .route(route!(end_session))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    /// The current password.
    current_password: String,
    /// At least 8 characters; not a commonly used password.
    new_password: String,
    /// Where the refresh token of the new session goes; default `tokens`.
    #[serde(default)]
    session: SessionForm,
}

/// Changes the password. Every session of the user ends, and their access tokens are refused (`HEAD` and `PATCH` of a tus
/// upload accept an access token until it expires). The response has the
/// tokens of a new session. If the response is lost, sign in with the new password. Costs 3 D1 calls.
#[utoipa::path(
    post, path = "/api/auth/password", tag = "auth", security(("bearer" = [])), request_body = PasswordRequest,
    responses(
        (status = 200, description = "The user and new tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "unauthenticated or token_expired"),
        (status = 403, description = "forbidden: the current password is wrong; or a page of another origin sent a \
            request for a session in a cookie"),
        (status = 409, description = "conflict: another request changed the account meanwhile"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 422, description = "weak_password"),
        (status = 429, description = "rate_limited: too many attempts from this address, or for this account"),
    )
)]
async fn change_password(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    authenticated: Authenticated,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<PasswordRequest>,
) -> Result<Response> {
    body.session.check(&headers, &uri)?;
    let user = account_of(&authenticated)?;
    app.admit_login(&String::from(user.clone()), &caller).await?;
    let change = PasswordChange { current: &body.current_password, new: &body.new_password, caller: &caller };
    let session = app.accounts().change_password(user, &change).await;
    let failure = session.as_ref().err().map(Problem::code);
    app.audit().report(&SecurityEvent::ChangePassword { user: user.clone(), failure }, &caller);
    session_response(StatusCode::OK, session?, body.session, &app)
}

/// A session of the signed-in user.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountSession)]
struct SessionView {
    /// Id of the session.
    id: String,
    /// When the user signed in.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When the session got its newest refresh token. An access token may have been used until 15 minutes later.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When the session ends if its refresh token is not exchanged before.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// User agent of the sign-in, at most 256 characters; null if it is not known.
    user_agent: Option<String>,
    /// Whether this request belongs to the session.
    is_current: bool,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
struct SessionsResponse {
    success: bool,
    sessions: Vec<SessionView>,
    /// Whether there are more sessions after this page.
    has_more: bool,
    /// The value of `cursor` for the next page; null after the last page.
    next_cursor: Option<String>,
}

/// The page of a list of sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SessionParams {
    /// Number of sessions on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the sessions of the signed-in user that are not over, those used last first. Costs 2 D1 calls.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "auth", security(("bearer" = [])), params(SessionParams),
    responses(
        (status = 200, body = SessionsResponse),
        (status = 400, description = "bad_request or bad_cursor"),
        (status = 401, description = "unauthenticated or token_expired"),
    )
)]
async fn list_sessions(
    State(app): State<SharedApp>,
    authenticated: Authenticated,
    CurrentSession(current): CurrentSession,
    Params(params): Params<SessionParams>,
) -> Result<Json<SessionsResponse>> {
    let limit = u64::from(pagination::parse_limit(params.limit.as_deref())?);
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(TokenId::parse(text).ok_or_else(bad_cursor)?),
    };
    let mut found = app.accounts().sessions(account_of(&authenticated)?, before, limit + 1).await?;
    let has_more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.token.to_string());
    let sessions = found.into_iter().map(|session| view(session, current.as_deref())).collect();
    Ok(Json(SessionsResponse { success: true, sessions, has_more, next_cursor }))
}

fn view(session: SessionFacts, current: Option<&str>) -> SessionView {
    let id = session.id.to_string();
    SessionView {
        is_current: current == Some(id.as_str()),
        id,
        started_at: session.started_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent,
    }
}

/// One or all sessions are over.
#[derive(Serialize, ToSchema)]
struct SessionsEnded {
    success: bool,
}

/// Ends a session of the signed-in user. Its access tokens are refused from now on. A repeated request changes nothing.
/// Costs 2 D1 calls.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the session")),
    responses(
        (status = 200, description = "The session is over", body = SessionsEnded),
        (status = 401, description = "unauthenticated or token_expired"),
        (status = 404, description = "not_found: the user never had this session"),
    )
)]
async fn end_session(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    authenticated: Authenticated,
    PathText(id): PathText,
) -> Result<Json<SessionsEnded>> {
    let user = account_of(&authenticated)?;
    app.accounts().end_session(user, &id, &caller).await?;
    app.audit().report(&SecurityEvent::EndSessions { user: user.clone() }, &caller);
    Ok(Json(SessionsEnded { success: true }))
}

/// Signs the user out everywhere: ends all sessions, the one of this request too. All access tokens of the user are
/// refused from now on, also those of other issuers. Costs 2 D1 calls.
#[utoipa::path(
    delete, path = "/api/auth/sessions", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "All sessions are over", body = SessionsEnded),
        (status = 401, description = "unauthenticated or token_expired"),
    )
)]
async fn end_all_sessions(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    authenticated: Authenticated,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response> {
    let user = account_of(&authenticated)?;
    app.accounts().end_all_sessions(user, &caller).await?;
    app.audit().report(&SecurityEvent::EndSessions { user: user.clone() }, &caller);
    let cleared = cookie::check_same_origin(&headers, &uri).is_ok().then(cookie::cleared);
    Ok(with_cookie(StatusCode::OK, SessionsEnded { success: true }, cleared))
}

/// Returns the id of the signed-in user.
///
/// # Errors
/// `internal` if the principal has no account.
pub(super) fn account_of(Authenticated(principal): &Authenticated) -> Result<&UserId> {
    principal.owner().ok_or_else(|| Problem::internal("the principal has no account"))
}

fn bad_cursor() -> Problem {
    Problem::new(Code::BadCursor, "Send next_cursor of the page before, or no cursor for the first page.")
}
