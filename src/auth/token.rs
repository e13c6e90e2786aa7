//! JSON Web Tokens (RFC 7519) in the form of Django's simplejwt: HS256, claims `token_type`, `user_id`, `exp`, `iat`
//! and `jti`.
//!
//! Cutty supports one algorithm and one encoding, built on `hmac`, `sha2` and `base64`. A token cannot choose the
//! algorithm: its `alg` must be `HS256`. Its `kid` can only select one of the configured keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

use crate::config::Config;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::http::json::{Object, UniqueMembers};

/// Greatest length of an accepted token, in bytes. Cutty's tokens have about 350 bytes; tokens of other issuers may
/// contain more claims.
const TOKEN_BYTES: usize = 4096;

const ALGORITHM: &str = "HS256";

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Sent with each request; valid for minutes.
    Access,
    /// Exchanged once for a new pair of tokens; valid for days.
    Refresh,
}

/// The claims of a token. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Purpose of the token.
    #[serde(rename = "token_type")]
    pub kind: TokenKind,
    /// Time at which the token expires. At this time, the token is already invalid.
    #[serde(rename = "exp")]
    pub expires_at_s: i64,
    /// Time of issue.
    #[serde(rename = "iat", default, skip_serializing_if = "Option::is_none")]
    pub issued_at_s: Option<i64>,
    /// Id of the token.
    #[serde(rename = "jti")]
    pub id: String,
    /// User of the token.
    #[serde(rename = "user_id", deserialize_with = "number_or_text")]
    pub user: UserId,
    /// Session of an access token: the id of its family of refresh tokens. `None` in tokens of other issuers.
    #[serde(rename = "sid", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Time from which the token is valid; `None` if it is valid immediately.
    #[serde(rename = "nbf", default, skip_serializing_if = "Option::is_none")]
    pub not_before_s: Option<i64>,
    /// Audience. Cutty's tokens have no audience. A token with an audience is meant for another service.
    #[serde(rename = "aud", default, skip_serializing, deserialize_with = "present")]
    pub audience: Option<serde_json::Value>,
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// The token is not valid, or has another kind than expected. The text is the reason, which only the log shows.
    Invalid(&'static str),
    /// The token was valid and has expired. Holds the claims of the token.
    Expired(Box<Claims>),
}

/// The configured keys. The first key signs tokens. Every key verifies tokens.
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
    /// Required extensions (RFC 7515 §4.1.11). A token that names an unknown extension must be refused, and Cutty
    /// knows no extension.
    #[serde(default, deserialize_with = "present")]
    crit: Option<serde_json::Value>,
}

/// Reads a member whose value may be null. If the value is null, the result is `Some(Value::Null)`. The result is
/// `None` only if the member is absent.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl<'a> Keyring<'a> {
    /// Creates the keyring from the configuration.
    pub fn new(config: &'a Config) -> Self {
        let main = Key { id: &config.jwt_key_id, secret: config.jwt_secret.bytes() };
        let previous = config
            .jwt_previous_secret
            .as_ref()
            .map(|secret| Key { id: &config.jwt_previous_key_id, secret: secret.bytes() });
        Self { keys: std::iter::once(main).chain(previous).collect() }
    }

    /// Signs claims with the first key and returns the token. The same claims and the same key give the same token.
    ///
    /// # Errors
    /// `internal` if no key is configured. No claim can cause an error.
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        let key = self.keys.first().ok_or_else(|| Problem::internal("no key to sign with"))?;
        let header = HeaderOut { alg: ALGORITHM, typ: "JWT", kid: key.id };
        let signed = format!("{}.{}", encode(&header)?, encode(claims)?);
        let signature = key.mac(&signed)?.finalize().into_bytes();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the signature of a text by the first key.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub(crate) fn signature(&self, text: &str) -> Result<Vec<u8>> {
        let key = self.keys.first().ok_or_else(|| Problem::internal("no key to sign with"))?;
        Ok(key.mac(text)?.finalize().into_bytes().to_vec())
    }

    /// Returns the signatures of a text by all keys, by the first key first.
    ///
    /// # Errors
    /// `internal` if a key cannot be used.
    pub(super) fn signatures(&self, text: &str) -> Result<Vec<Vec<u8>>> {
        self.keys.iter().map(|key| Ok(key.mac(text)?.finalize().into_bytes().to_vec())).collect()
    }

    /// Returns the id of the first key, which signs.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub(crate) fn signing_key_id(&self) -> Result<&str> {
        self.keys.first().map(|key| key.id).ok_or_else(|| Problem::internal("no key to sign with"))
    }

    /// Whether the key `key_id` made the signature of a text. Takes the same time for every wrong signature.
    pub(crate) fn is_signature_by(&self, key_id: &str, text: &str, signature: &[u8]) -> bool {
        self.accepts(Some(key_id), text, signature)
    }

    /// Whether a configured key made the signature of a text. Takes the same time for every wrong signature.
    pub(super) fn is_signature(&self, text: &str, signature: &[u8]) -> bool {
        self.accepts(None, text, signature)
    }

    /// Verifies a token of `kind` at the time `now` and returns its claims. The signature is verified before any claim,
    /// even the expiry, is read.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(
        &self,
        token: &str,
        kind: TokenKind,
        now: Timestamp,
    ) -> std::result::Result<Claims, TokenError> {
        let claims = self.open(token).map_err(TokenError::Invalid)?;
        if claims.kind != kind {
            return Err(TokenError::Invalid("wrong token_type"));
        }
        if claims.audience.is_some() {
            return Err(TokenError::Invalid("unexpected audience"));
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
            return Err("wrong alg");
        }
        if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err("unsupported typ or crit");
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "unreadable signature")?;
        if !self.accepts(header.kid.as_deref(), signed, &signature) {
            return Err("no configured key made the signature");
        }
        decode(payload).ok_or("unreadable claims")
    }

    /// Whether a configured key made the signature: the key that `kid` names, or any key if the token has no `kid`.
    /// Tokens of simplejwt have no `kid`.
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

/// Decodes base64url without padding (RFC 7515 §2), then a JSON object. `None` if the part is malformed, is not UTF-8,
/// or has a member twice.
fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    let UniqueMembers = serde_json::from_str(&text).ok()?;
    serde_json::from_str(&text).ok().map(|Object(value)| value)
}

/// Reads a user id that is a number or text. Django's user ids are numbers. Newer versions of simplejwt write them as
/// text.
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
