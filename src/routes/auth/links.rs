//! Links that are sent by email: for a new password, and to verify an email.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::account_of;
use super::no_store_response;
use crate::app::SharedApp;
use crate::audit::security::SecurityEvent;
use crate::domain::caller::Caller;
use crate::error::{Problem, Result};
use crate::routes::extract::body::{JsonBody, NoMembers};
use crate::routes::extract::identity::Authenticated;
use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(request_reset))
        .route(route!(confirm_reset))
        .route(route!(request_verification))
        .route(route!(verify_email))
}

/// The address of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetRequest {
    /// The email of the account.
    email: String,
}

/// The request was accepted.
#[derive(Serialize, ToSchema)]
struct LinkRequested {
    success: bool,
}

/// Sends a link with which the owner of an email sets a new password. The response is the same, and takes the same work,
/// whether or not an account has this email: Cutty looks for the account later. The link is valid for 1 hour, works
/// once, and replaces older links. Messages for one account are at least 1 minute apart; the time grows up to 1 hour.
/// Costs 0 D1 calls and 1 queue message.
#[utoipa::path(
    post, path = "/api/auth/password/reset", tag = "auth", security(()), request_body = ResetRequest,
    responses(
        (status = 202, description = "If an account has this email, a link is sent", body = LinkRequested),
        (status = 400, description = "bad_request: this is not an email address"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address"),
        (status = 503, description = "unavailable: the service sends no email, or a part of it is unavailable"),
    )
)]
async fn request_reset(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<ResetRequest>,
) -> Result<Response> {
    app.admit_login(&body.email, &caller).await?;
    let requested = app.accounts().request_reset(&body.email).await;
    let failure = requested.as_ref().err().map(Problem::code);
    app.audit().report(&SecurityEvent::RequestReset { failure }, &caller);
    requested?;
    Ok(no_store_response(StatusCode::ACCEPTED, LinkRequested { success: true }))
}

/// A new password, and the token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetConfirmation {
    /// The token at the end of the link.
    token: String,
    /// At least 8 characters; not a commonly used password.
    new_password: String,
}

/// The link has done its work.
#[derive(Serialize, ToSchema)]
struct LinkUsed {
    success: bool,
}

/// Sets a new password with the token of a link. Every session of the user ends, and their access tokens are refused. The
/// email counts as verified. The response opens no session: sign in with the new password, also if the response is lost.
/// Costs 2 D1 calls.
#[utoipa::path(
    post, path = "/api/auth/password/reset/confirm", tag = "auth", security(()), request_body = ResetConfirmation,
    responses(
        (status = 200, description = "The password is set", body = LinkUsed),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 410, description = "gone: the link was used, was replaced, or has expired"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 422, description = "weak_password; the link can be used again"),
        (status = 429, description = "rate_limited: too many attempts from this address"),
    )
)]
async fn confirm_reset(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<ResetConfirmation>,
) -> Result<Json<LinkUsed>> {
    app.admit_address(&caller).await?;
    let set = app.accounts().reset_password(&body.token, &body.new_password, &caller).await;
    let outcome = set.clone().map_err(|problem| problem.code());
    app.audit().report(&SecurityEvent::ResetPassword(outcome), &caller);
    set.map(|_| Json(LinkUsed { success: true }))
}

/// Sends a link with which the signed-in user verifies the email. The link is valid for 24 hours and replaces older
/// links. Messages are at least 1 minute apart; the time grows up to 1 hour. Costs 2 D1 calls and 1 queue message.
#[utoipa::path(
    post, path = "/api/auth/email/verification", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 202, description = "A link is sent", body = LinkRequested),
        (status = 400, description = "bad_request: the body has members"),
        (status = 401, description = "unauthenticated or token_expired"),
        (status = 409, description = "conflict: the account has no email, or its email is verified"),
        (status = 413, description = "too_large"),
        (status = 415, description = "unsupported_type: the body has a content coding"),
        (status = 429, description = "rate_limited: a link was sent recently"),
        (status = 503, description = "unavailable: the service sends no email, or a part of it is unavailable"),
    )
)]
async fn request_verification(
    State(app): State<SharedApp>,
    authenticated: Authenticated,
    _: NoMembers,
) -> Result<Response> {
    app.accounts().request_verification(account_of(&authenticated)?).await?;
    Ok(no_store_response(StatusCode::ACCEPTED, LinkRequested { success: true }))
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EmailConfirmation {
    /// The token at the end of the link.
    token: String,
}

/// Verifies an email with the token of a link. A repeated request changes nothing. Costs 1 D1 call.
#[utoipa::path(
    post, path = "/api/auth/email/verify", tag = "auth", security(()), request_body = EmailConfirmation,
    responses(
        (status = 200, description = "The email is verified", body = LinkUsed),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 410, description = "gone: the link was replaced, has expired, or is for another email"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address"),
    )
)]
async fn verify_email(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<EmailConfirmation>,
) -> Result<Json<LinkUsed>> {
    app.admit_address(&caller).await?;
    let verified = app.accounts().verify_email(&body.token).await;
    let outcome = verified.clone().map_err(|problem| problem.code());
    app.audit().report(&SecurityEvent::VerifyEmail(outcome), &caller);
    verified.map(|_| Json(LinkUsed { success: true }))
}
