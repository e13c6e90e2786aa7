//! `/api/keys`: the API keys of the signed-in user.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::body::{JsonBody, OptionalJsonBody};
use super::extract::identity::Authenticated;
use super::extract::name::checked_name;
use super::extract::params::Params;
use super::extract::storage::PathText;
use crate::app::SharedApp;
use crate::audit::security::{KeyAct, SecurityEvent};
use crate::auth::key_secret::KeySecret;
use crate::auth::keys::{DEFAULT_OVERLAP_S, KeyChange, KeyFacts, MAX_OVERLAP_S, NewKey, no_such_key};
use crate::domain::caller::Caller;
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::principal::{Principal, Scope, Scopes};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::expiry;
use crate::http::pagination::{self, Cursor, ListFingerprint};
use crate::http::tags::Tags;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(post_key, list_keys))
        .route(route!(patch_key, delete_key))
        .route(route!(rotate_key))
}

/// Maximum length of the name of a key, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// A permission of an API key.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ScopeName {
    /// List and read files, receipts and saved recipes.
    Read,
    /// Upload, change and delete files, and save recipes.
    Write,
    /// Cut files and count rows.
    Cut,
    /// Share files.
    Share,
    /// Use the administration, while you have the role `admin`.
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(scope: ScopeName) -> Self {
        match scope {
            ScopeName::Read => Self::Read,
            ScopeName::Write => Self::Write,
            ScopeName::Cut => Self::Cut,
            ScopeName::Share => Self::Share,
            ScopeName::Admin => Self::Admin,
        }
    }
}

/// An API key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyRequest {
    /// The name, unique among your keys: one line of at most 100 bytes.
    name: String,
    /// The operations that the key allows, at least one. `admin` is only for users with the role `admin`.
    scopes: Vec<ScopeName>,
    /// When the key expires: a date and time in the future with a time zone. The key does not expire if this is null or
    /// absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// A tag of 1 to 64 bytes. If it is present, the key sees only files that have this tag, and gives this tag to the
    /// files that it stores.
    #[serde(default)]
    tag: Option<String>,
}

/// A change of an API key. An absent member changes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyPatch {
    /// The new name; not null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    name: Option<String>,
    /// The new expiry; null if the key does not expire.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
}

/// Reads a member that is present. An absent member is `None`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A rotation of an API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateRequest {
    /// Seconds for which the older secrets still work: 0 to 604,800 (7 days), default 86,400 (24 hours).
    #[schema(minimum = 0, maximum = 604_800)]
    overlap: Option<u64>,
}

/// An API key and its new secret.
#[derive(Serialize, ToSchema)]
struct KeyWithSecret {
    success: bool,
    key: KeyFacts,
    /// The secret. It is shown only here.
    secret: String,
}

/// An API key.
#[derive(Serialize, ToSchema)]
struct KeyResponse {
    success: bool,
    key: KeyFacts,
}

/// A page of API keys.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeysResponse {
    success: bool,
    keys: Vec<KeyFacts>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// The page of a list of API keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct KeyListParams {
    /// Number of keys on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// An API key that was revoked.
#[derive(Serialize, ToSchema)]
struct KeyRevoked {
    success: bool,
}

/// Makes an API key for a script. The secret in the response is shown only once.
///
/// Send the secret as `Authorization: Bearer <secret>`, or as the password of HTTP Basic with any user name. You can have
/// 100 keys. If the response is lost, revoke the key, or rotate it to get another secret. Costs 2 D1 calls.
#[utoipa::path(post, path = "/api/keys", tag = "keys", security(("bearer" = [])), request_body = KeyRequest,
    responses((status = 201, body = KeyWithSecret),
        (status = 400, description = "bad_request or bad_metadata: a member is missing or not valid"),
        (status = 401), (status = 403, description = "forbidden: the scope admin without the role admin; or the credential is an API key"),
        (status = 409, description = "conflict: one of your keys has this name, or you have 100 keys"),
        (status = 413), (status = 415), (status = 422, description = "bad_name")))]
async fn post_key(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Authenticated(principal): Authenticated,
    JsonBody(body): JsonBody<KeyRequest>,
) -> Result<Response> {
    let user = account_of(&principal)?;
    let (name, scopes) = (key_name(&body.name)?, checked_scopes(&body.scopes)?);
    let (tag, expires_at) =
        (checked_tag(body.tag.as_deref())?, checked_expiry(&app, body.expires_at.as_deref())?);
    if scopes.contains(Scope::Admin) {
        if !principal.may_operate() {
            let detail =
                "Only a user with the role admin can make a key with the scope admin. Leave out this scope.";
            return Err(Problem::new(Code::Forbidden, detail).with("field", "scopes"));
        }
        if tag.is_some() {
            let detail = "A key with a tag cannot have the scope admin, because the administration is about all files. \
                          Leave out the tag or the scope.";
            return Err(Problem::new(Code::BadRequest, detail).with("field", "scopes"));
        }
    }
    let new = NewKey { name: &name, scopes: &scopes, tag: tag.as_deref(), expires_at };
    let (key, secret) = app.keys().make(user, &new, &caller).await?;
    report(&app, &caller, user, key.id, KeyAct::Make);
    let location = HeaderValue::from_str(&format!("/api/keys/{}", key.id)).map_err(Problem::internal)?;
    let mut response = with_secret(StatusCode::CREATED, key, &secret);
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Lists your API keys by name. No response shows a secret. Costs 2 D1 calls.
#[utoipa::path(get, path = "/api/keys", tag = "keys", security(("bearer" = [])), params(KeyListParams),
    responses((status = 200, body = KeysResponse), (status = 400), (status = 401)))]
async fn list_keys(
    State(app): State<SharedApp>,
    Authenticated(principal): Authenticated,
    Params(params): Params<KeyListParams>,
) -> Result<Json<KeysResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let fingerprint = ListFingerprint::of(&["keys"]);
    let cursor = params.cursor.as_deref().map(|cursor| Cursor::decode(cursor, fingerprint, false));
    let cursor = cursor.transpose().map_err(|error| Problem::new(Code::BadCursor, sentence(&error)))?;
    let after_name = cursor.as_ref().map_or("", |cursor| cursor.sort_key.as_str());
    let mut keys = app.keys().list(account_of(&principal)?, after_name, u64::from(limit) + 1).await?;
    let has_more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next_cursor = keys.last().filter(|_| has_more).and_then(|last| {
        let (sort_key, id) = (last.name.clone(), last.id.to_string());
        Cursor { sort_key, id, descending: false, fingerprint }.encode()
    });
    Ok(Json(KeysResponse { success: true, keys, has_more, next_cursor }))
}

/// Changes the name or the expiry of an API key. Costs 2 D1 calls.
#[utoipa::path(patch, path = "/api/keys/{id}", tag = "keys", security(("bearer" = [])), request_body = KeyPatch,
    params(("id" = String, Path, description = "Id of the key")),
    responses((status = 200, body = KeyResponse), (status = 400), (status = 401), (status = 404),
        (status = 409, description = "conflict: another of your keys has this name"), (status = 413), (status = 415),
        (status = 422, description = "bad_name")))]
async fn patch_key(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Authenticated(principal): Authenticated,
    PathText(id): PathText,
    JsonBody(body): JsonBody<KeyPatch>,
) -> Result<Json<KeyResponse>> {
    let (user, id) = (account_of(&principal)?, key_id(&id)?);
    let name = body.name.as_deref().map(key_name).transpose()?;
    let expires_at = match &body.expires_at {
        None => None,
        Some(text) => Some(checked_expiry(&app, text.as_deref())?),
    };
    let key = app.keys().change(user, id, &KeyChange { name: name.as_deref(), expires_at }, &caller).await?;
    report(&app, &caller, user, id, KeyAct::Change);
    Ok(Json(KeyResponse { success: true, key }))
}

/// Revokes an API key. From now on, no request is accepted with it. Costs 2 D1 calls.
#[utoipa::path(delete, path = "/api/keys/{id}", tag = "keys", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the key")),
    responses((status = 200, body = KeyRevoked), (status = 401), (status = 404)))]
async fn delete_key(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Authenticated(principal): Authenticated,
    PathText(id): PathText,
) -> Result<Json<KeyRevoked>> {
    let (user, id) = (account_of(&principal)?, key_id(&id)?);
    app.keys().revoke(user, id, &caller).await?;
    report(&app, &caller, user, id, KeyAct::Revoke);
    Ok(Json(KeyRevoked { success: true }))
}

/// Gives an API key a new secret, which is shown only once. The older secrets work until the overlap has ended.
///
/// A key has at most 5 secrets. If you rotate it more often within an overlap, the oldest secrets end. If the response is
/// lost, rotate the key again. Costs 2 D1 calls.
#[utoipa::path(post, path = "/api/keys/{id}/rotate", tag = "keys", security(("bearer" = [])), request_body = RotateRequest,
    params(("id" = String, Path, description = "Id of the key")),
    responses((status = 200, body = KeyWithSecret), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415)))]
async fn rotate_key(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    Authenticated(principal): Authenticated,
    PathText(id): PathText,
    OptionalJsonBody(body): OptionalJsonBody<RotateRequest>,
) -> Result<Response> {
    let (user, id) = (account_of(&principal)?, key_id(&id)?);
    let overlap_s = body.overlap.map_or(Ok(DEFAULT_OVERLAP_S), checked_overlap)?;
    let (key, secret) = app.keys().rotate(user, id, overlap_s, &caller).await?;
    report(&app, &caller, user, id, KeyAct::Rotate);
    Ok(with_secret(StatusCode::OK, key, &secret))
}

/// Makes a response that no cache keeps.
fn with_secret(status: StatusCode, key: KeyFacts, secret: &KeySecret) -> Response {
    let body = KeyWithSecret { success: true, key, secret: secret.as_str().to_owned() };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn report(app: &SharedApp, caller: &Caller, user: &UserId, key: ApiKeyId, act: KeyAct) {
    app.audit().report(&SecurityEvent::ApiKey { user: user.clone(), key, act }, caller);
}

fn account_of(principal: &Principal) -> Result<&UserId> {
    principal.owner().ok_or_else(|| Problem::internal("the principal has no account"))
}

fn key_id(text: &str) -> Result<ApiKeyId> {
    ApiKeyId::parse(text).ok_or_else(no_such_key)
}

fn key_name(text: &str) -> Result<String> {
    checked_name(text, MAX_NAME_BYTES, "Name the key after the program that uses it.")
}

/// Returns the scopes in a fixed order, each once.
fn checked_scopes(scopes: &[ScopeName]) -> Result<Scopes> {
    let asked = Scopes::of(scopes.iter().copied().map(Scope::from));
    if asked.is_empty() {
        let detail = "The key has no scopes. Name at least one of read, write, cut, share and admin.";
        return Err(Problem::new(Code::BadRequest, detail).with("field", "scopes"));
    }
    Ok(Scopes::of(Scope::ALL.into_iter().filter(|scope| asked.contains(*scope))))
}

fn checked_tag(tag: Option<&str>) -> Result<Option<String>> {
    let tags = Tags::from_values(tag)
        .map_err(|error| Problem::new(Code::BadMetadata, sentence(&error)).with("field", "tag"))?;
    Ok(tags.into_vec().pop())
}

fn checked_expiry(app: &SharedApp, text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let expiry = expiry::parse(text, app.now().instant())
        .map_err(|error| Problem::new(Code::BadMetadata, sentence(&error)).with("field", "expiresAt"))?;
    Ok(Some(Timestamp::new(expiry)))
}

fn checked_overlap(seconds: u64) -> Result<u32> {
    let checked = u32::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_OVERLAP_S);
    checked.ok_or_else(|| {
        let detail = format!("overlap must be a whole number of seconds from 0 to {MAX_OVERLAP_S}.");
        Problem::new(Code::BadRequest, detail).with("field", "overlap")
    })
}
