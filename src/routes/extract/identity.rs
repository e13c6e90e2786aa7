//! The caller of a request. The layer of access control identifies the caller; the extractors pass it to the handlers.
//!
//! - A handler with [`Authenticated`] gets the principal that the layer found.
//! - A handler with [`OperatorOnly`] gets the operator that the layer found.

use std::convert::Infallible;

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

/// An operator: the holder of `OPERATOR_TOKEN`, or a user with the role `admin`.
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
        None => app.accounts().identify(bearer_token(&parts.headers)?).await?,
    };
    Observed::principal_is(&parts.extensions, &holder.principal);
    Ok(holder)
}

/// Returns the principal of a valid access token. The account may no longer exist.
///
/// # Errors
/// The same as of [`account`].
pub fn holder(parts: &Parts, app: &SharedApp) -> Result<Holder> {
    let principal = match parts.extensions.get::<Authenticated>() {
        Some(Authenticated(known)) => known.clone(),
        None => Principal::user(app.accounts().holder(bearer_token(&parts.headers)?)?),
    };
    Observed::principal_is(&parts.extensions, &principal);
    Ok(Holder { principal, session: None })
}

/// Returns the operator who sends the request.
///
/// # Errors
/// The same as of [`account`]; `forbidden` if the caller is no operator.
pub async fn operator(parts: &Parts, app: &SharedApp) -> Result<OperatorOnly> {
    let token = bearer_token(&parts.headers)?;
    let config = &app.config;
    let secrets = [
        (OperatorToken::Current, &config.operator_token),
        (OperatorToken::Next, &config.operator_token_next),
    ];
    let is_sent = |secret: &Secret| are_equal_secrets(secret.bytes(), token.as_bytes());
    if let Some((token, _)) = secrets.into_iter().find(|(_, secret)| secret.as_ref().is_some_and(is_sent)) {
        return Ok(OperatorOnly(Principal::Operator { token }));
    }
    Observed::operator_token_is_wrong(&parts.extensions);
    let Holder { principal, .. } = app.accounts().identify(token).await?;
    Observed::principal_is(&parts.extensions, &principal);
    if principal.may_operate() {
        return Ok(OperatorOnly(principal));
    }
    let detail = "This request needs the operator token, or the access token of a user with the role admin.";
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

/// Returns the token of `Authorization: Bearer <token>`.
///
/// # Errors
/// `unauthenticated` if the request has no bearer token; `bad_request` if the header is malformed (RFC 6750 §3.1).
fn bearer_token(headers: &HeaderMap) -> Result<&str> {
    match Authorization::from_headers(headers) {
        Authorization::Bearer(token) => Ok(token),
        Authorization::Absent => {
            let detail = "Send the header Authorization: Bearer <access token>. POST /api/auth/login returns an access token.";
            Err(Problem::new(Code::Unauthenticated, detail))
        }
        Authorization::Malformed => {
            let detail =
                "The header Authorization is malformed. Send it once, as Bearer and one access token.";
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
