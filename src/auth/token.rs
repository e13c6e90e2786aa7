//! JSON Web Tokens (RFC 7519) as Django's simplejwt issues them: HS256, claims `token_type`, `user_id`, `exp`, `iat`
//! and `jti`.
//!
//! One algorithm and one encoding, on `hmac`, `sha2` and `base64`. The token never chooses: its `alg` must name the
//! one algorithm there is, and its `kid` only picks among keys that are configured.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

use crate::config::Config;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};

/// The longest token that is read, in bytes. Ours take about 350; others may carry claims that do not concern us.
const TOKEN_BYTES: usize = 4096;

const ALGORITHM: &str = "HS256";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Sent with each request; lives for minutes.
    Access,
    /// Exchanged once for a new pair; lives for days.
    Refresh,
}

/// What a token says. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is for.
    #[serde(rename = "token_type")]
    pub kind: TokenKind,
    /// When it stops to be valid.
    #[serde(rename = "exp")]
    pub expires_at_s: i64,
    /// When it was issued.
    #[serde(rename = "iat", default, skip_serializing_if = "Option::is_none")]
    pub issued_at_s: Option<i64>,
    /// Its own id.
    #[serde(rename = "jti")]
    pub id: String,
    /// Whose it is.
    #[serde(rename = "user_id", deserialize_with = "number_or_text")]
    pub user: UserId,
    /// When it begins to be valid, if not at once.
    #[serde(rename = "nbf", default, skip_serializing_if = "Option::is_none")]
    pub not_before_s: Option<i64>,
    /// Whom it is meant for. None of ours names anybody, so one that does is meant for another service.
    #[serde(rename = "aud", default, skip_serializing)]
    pub audience: Option<serde_json::Value>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// It is not a token of ours for this use; the reason is for the log.
    Invalid(&'static str),
    /// It was one, with these claims.
    Expired(Box<Claims>),
}

/// The keys: the first signs, all verify.
pub struct Keyring<'a> {
    keys: Vec<Key<'a>>,
}

struct Key<'a> {
    id: &'a str,
    secret: &'a [u8],
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Deserialize)]
struct HeaderIn {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// RFC 7515 §4.1.11: a token that names extensions we do not know must be refused; we know none.
    crit: Option<serde_json::Value>,
}

impl<'a> Keyring<'a> {
    /// The keys of the configuration.
    pub fn new(config: &'a Config) -> Self {
        let main = Key { id: &config.jwt_key_id, secret: config.jwt_secret.bytes() };
        let previous = config
            .jwt_previous_secret
            .as_ref()
            .map(|secret| Key { id: &config.jwt_previous_key_id, secret: secret.bytes() });
        Self { keys: std::iter::once(main).chain(previous).collect() }
    }

    /// The token for some claims: the same claims give the same token, as long as the key stays.
    ///
    /// # Errors
    /// None that a claim could cause.
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        let key = self.keys.first().ok_or_else(|| Problem::internal("no key to sign with"))?;
        let header = HeaderOut { alg: ALGORITHM, typ: "JWT", kid: key.id };
        let signed = format!("{}.{}", encode(&header)?, encode(claims)?);
        let signature = key.mac(&signed)?.finalize().into_bytes();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads a token of `kind`, valid at `now`.
    ///
    /// # Errors
    /// Nothing in the token is believed, not even its expiry, before its signature is verified.
    pub fn verify(
        &self,
        token: &str,
        kind: TokenKind,
        now: Timestamp,
    ) -> std::result::Result<Claims, TokenError> {
        let claims = self.open(token).map_err(TokenError::Invalid)?;
        if claims.kind != kind {
            return Err(TokenError::Invalid("a token of another kind"));
        }
        if claims.audience.is_some() {
            return Err(TokenError::Invalid("meant for another service"));
        }
        let now_s = now.instant().timestamp();
        if claims.not_before_s.is_some_and(|start| now_s < start) {
            return Err(TokenError::Invalid("not valid yet"));
        }
        if now_s >= claims.expires_at_s {
            return Err(TokenError::Expired(Box::new(claims)));
        }
        Ok(claims)
    }

    fn open(&self, token: &str) -> std::result::Result<Claims, &'static str> {
        if token.len() > TOKEN_BYTES {
            return Err("too long");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("not three parts")?;
        let (header, payload) = signed.split_once('.').ok_or("not three parts")?;
        let header: HeaderIn = decode(header).ok_or("unreadable header")?;
        if header.alg != ALGORITHM {
            return Err("another algorithm");
        }
        if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err("another kind of token");
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "unreadable signature")?;
        if !self.accepts(header.kid.as_deref(), signed, &signature) {
            return Err("signature of no key of ours");
        }
        decode(payload).ok_or("unreadable claims")
    }

    /// Whether a key made the signature: the one named, or any if none is, as simplejwt names none.
    fn accepts(&self, kid: Option<&str>, signed: &str, signature: &[u8]) -> bool {
        self.keys
            .iter()
            .filter(|key| kid.is_none_or(|kid| kid == key.id))
            .any(|key| key.mac(signed).is_ok_and(|mac| mac.verify_slice(signature).is_ok()))
    }
}

impl Key<'_> {
    fn mac(&self, signed: &str) -> Result<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret).map_err(Problem::internal)?;
        Ok(mac.chain_update(signed.as_bytes()))
    }
}

fn encode(value: &impl Serialize) -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(Problem::internal)?))
}

/// Base64url without padding (RFC 7515 §2), then JSON; a claim that stands twice is refused.
fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Django's user ids are numbers, of which newer simplejwt versions make text.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<UserId, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Raw {
        Number(u64),
        Text(String),
    }
    let text = match Raw::deserialize(deserializer)? {
        Raw::Number(number) => number.to_string(),
        Raw::Text(text) => text,
    };
    UserId::parse(&text).ok_or_else(|| serde::de::Error::custom("not a user id"))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
