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
use super::layers::idempotency::{describe_key, key_of, mark_replayed};
use crate::app::{App, SharedApp};
use crate::audit::security::{SecurityEvent, SignInOutcome};
use crate::auth::names::parse_username;
use crate::auth::service::{Registration, Session, Tokens, User};
use crate::auth::usage::UsageView;
use crate::domain::caller::Caller;
use crate::error::{Code, Problem, Result};
use crate::idempotency::fingerprint::RequestFingerprint;
use crate::idempotency::{Claim, ClaimOutcome, KeyScope, reused};
use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(register).amend_description(describe_key))
        .route(route!(login))
        .route(route!(refresh))
        .route(route!(logout))
        .route(route!(get_user))
}

/// Data of a new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterRequest {
    /// 1 to 64 characters of `A-Z a-z 0-9 . _ + -`.
    username: String,
    /// Optional email. The user can sign in with the email instead of the username.
    email: Option<String>,
    /// At least 8 characters; not a commonly used password.
    password: String,
    /// Optional; must be equal to `password`.
    password2: Option<String>,
}

impl RegisterRequest {
    fn registration<'a>(&'a self, claim: Option<&'a Claim>) -> Registration<'a> {
        let email = self.email.as_deref().unwrap_or_default();
        Registration { username: &self.username, email, password: &self.password, claim }
    }
}

/// Credentials of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// Username or email.
    username: Option<String>,
    /// Email, if `username` is absent.
    email: Option<String>,
    /// Password.
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// The newest refresh token from register, login or refresh.
    refresh_token: String,
}

/// A user with new tokens.
#[derive(Serialize, ToSchema)]
struct SessionResponse {
    success: bool,
    user: User,
    tokens: Tokens,
}

/// A new pair of tokens. Older clients read the tokens from the top level of the JSON. Newer clients read them from
/// `tokens`.
#[derive(Serialize, ToSchema)]
struct RefreshResponse {
    success: bool,
    access_token: String,
    refresh_token: String,
    expires_in: u32,
    tokens: Tokens,
}

/// The signed-in user, with the user's quota and usage.
#[derive(Serialize, ToSchema)]
struct UserResponse {
    success: bool,
    user: User,
    usage: UsageView,
}

/// Response of a logout.
#[derive(Serialize, ToSchema)]
struct LogoutResponse {
    success: bool,
}

/// Creates an account and signs in.
///
/// With an `Idempotency-Key`, a repeated request opens a new session for the account that the first request created.
/// Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", security(()), request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account and its first tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 409, description = "user_exists"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 422, description = "weak_password"),
        (status = 429, description = "rate_limited: too many attempts from this address"),
        (status = 507, description = "quota_exceeded: the service admits no more accounts"),
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
        let problem = Problem::new(
            Code::BadRequest,
            "The fields password and password2 differ. Send the same password in both.",
        );
        return Err(problem.with("field", "password2"));
    }
    let Some(key) = key_of(&headers)? else {
        let registered = app.accounts().register(body.registration(None)).await;
        report(&app, SecurityEvent::Register, &caller, &registered);
        return Ok(no_store_response(StatusCode::CREATED, session_response(registered?)));
    };
    // The fingerprint does not include the password, because a fast hash of a password must not be stored.
    let target = [method.as_str(), uri.path(), &body.username, body.email.as_deref().unwrap_or_default()];
    let fingerprint = RequestFingerprint::of_parts(&target.map(str::as_bytes));
    let scope = KeyScope::registration(parse_username(&body.username)?);
    match app.claim(scope, key, &fingerprint).await? {
        ClaimOutcome::Acquired(claim) => {
            let registered = app.accounts().register(body.registration(Some(&claim))).await;
            report(&app, SecurityEvent::Register, &caller, &registered);
            if registered.is_err() {
                app.release(&claim).await;
            }
            Ok(no_store_response(StatusCode::CREATED, session_response(registered?)))
        }
        ClaimOutcome::Replayed(..) | ClaimOutcome::EffectRecorded(_) => {
            register_again(&app, &caller, &body).await.map(mark_replayed)
        }
    }
}

/// Responds to a repeated registration. The tokens of the first response are not stored. So this function signs the
/// user in with the password of the repeated request, and the response has new tokens.
async fn register_again(app: &App, caller: &Caller, body: &RegisterRequest) -> Result<Response> {
    app.admit_account(&body.username, caller).await?;
    let session = app.accounts().login(body.username.trim(), &body.password).await;
    report(app, SecurityEvent::SignIn, caller, &session);
    match session {
        Ok(session) => Ok(no_store_response(StatusCode::CREATED, session_response(session))),
        Err(problem) if problem.code() == Code::BadCredentials => Err(reused()),
        Err(problem) => Err(problem),
    }
}

/// Signs a user in. The request names the user by username or email, and has the password. Costs 2 D1 calls.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", security(()), request_body = LoginRequest,
    responses(
        (status = 200, description = "The user and new tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing"),
        (status = 401, description = "bad_credentials"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address, or for this account"),
    )
)]
async fn login(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Result<Response> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let login = given(&body.username).or_else(|| given(&body.email)).ok_or_else(|| {
        Problem::new(Code::BadRequest, "Send a username or an email.").with("field", "username")
    })?;
    app.admit_login(&login, &caller).await?;
    let session = app.accounts().login(&login, &body.password).await;
    report(&app, SecurityEvent::SignIn, &caller, &session);
    Ok(no_store_response(StatusCode::OK, session_response(session?)))
}

/// Exchanges a refresh token for a new pair of tokens. If a client sends the old refresh token again within 30 s, the
/// response has the same new refresh token. Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The new pair", body = RefreshResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "token_expired, or unauthenticated: the session is over"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
    )
)]
async fn refresh(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<RefreshTokenRequest>,
) -> Result<Response> {
    let tokens = app.accounts().refresh(&body.refresh_token, &caller).await?.tokens;
    let body = RefreshResponse {
        success: true,
        access_token: tokens.access_token.clone(),
        refresh_token: tokens.refresh_token.clone(),
        expires_in: tokens.expires_in,
        tokens,
    };
    Ok(no_store_response(StatusCode::OK, body))
}

/// Ends the session of a refresh token. A repeated request changes nothing. Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The session is over", body = LogoutResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "unauthenticated: the text is not a refresh token"),
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
    app.audit().report(&SecurityEvent::SignOut { user }, &caller);
    Ok(Json(LogoutResponse { success: true }))
}

/// Returns the signed-in user, with the user's quota and usage. Costs 2 D1 calls.
#[utoipa::path(
    get, path = "/api/auth/user", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = UserResponse),
        (status = 401, description = "unauthenticated or token_expired"),
    )
)]
async fn get_user(State(app): State<SharedApp>, authenticated: Authenticated) -> Result<Response> {
    let (user, usage) = app.accounts().user_and_usage(&authenticated.0).await?;
    Ok(no_store_response(StatusCode::OK, UserResponse { success: true, user, usage }))
}

/// Logs whether a session was opened. The event never contains the username that was sent, because users sometimes type
/// their password in the field for the username.
fn report(app: &App, event: fn(SignInOutcome) -> SecurityEvent, caller: &Caller, opened: &Result<Session>) {
    let outcome = opened.as_ref().map(|session| session.user.id.clone()).map_err(Problem::code);
    app.audit().report(&event(outcome), caller);
}

fn session_response(session: Session) -> SessionResponse {
    SessionResponse { success: true, user: session.user, tokens: session.tokens }
}

/// Makes a response with `Cache-Control: no-store` (RFC 6749 §5.1).
fn no_store_response(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
