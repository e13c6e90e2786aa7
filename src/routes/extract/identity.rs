//! The caller of a request. The layer of access control identifies the caller; the extractors pass it to the handlers.
//!
//! - A handler with [`Authenticated`] gets the principal that the layer found.
//! - A handler with [`OperatorOnly`] gets the operator that the layer found.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Response as Described};

use super::observed::Observed;
use super::params::operations;
use crate::app::SharedApp;
use crate::auth::key_secret;
use crate::auth::keys::{KeyHolder, KeyUse};
use crate::auth::service::Holder;
use crate::config::Secret;
use crate::domain::principal::{OperatorToken, Principal};
use crate::error::{Code, Problem, Result};
use crate::http::authorization::Authorization;

/// The principal of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The session of the request's access token; `None` if another issuer made the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentSession(pub Option<String>);

impl FromRequestParts<SharedApp> for CurrentSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> std::result::Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self(None)))
    }
}

/// An operator: the holder of `OPERATOR_TOKEN`, a user with the role `admin`, or an API key of such a user with the scope
/// `admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorOnly(pub Principal);

impl FromRequestParts<SharedApp> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unidentified)
    }
}

impl FromRequestParts<SharedApp> for OperatorOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unidentified)
    }
}

/// The rule of the operation admits callers that the layer does not identify.
fn unidentified() -> Problem {
    Problem::internal("access control has not identified the caller")
}

/// Returns the principal of the request, whose account exists, and the session.
///
/// # Errors
/// `unauthenticated` and `token_expired`; `bad_request` if the credentials are malformed.
pub async fn account(parts: &Parts, app: &SharedApp) -> Result<Holder> {
    let holder = match parts.extensions.get::<Authenticated>() {
        Some(Authenticated(known)) => Holder { principal: known.clone(), session: None },
        None => match credential(&parts.headers)? {
            Credential::Token(token) => app.accounts().identify(token).await?,
            Credential::Key(secret) => sender_of_key(&secret, parts, app).await?,
        },
    };
    Observed::principal_is(&parts.extensions, &holder.principal);
    Ok(holder)
}

/// Returns the principal of an API key. Leaves the use of the key in the extension [`UseOfKey`].
async fn sender_of_key(secret: &str, parts: &Parts, app: &SharedApp) -> Result<Holder> {
    let KeyHolder { principal, to_record } = app.keys().identify(secret).await?;
    if let (Some(UseOfKey(slot)), Some(used)) = (parts.extensions.get(), to_record) {
        let _ = slot.set(used);
    }
    Ok(Holder { principal, session: None })
}

/// The use of an API key by a request, to be recorded after the response has been sent. Empty if there is nothing to
/// record.
#[derive(Debug, Clone, Default)]
pub struct UseOfKey(pub Arc<OnceLock<KeyUse>>);

/// Returns the principal of a valid access token, whose account may no longer exist, or the principal of an API key.
///
/// # Errors
/// The same as of [`account`].
pub async fn holder(parts: &Parts, app: &SharedApp) -> Result<Holder> {
    let holder = match parts.extensions.get::<Authenticated>() {
        Some(Authenticated(known)) => Holder { principal: known.clone(), session: None },
        None => match credential(&parts.headers)? {
            Credential::Token(token) => {
                Holder { principal: Principal::user(app.accounts().holder(token)?), session: None }
            }
            Credential::Key(secret) => sender_of_key(&secret, parts, app).await?,
        },
    };
    Observed::principal_is(&parts.extensions, &holder.principal);
    Ok(holder)
}

/// Returns the operator who sends the request.
///
/// # Errors
/// The same as of [`account`]; `forbidden` if the caller is no operator.
pub async fn operator(parts: &Parts, app: &SharedApp) -> Result<OperatorOnly> {
    if let Authorization::Bearer(token) = Authorization::from_headers(&parts.headers) {
        let config = &app.config;
        let secrets = [
            (OperatorToken::Current, &config.operator_token),
            (OperatorToken::Next, &config.operator_token_next),
        ];
        let is_sent = |secret: &Secret| are_equal_secrets(secret.bytes(), token.as_bytes());
        if let Some((token, _)) = secrets.into_iter().find(|(_, secret)| secret.as_ref().is_some_and(is_sent))
        {
            let operator = Principal::Operator { token };
            Observed::principal_is(&parts.extensions, &operator);
            return Ok(OperatorOnly(operator));
        }
        Observed::operator_token_is_wrong(&parts.extensions);
    }
    let Holder { principal, .. } = account(parts, app).await?;
    if principal.may_operate() {
        return Ok(OperatorOnly(principal));
    }
    let detail = "This request needs the operator token, the access token of a user with the role admin, or an API key \
                  of such a user with the scope admin.";
    Err(Problem::new(Code::Forbidden, detail))
}

/// Adds the response 403 to the description of every operation that needs credentials.
pub fn describe_forbidden(paths: &mut Paths) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let is_open =
            operation.security.as_ref().is_some_and(|ways| ways.contains(&SecurityRequirement::default()));
        if !is_open {
            let forbidden = || RefOr::T(Described::new("forbidden: the credentials do not allow this"));
            operation.responses.responses.entry("403".to_owned()).or_insert_with(forbidden);
        }
    }
}

/// Compares the SHA-256 of two secrets in constant time. So an attacker cannot learn from the response time at which
/// byte the secrets differ, or whether their lengths differ.
fn are_equal_secrets(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// The credential of a request. It is not verified yet.
enum Credential<'a> {
    /// An access token.
    Token(&'a str),
    /// The secret of an API key.
    Key(Cow<'a, str>),
}

/// Returns the credential of a request. An API key is a bearer token, the password of `Basic` with any user name, or the
/// user name of `Basic` with an empty password.
///
/// # Errors
/// `unauthenticated` if the request has no credential; `bad_request` if the header is malformed (RFC 6750 §3.1).
fn credential(headers: &HeaderMap) -> Result<Credential<'_>> {
    match Authorization::from_headers(headers) {
        Authorization::Bearer(secret) if secret.starts_with(key_secret::PREFIX) => {
            Ok(Credential::Key(Cow::Borrowed(secret)))
        }
        Authorization::Bearer(token) => Ok(Credential::Token(token)),
        Authorization::Basic { user, password } => match (user, password) {
            (_, secret) if secret.starts_with(key_secret::PREFIX) => Ok(Credential::Key(Cow::Owned(secret))),
            (secret, password) if password.is_empty() && secret.starts_with(key_secret::PREFIX) => {
                Ok(Credential::Key(Cow::Owned(secret)))
            }
            _ => {
                let detail = "The password is no API key. With HTTP Basic, send an API key (cutty_…) as the password; the \
                              user name does not matter. The password of an account is only for POST /api/auth/login.";
                Err(Problem::new(Code::Unauthenticated, detail))
            }
        },
        Authorization::Absent => {
            let detail = "Send the header Authorization: Bearer <access token or API key>. POST /api/auth/login returns an \
                          access token.";
            Err(Problem::new(Code::Unauthenticated, detail))
        }
        Authorization::Malformed => {
            let detail = "The header Authorization is malformed. Send it once, as Bearer and one access token or API key, \
                          or as Basic.";
            Err(Problem::new(Code::BadRequest, detail).with("header", "authorization"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identical_secrets_compare_as_equal() {
        assert!(are_equal_secrets(b"secret", b"secret"));
        for other in [&b"secreT"[..], b"secret ", b"secre", b""] {
            assert!(!are_equal_secrets(b"secret", other));
        }
    }
}
