//! Extractors that authenticate requests.
//!
//! - A handler with [`Authenticated`] runs only for users with an account.
//! - A handler with [`OperatorOnly`] runs only for the operator token and for accounts with the role `admin`.
//! - A handler with [`TokenHolder`] runs for every valid access token. Code that the handler calls must check
//!   that the account exists.

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
use crate::domain::principal::Principal;
use crate::error::{Code, Problem, Result};
use crate::http::authorization::Authorization;

/// A signed-in user. The account was looked up for this request and exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The user of a valid access token. The account may no longer exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder(pub Principal);

/// An operator: the holder of `OPERATOR_TOKEN`, or a user with the role `admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorOnly(pub Principal);

impl FromRequestParts<SharedApp> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let principal = match parts.extensions.get::<Authenticated>() {
            Some(Authenticated(known)) => known.clone(),
            None => app.accounts().identify(bearer_token(&parts.headers)?).await?,
        };
        Observed::principal_is(&parts.extensions, &principal);
        Ok(Self(principal))
    }
}

impl FromRequestParts<SharedApp> for TokenHolder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let principal = match parts.extensions.get::<Authenticated>() {
            Some(Authenticated(known)) => known.clone(),
            None => Principal::user(app.accounts().holder(bearer_token(&parts.headers)?)?),
        };
        Observed::principal_is(&parts.extensions, &principal);
        Ok(Self(principal))
    }
}

impl FromRequestParts<SharedApp> for OperatorOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let token = bearer_token(&parts.headers)?;
        let secret = app.config.operator_token.as_ref();
        if secret.is_some_and(|secret| are_equal_secrets(secret.bytes(), token.as_bytes())) {
            return Ok(Self(Principal::Operator));
        }
        Observed::operator_token_is_wrong(&parts.extensions);
        let principal = app.accounts().identify(token).await?;
        Observed::principal_is(&parts.extensions, &principal);
        if principal.may_operate() {
            return Ok(Self(principal));
        }
        let detail =
            "This request needs the operator token, or the access token of a user with the role admin.";
        Err(Problem::new(Code::Forbidden, detail))
    }
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
