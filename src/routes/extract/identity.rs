//! Who is asking: the extractors that guard routes. A handler that takes [`Authenticated`] cannot run for a stranger, one
//! that takes [`OperatorOnly`] only for an administrator's account or the operator's token. [`Holder`] is for what looks at
//! accounts by itself.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Response as Described};

use super::params::operations;
use crate::app::SharedApp;
use crate::audit::entry::{Action, Entry};
use crate::domain::caller::Caller;
use crate::domain::principal::Principal;
use crate::error::{Code, Problem, Result};

/// Whoever has files of their own to ask for: a signed-in user, whose account exists at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// Whom a valid access token was issued to. Nobody has looked yet whether their account still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(pub Principal);

/// Whoever may operate the service: `OPERATOR_TOKEN`, or a user with the role `admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorOnly(pub Principal);

impl FromRequestParts<SharedApp> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        match parts.extensions.get::<Authenticated>() {
            Some(known) => Ok(known.clone()),
            None => app.accounts().identify(bearer_token(&parts.headers)?).await.map(Self),
        }
    }
}

impl FromRequestParts<SharedApp> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        match parts.extensions.get::<Authenticated>() {
            Some(Authenticated(known)) => Ok(Self(known.clone())),
            None => app.accounts().holder(bearer_token(&parts.headers)?).map(Principal::user).map(Self),
        }
    }
}

impl FromRequestParts<SharedApp> for OperatorOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self> {
        let token = bearer_token(&parts.headers)?;
        if app.config.operator_token.as_ref().is_some_and(|secret| is_same(secret.bytes(), token.as_bytes()))
        {
            return Ok(Self(Principal::Operator));
        }
        let principal = app.accounts().identify(token).await?;
        if principal.may_operate() {
            return Ok(Self(principal));
        }
        let detail = "This needs an account with the role admin, or the operator's token.";
        let problem = Problem::new(Code::Forbidden, detail);
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        app.audit().log(&Entry::new(app, Some(&principal), Action::Refuse, &caller).failed(&problem));
        Err(problem)
    }
}

/// Says of every operation that needs credentials what it answers where they do not allow it.
pub fn describe_forbidden(paths: &mut Paths) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let is_open =
            operation.security.as_ref().is_some_and(|ways| ways.contains(&SecurityRequirement::default()));
        if !is_open {
            let forbidden = || RefOr::T(Described::new("forbidden: these credentials do not allow it"));
            operation.responses.responses.entry("403".to_owned()).or_insert_with(forbidden);
        }
    }
}

/// Compares in a time that tells neither where two secrets differ nor how long they are.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1). Two such headers are refused, also in the form
/// `a, b` in which the platform joins them: whoever put a second one there should not be the one who is believed.
fn bearer_token(headers: &HeaderMap) -> Result<&str> {
    let refuse = |detail: &str| Problem::new(Code::Unauthenticated, detail);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let wanted = "Send the header Authorization: Bearer <access token>; POST /api/auth/login gives one.";
    let value = values.next().ok_or_else(|| refuse(wanted))?;
    let text = value.to_str().map_err(|_| refuse(wanted))?;
    if values.next().is_some() || text.contains(',') {
        return Err(refuse("Send one Authorization header, not several."));
    }
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_matches(' ')),
        _ => Err(refuse(wanted)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
        pairs.collect()
    }

    #[test]
    fn only_the_same_secret_is_the_same() {
        assert!(is_same(b"secret", b"secret"));
        for other in [&b"secreT"[..], b"secret ", b"secre", b""] {
            assert!(!is_same(b"secret", other));
        }
    }

    #[test]
    fn the_scheme_is_read_whatever_its_case_and_the_token_as_it_is() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(bearer_token(&headers(&[value])).unwrap(), "a.b.c", "{value}");
        }
    }

    #[test]
    fn anything_but_one_bearer_token_is_refused() {
        let cases: &[&[&str]] = &[
            &[],
            &[""],
            &["Bearer"],
            &["a.b.c"],
            &["Basic YTpi"],
            &["Bearer a.b.c, Bearer d.e.f"],
            &["Bearer a.b.c", "Bearer a.b.c"],
            &["Bearer\ta.b.c"],
        ];
        for values in cases {
            let problem = bearer_token(&headers(values)).unwrap_err();
            assert_eq!(problem.code(), Code::Unauthenticated, "{values:?}");
        }
    }
}
