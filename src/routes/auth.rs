//! `/api/auth`: accounts and sessions.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::body::JsonBody;
use super::extract::identity::Authenticated;
use super::layers::idempotency::{describe_key, key_of, replayed};
use crate::app::{App, SharedApp};
use crate::audit::entry::{Action, Entry};
use crate::auth::names::parse_username;
use crate::auth::service::{Registration, Session, Tokens, User};
use crate::domain::caller::Caller;
use crate::domain::principal::Principal;
use crate::error::{Code, Problem, Result};
use crate::idempotency::fingerprint::RequestFingerprint;
use crate::idempotency::{Claim, Claimed, KeyScope, reused};
use crate::routes::table::{Routes, route};

/// The routes of this file.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(register).described_further(describe_key))
        .route(route!(login))
        .route(route!(refresh))
        .route(route!(logout))
        .route(route!(get_user))
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterRequest {
    /// 1 to 64 of `A-Z a-z 0-9 . _ + -`.
    username: String,
    /// Optional; can be used to log in.
    email: Option<String>,
    /// At least 8 characters, and none of the well-known ones.
    password: String,
    /// When given, must be the password again.
    password2: Option<String>,
}

impl RegisterRequest {
    fn wanted<'a>(&'a self, claim: Option<&'a Claim>) -> Registration<'a> {
        let email = self.email.as_deref().unwrap_or_default();
        Registration { username: &self.username, email, password: &self.password, claim }
    }
}

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// The user name (or the email).
    username: Option<String>,
    /// The email, in place of the user name.
    email: Option<String>,
    /// The password.
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// As register, login or refresh gave it last.
    refresh_token: String,
}

/// A user with tokens.
#[derive(Serialize, ToSchema)]
struct SessionResponse {
    success: bool,
    user: User,
    tokens: Tokens,
}

/// A new pair of tokens, also at top level for older clients.
#[derive(Serialize, ToSchema)]
struct RefreshResponse {
    success: bool,
    access_token: String,
    refresh_token: String,
    expires_in: u32,
    tokens: Tokens,
}

/// The signed-in user.
#[derive(Serialize, ToSchema)]
struct UserResponse {
    success: bool,
    user: User,
}

/// Nothing but success.
#[derive(Serialize, ToSchema)]
struct LogoutResponse {
    success: bool,
}

/// Make an account and log in.
///
/// With an `Idempotency-Key`, repeating the request after a lost answer opens a new session of the account it made. Costs
/// 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", security(()), request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account and its first tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing or unusable"),
        (status = 409, description = "user_exists"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 422, description = "weak_password"),
        (status = 429, description = "rate_limited: too many tries from this address"),
    )
)]
async fn register(
    State(app): State<SharedApp>,
    method: Method,
    uri: Uri,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RegisterRequest>,
) -> Result<Response> {
    app.admit_address(&caller).await?;
    if body.password2.as_ref().is_some_and(|repeated| *repeated != body.password) {
        let problem = Problem::new(Code::BadRequest, "password2 is not the same as password.");
        return Err(problem.with("field", "password2"));
    }
    let Some(key) = key_of(&headers)? else {
        let registered = app.accounts().register(body.wanted(None)).await;
        log_session(&app, Action::Register, &caller, &registered);
        return Ok(secret(StatusCode::CREATED, session_response(registered?)));
    };
    // The password is no part of the fingerprint: no quick hash of one may be stored.
    let target = [method.as_str(), uri.path(), &body.username, body.email.as_deref().unwrap_or_default()];
    let fingerprint = RequestFingerprint::of_parts(&target.map(str::as_bytes));
    let scope = KeyScope::registration(parse_username(&body.username)?);
    match app.claim(scope, key, &fingerprint).await? {
        Claimed::Ours(claim) => {
            let registered = app.accounts().register(body.wanted(Some(&claim))).await;
            log_session(&app, Action::Register, &caller, &registered);
            if registered.is_err() {
                app.release(&claim).await;
            }
            Ok(secret(StatusCode::CREATED, session_response(registered?)))
        }
        Claimed::Responded(..) | Claimed::Done(_) => register_again(&app, &caller, &body).await.map(replayed),
    }
}

/// The answer to a registration that has happened: tokens are not kept, so whoever knows the password gets new ones.
async fn register_again(app: &App, caller: &Caller, body: &RegisterRequest) -> Result<Response> {
    app.admit_account(&body.username).await?;
    let session = app.accounts().login(body.username.trim(), &body.password).await;
    log_session(app, Action::Login, caller, &session);
    match session {
        Ok(session) => Ok(secret(StatusCode::CREATED, session_response(session))),
        Err(problem) if problem.code() == Code::BadCredentials => Err(reused()),
        Err(problem) => Err(problem),
    }
}

/// Log in with a user name or email and a password. Costs 2 D1 calls.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", security(()), request_body = LoginRequest,
    responses(
        (status = 200, description = "The user and new tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing"),
        (status = 401, description = "bad_credentials"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many tries at this account or from this address"),
    )
)]
async fn login(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Result<Response> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let login = given(&body.username).or_else(|| given(&body.email)).ok_or_else(|| {
        Problem::new(Code::BadRequest, "Give a username or an email.").with("field", "username")
    })?;
    app.admit_login(&login, &caller).await?;
    let session = app.accounts().login(&login, &body.password).await;
    log_session(&app, Action::Login, &caller, &session);
    Ok(secret(StatusCode::OK, session_response(session?)))
}

/// Exchange a refresh token for a new pair of tokens; within 30 s a repeat gets the same pair. Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The new pair", body = RefreshResponse),
        (status = 400, description = "bad_request: a field is missing or unusable"),
        (status = 401, description = "token_expired, or unauthenticated: the session is over"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
    )
)]
async fn refresh(
    State(app): State<SharedApp>,
    JsonBody(body): JsonBody<RefreshTokenRequest>,
) -> Result<Response> {
    let tokens = app.accounts().refresh(&body.refresh_token).await?.tokens;
    let answer = RefreshResponse {
        success: true,
        access_token: tokens.access_token.clone(),
        refresh_token: tokens.refresh_token.clone(),
        expires_in: tokens.expires_in,
        tokens,
    };
    Ok(secret(StatusCode::OK, answer))
}

/// End the session a refresh token belongs to; a repeat changes nothing. Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The session is over", body = LogoutResponse),
        (status = 400, description = "bad_request: a field is missing or unusable"),
        (status = 401, description = "unauthenticated: not a refresh token"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
    )
)]
async fn logout(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<RefreshTokenRequest>,
) -> Result<Json<LogoutResponse>> {
    let user = app.accounts().logout(&body.refresh_token).await?;
    app.audit().log(&Entry::new(&app, Some(&Principal::user(user)), Action::Logout, &caller));
    Ok(Json(LogoutResponse { success: true }))
}

/// The signed-in user. Costs 2 D1 calls.
#[utoipa::path(
    get, path = "/api/auth/user", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = UserResponse),
        (status = 401, description = "unauthenticated or token_expired"),
    )
)]
async fn get_user(State(app): State<SharedApp>, authenticated: Authenticated) -> Result<Response> {
    let user = app.accounts().user(&authenticated.0).await?;
    Ok(secret(StatusCode::OK, UserResponse { success: true, user }))
}

/// Writes to the log that a session was opened, or not. Nobody is known where it was not, and what was typed is not
/// repeated: it may be a password in the wrong field.
fn log_session(app: &App, action: Action, caller: &Caller, outcome: &Result<Session>) {
    let entry = match outcome {
        Ok(session) => Entry::new(app, Some(&session.user.principal()), action, caller),
        Err(problem) => Entry::new(app, None, action, caller).failed(problem),
    };
    app.audit().log(&entry);
}

fn session_response(session: Session) -> SessionResponse {
    SessionResponse { success: true, user: session.user, tokens: session.tokens }
}

/// An answer nobody keeps (RFC 6749 §5.1).
fn secret(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
