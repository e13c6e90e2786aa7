//! The signed-in user: the name, the email, and the deletion of the account.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::account::account_of;
use super::{cookie, no_store_response, with_cookie};
use crate::app::SharedApp;
use crate::audit::security::SecurityEvent;
use crate::auth::profile::ProfileChange;
use crate::auth::service::User;
use crate::auth::usage::UsageView;
use crate::domain::caller::Caller;
use crate::error::{Code, Problem, Result};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::identity::Authenticated;
use crate::routes::table::{Routes, route};

/// Returns the routes of this module.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_user, patch_profile)).route(route!(delete_account))
}

/// The signed-in user, with the user's quota and usage.
#[derive(Serialize, ToSchema)]
struct UserResponse {
    success: bool,
    user: User,
    usage: UsageView,
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

/// A change of the username or the email. An absent member changes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileRequest {
    /// The new username: 1 to 64 characters of `A-Z a-z 0-9 . _ + -`.
    username: Option<String>,
    /// The new email; null removes the email.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// The current password.
    current_password: String,
}

/// Reads a member that may be null. It is `None` only if it is absent.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The changed user.
#[derive(Serialize, ToSchema)]
struct ChangedUserResponse {
    success: bool,
    user: User,
}

/// Changes the username or the email of the signed-in user. A changed email is not verified, and links that were sent to
/// the old email no longer work. The sessions stay. A repeated request changes nothing. Costs 3 D1 calls.
#[utoipa::path(
    patch, path = "/api/auth/user", tag = "auth", security(("bearer" = [])), request_body = ProfileRequest,
    responses(
        (status = 200, description = "The changed user", body = ChangedUserResponse),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "unauthenticated or token_expired"),
        (status = 403, description = "forbidden: the current password is wrong, or the account has no password"),
        (status = 409, description = "user_exists: another account has the username or the email; or conflict: \
            another request changed the account meanwhile"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address, or for this account"),
    )
)]
async fn patch_profile(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    authenticated: Authenticated,
    JsonBody(body): JsonBody<ProfileRequest>,
) -> Result<Json<ChangedUserResponse>> {
    let user = account_of(&authenticated)?;
    if body.username.is_none() && body.email.is_none() {
        return Err(Problem::new(Code::BadRequest, "Send username or email, and current_password."));
    }
    app.admit_login(user.as_str(), &caller).await?;
    let change = ProfileChange {
        current: &body.current_password,
        username: body.username.as_deref(),
        email: body.email.as_ref().map(|email| email.as_deref().unwrap_or_default()),
        caller: &caller,
    };
    let changed = app.accounts().change_profile(user, &change).await;
    let failure = changed.as_ref().err().map(Problem::code);
    app.audit().report(&SecurityEvent::ChangeProfile { user: user.clone(), failure }, &caller);
    Ok(Json(ChangedUserResponse { success: true, user: changed? }))
}

/// The password that confirms the deletion.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeletionRequest {
    /// The current password.
    current_password: String,
}

/// The account is deleted.
#[derive(Serialize, ToSchema)]
struct AccountDeleted {
    success: bool,
}

/// Deletes the account of the signed-in user. This cannot be undone. From now on, the account, its sessions, its files
/// and its unfinished uploads cannot be reached, and other accounts can have its username and email. Names, texts and
/// addresses are erased within minutes; the bytes of the files are purged after `PURGE_AFTER_DAYS`. Costs 3 D1 calls.
#[utoipa::path(
    post, path = "/api/auth/user/delete", tag = "auth", security(("bearer" = [])), request_body = DeletionRequest,
    responses(
        (status = 200, description = "The account is deleted", body = AccountDeleted),
        (status = 400, description = "bad_request: a field is missing or not valid"),
        (status = 401, description = "unauthenticated or token_expired"),
        (status = 403, description = "forbidden: the current password is wrong, or the account has no password"),
        (status = 409, description = "conflict: another request changed the account meanwhile"),
        (status = 413, description = "too_large: a JSON body over 1 MiB"),
        (status = 415, description = "unsupported_type: the body is not JSON"),
        (status = 429, description = "rate_limited: too many attempts from this address, or for this account"),
    )
)]
async fn delete_account(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    authenticated: Authenticated,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<DeletionRequest>,
) -> Result<Response> {
    let user = account_of(&authenticated)?;
    app.admit_login(user.as_str(), &caller).await?;
    let deleted = app.accounts().close_account(user, &body.current_password, &caller).await;
    let failure = deleted.as_ref().err().map(Problem::code);
    app.audit().report(&SecurityEvent::DeleteAccount { user: user.clone(), failure }, &caller);
    deleted?;
    let cleared = cookie::check_same_origin(&headers, &uri).is_ok().then(cookie::cleared);
    Ok(with_cookie(StatusCode::OK, AccountDeleted { success: true }, cleared))
}
