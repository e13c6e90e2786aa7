//! `/api/auth`: accounts and sessions.
//!
//! A client keeps its refresh token itself, or asks for a session in a cookie (`cookie.rs`). A session in a cookie is
//! for the pages of this origin: no script can read the refresh token, and requests from other sites are refused.

mod account;
mod cookie;
mod links;
mod profile;
mod sign_ins;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::audit::security::{SecurityEvent, SignInOutcome};
use crate::auth::names::parse_username;
use crate::auth::service::{Registration, Session, Tokens, User};
use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::error::{Code, Problem, Result};
use crate::idempotency::fingerprint::RequestFingerprint;
use crate::idempotency::{Claim, ClaimOutcome, KeyScope, reused};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::limits::Limits;
use crate::routes::layers::idempotency::{describe_key, key_of, mark_replayed};
use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(register).amend_description(describe_key))
        .route(route!(login))
        .route(route!(refresh))
        .route(route!(logout))
        .route(route!(get_session))
        .merge(profile::routes())
        .merge(account::routes())
        .merge(links::routes())
        .merge(sign_ins::routes())
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
    /// Where the refresh token goes; default `tokens`.
    #[serde(default)]
    session: SessionForm,
}

/// Where the refresh token of a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SessionForm {
    /// Into the response. The client keeps it.
    #[default]
    Tokens,
    /// Into a cookie that only this origin's `/api/auth` gets. Scripts cannot read it.
    Cookie,
}

impl SessionForm {
    /// Checks that a page of this origin asks for a session in a cookie. Otherwise another site could sign a visitor in
    /// to an account of its choice.
    fn check(self, headers: &HeaderMap, uri: &Uri) -> Result<()> {
        match self {
            Self::Tokens => Ok(()),
            Self::Cookie => cookie::check_same_origin(headers, uri),
        }
    }
}

impl RegisterRequest {
    fn registration<'a>(&'a self, claim: Option<&'a Claim>, caller: &'a Caller) -> Registration<'a> {
        let email = self.email.as_deref().unwrap_or_default();
        Registration { username: &self.username, email, password: &self.password, claim, caller }
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
    /// Where the refresh token goes; default `tokens`.
    #[serde(default)]
    session: SessionForm,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// The newest refresh token from register, login or refresh. If it is absent, the token in the cookie is used.
    refresh_token: Option<String>,
}

/// A pair of tokens.
#[derive(Clone, Serialize, ToSchema)]
struct TokensView {
    /// Access token, for `Authorization: Bearer`.
    access_token: String,
    /// Refresh token, for one call of `POST /api/auth/refresh`. Absent if it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Seconds until the access token expires.
    expires_in: u32,
}

/// A user with new tokens.
#[derive(Serialize, ToSchema)]
struct SessionResponse {
    success: bool,
    user: User,
    tokens: TokensView,
}

/// A new pair of tokens. Older clients read the tokens from the top level of the JSON. Newer clients read them from
/// `tokens`.
#[derive(Serialize, ToSchema)]
struct RefreshResponse {
    success: bool,
    /// The user of the session. A page must not use the tokens for another user, who may have signed in meanwhile.
    user: User,
    #[serde(flatten)]
    top: TokensView,
    tokens: TokensView,
}

/// The session of the cookie.
#[derive(Serialize, ToSchema)]
struct CookieSessionResponse {
    success: bool,
    /// Null if the request has no cookie, or if its session is over.
    session: Option<CookieSession>,
}

/// A user whose session is in the cookie.
#[derive(Serialize, ToSchema)]
struct CookieSession {
    user: User,
    /// Access token, for `Authorization: Bearer`.
    access_token: String,
    /// Seconds until the access token expires.
    expires_in: u32,
}

/// Response of a logout.
#[derive(Serialize, ToSchema)]
struct LogoutResponse {
    success: bool,
}

/// Creates an account and signs in.
///
/// With an `Idempotency-Key`, a repeated request opens a new session for the account that the first request created.
/// Costs 1 D1 call and 1 Durable Object request for the rate limit.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", security(()), request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account and its first tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 403, description = "forbidden: a page of another origin sent a request for a session in a cookie"),
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
    Extension(limits): Extension<Limits>,
    JsonBody(body): JsonBody<RegisterRequest>,
) -> Result<Response> {
    body.session.check(&headers, &uri)?;
    app.admit_address(&caller).await?;
    if body.password2.as_ref().is_some_and(|repeated| *repeated != body.password) {
        let problem = Problem::new(
            Code::BadRequest,
            "The fields password and password2 differ. Send the same password in both.",
        );
        return Err(problem.with("field", "password2"));
    }
    let Some(key) = key_of(&headers)? else {
        let registered = register_limited(&app, &limits, body.registration(None, &caller)).await;
        report(&app, SecurityEvent::Register, &caller, &registered);
        return session_response(StatusCode::CREATED, registered?, body.session, &app);
    };
    // The fingerprint does not include the password, because a fast hash of a password must not be stored.
    let target = [method.as_str(), uri.path(), &body.username, body.email.as_deref().unwrap_or_default()];
    let fingerprint = RequestFingerprint::of_parts(&target.map(str::as_bytes));
    let scope = KeyScope::registration(parse_username(&body.username)?);
    match app.claim(scope, key, &fingerprint).await? {
        ClaimOutcome::Acquired(claim) => {
            let registered = register_limited(&app, &limits, body.registration(Some(&claim), &caller)).await;
            report(&app, SecurityEvent::Register, &caller, &registered);
            if registered.is_err() {
                app.release(&claim).await;
            }
            session_response(StatusCode::CREATED, registered?, body.session, &app)
        }
        ClaimOutcome::Replayed(..) | ClaimOutcome::EffectRecorded(_) => {
            register_again((&app, &limits), &caller, &body).await.map(mark_replayed)
        }
    }
}

/// Registers an account, unless there were too many registrations from the address. An invalid registration does not
/// count.
async fn register_limited(app: &App, limits: &Limits, wanted: Registration<'_>) -> Result<Session> {
    app.accounts().check_registration(&wanted)?;
    limits.admit_sign_up(wanted.caller).await?;
    app.accounts().register(wanted).await
}

/// Responds to a repeated registration. The tokens of the first response are not stored. So this function signs the
/// user in with the password of the repeated request, and the response has new tokens.
async fn register_again(
    (app, limits): (&App, &Limits),
    caller: &Caller,
    body: &RegisterRequest,
) -> Result<Response> {
    app.admit_account(&body.username, caller).await?;
    let attempt = app.begin_attempt(&body.username, caller).await?;
    let (session, account) = app.accounts().login(body.username.trim(), &body.password, caller).await;
    limits.settle_later(attempt.ended(&session));
    report_sign_in(app, caller, &session, account);
    match session {
        Ok(session) => session_response(StatusCode::CREATED, session, body.session, app),
        Err(problem) if problem.code() == Code::BadCredentials => Err(reused()),
        Err(problem) => Err(problem),
    }
}

/// Signs a user in. The request names the user by username or email, and has the password. Costs 2 D1 calls
/// and 2 Durable Object requests for the delay after failures.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", security(()), request_body = LoginRequest,
    responses(
        (status = 200, description = "The user and new tokens", body = SessionResponse),
        (status = 400, description = "bad_request: a field is missing"),
        (status = 401, description = "bad_credentials"),
        (status = 403, description = "forbidden: a page of another origin sent a request for a session in a cookie"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address, or for this account"),
    )
)]
async fn login(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
    Extension(limits): Extension<Limits>,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Result<Response> {
    body.session.check(&headers, &uri)?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let login = given(&body.username).or_else(|| given(&body.email)).ok_or_else(|| {
        Problem::new(Code::BadRequest, "Send a username or an email.").with("field", "username")
    })?;
    app.admit_login(&login, &caller).await?;
    let attempt = app.begin_attempt(&login, &caller).await?;
    let (session, account) = app.accounts().login(&login, &body.password, &caller).await;
    limits.settle_later(attempt.ended(&session));
    report_sign_in(&app, &caller, &session, account);
    session_response(StatusCode::OK, session?, body.session, &app)
}

/// Exchanges a refresh token for a new pair of tokens. If a client sends the old refresh token again within 30 s, the
/// response has the same new refresh token. Costs 1 D1 call. If several cookies have a token, 1 more D1 read for each
/// token until one is valid; Cutty reads at most 4 cookies.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The new pair", body = RefreshResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "token_expired, or unauthenticated: the session is over"),
        (status = 403, description = "forbidden: a page of another origin sent a request for a session in a cookie"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
    )
)]
async fn refresh(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<RefreshTokenRequest>,
) -> Result<Response> {
    let (tokens, form) = sent_tokens(body, &headers, &uri)?;
    let token = live_token(&app, tokens).await?;
    let Session { user, tokens } = app.accounts().refresh(&token, &caller).await?;
    app.audit().report(&SecurityEvent::Refresh { user: user.id.clone() }, &caller);
    let (tokens, cookie) = tokens_view(tokens, form, &app)?;
    let body = RefreshResponse { success: true, user, top: tokens.clone(), tokens };
    Ok(with_cookie(StatusCode::OK, body, cookie))
}

/// Ends the session of a refresh token. A repeated request changes nothing. Without a token, a page of this origin ends
/// the session of the cookie, even if there is no cookie or nobody can read it. Costs 1 D1 call; if several cookies have
/// a token (Cutty reads at most 4), 1 for each.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", security(()), request_body = RefreshTokenRequest,
    responses(
        (status = 200, description = "The session is over", body = LogoutResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "unauthenticated: the text is not a refresh token"),
        (status = 403, description = "forbidden: a page of another origin sent a request for a session in a cookie"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
    )
)]
async fn logout(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<RefreshTokenRequest>,
) -> Result<Response> {
    let form = if body.refresh_token.is_none() { SessionForm::Cookie } else { SessionForm::Tokens };
    let ended = match sent_tokens(body, &headers, &uri) {
        Ok((tokens, _)) => end_sessions(&app, &tokens, &caller).await,
        Err(problem) => Err(problem),
    };
    match ended {
        Ok(user) => app.audit().report(&SecurityEvent::SignOut { user }, &caller),
        // The page must be able to sign out, and to get rid of the cookie, which it cannot delete itself.
        Err(problem) if form == SessionForm::Cookie && problem.code() == Code::Unauthenticated => {
            cookie::check_same_origin(&headers, &uri).map_err(|_| problem)?;
        }
        Err(problem) => return Err(problem),
    }
    let cookie = (form == SessionForm::Cookie).then(cookie::cleared);
    Ok(with_cookie(StatusCode::OK, LogoutResponse { success: true }, cookie))
}

/// Returns the session of the cookie: the user, and an access token. Without a session, `session` is null, so a page can
/// ask on its first visit without an error. The refresh token stays as it is. Costs 1 D1 read, or none without a cookie;
/// if several cookies have a token (Cutty reads at most 4), 1 for each until one is valid.
#[utoipa::path(
    get, path = "/api/auth/session", tag = "auth", security(()),
    responses((status = 200, description = "The session, or null", body = CookieSessionResponse))
)]
async fn get_session(State(app): State<SharedApp>, headers: HeaderMap, uri: Uri) -> Result<Response> {
    let mut session = None;
    if cookie::check_same_origin(&headers, &uri).is_ok() {
        for token in cookie::tokens(&headers) {
            session = app.accounts().session_of(&token).await?;
            if session.is_some() {
                break;
            }
        }
    }
    let session = session.map(|(user, access)| CookieSession {
        user,
        access_token: access.text,
        expires_in: access.expires_in,
    });
    Ok(no_store_response(StatusCode::OK, CookieSessionResponse { success: true, session }))
}

/// Returns the refresh tokens of a request, at least one, and where they were. There are several tokens only if several
/// cookies have the name of the cookie. A token in a cookie counts only if a page of this origin sent the request.
fn sent_tokens(
    body: RefreshTokenRequest,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(Vec<String>, SessionForm)> {
    if let Some(token) = body.refresh_token {
        return Ok((vec![token], SessionForm::Tokens));
    }
    let tokens = cookie::tokens(headers);
    if tokens.is_empty() {
        let detail =
            "Send refresh_token, or sign in with \"session\": \"cookie\". There is no cookie with a session.";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    cookie::check_same_origin(headers, uri)?;
    Ok((tokens, SessionForm::Cookie))
}

/// Returns the first of several tokens whose session is not over; the first token if there is no such token. A spent
/// token is not exchanged if another token is valid, because the exchange of a spent token ends its session.
async fn live_token(app: &App, tokens: Vec<String>) -> Result<String> {
    if tokens.len() > 1 {
        for token in &tokens {
            if app.accounts().session_of(token).await?.is_some() {
                return Ok(token.clone());
            }
        }
    }
    tokens.into_iter().next().ok_or_else(|| Problem::internal("the request has no refresh token"))
}

/// Ends the sessions of all tokens, and returns the user of the first session that was ended.
///
/// # Errors
/// `unauthenticated` if no text is a refresh token; `unavailable` if the database failed.
async fn end_sessions(app: &App, tokens: &[String], caller: &Caller) -> Result<UserId> {
    let (mut ended, mut refused) = (None, None);
    for token in tokens {
        match app.accounts().logout(token, caller).await {
            Ok(user) => ended = ended.or(Some(user)),
            Err(problem) if problem.code() == Code::Unauthenticated => refused = Some(problem),
            Err(problem) => return Err(problem),
        }
    }
    let no_token = || Problem::internal("the request has no refresh token");
    ended.ok_or_else(|| refused.unwrap_or_else(no_token))
}

/// Logs whether a session was opened. The event never contains the username that was sent, because users sometimes type
/// their password in the field for the username.
fn report(app: &App, event: fn(SignInOutcome) -> SecurityEvent, caller: &Caller, opened: &Result<Session>) {
    let outcome = opened.as_ref().map(|session| session.user.id.clone()).map_err(Problem::code);
    app.audit().report(&event(outcome), caller);
}

fn report_sign_in(app: &App, caller: &Caller, opened: &Result<Session>, account: Option<UserId>) {
    let outcome = opened.as_ref().map(|session| session.user.id.clone()).map_err(Problem::code);
    app.audit().report(&SecurityEvent::SignIn { outcome, account }, caller);
}

fn session_response(status: StatusCode, session: Session, form: SessionForm, app: &App) -> Result<Response> {
    let (tokens, cookie) = tokens_view(session.tokens, form, app)?;
    Ok(with_cookie(status, SessionResponse { success: true, user: session.user, tokens }, cookie))
}

/// Returns the tokens for the response, and the cookie with the refresh token if the session is in a cookie.
fn tokens_view(tokens: Tokens, form: SessionForm, app: &App) -> Result<(TokensView, Option<HeaderValue>)> {
    let Tokens { access_token, refresh_token, expires_in } = tokens;
    let (refresh_token, cookie) = match form {
        SessionForm::Tokens => (Some(refresh_token), None),
        SessionForm::Cookie => {
            (None, Some(cookie::with_token(&refresh_token, app.config.refresh_token_ttl_s)?))
        }
    };
    Ok((TokensView { access_token, refresh_token, expires_in }, cookie))
}

fn with_cookie(status: StatusCode, body: impl Serialize, cookie: Option<HeaderValue>) -> Response {
    let mut response = no_store_response(status, body);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Makes a response with `Cache-Control: no-store` (RFC 6749 §5.1).
fn no_store_response(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
