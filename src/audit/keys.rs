//! The keys that sign the audit log. They are made from secrets that only the service has, so nobody who can change the
//! database can make a code or a signature.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::{Problem, Result};

/// The text from which each key is made, together with a secret. A key for another purpose is never equal.
const PURPOSE: &[u8] = b"cutty audit log, version 1";

struct AuditKey {
    id: String,
    key: [u8; 32],
}

/// The keys of the audit log. The first key signs; all keys verify.
pub struct AuditKeys(Vec<AuditKey>);

impl AuditKeys {
    /// Makes the keys from `SIGNING_SECRET` and `SIGNING_PREVIOUS_SECRET`, and from the secrets of the tokens, which sign
    /// if there is no `SIGNING_SECRET`.
    pub fn new(config: &Config) -> Self {
        let secrets = [
            config.signing_secret.as_ref(),
            config.signing_previous_secret.as_ref(),
            Some(&config.jwt_secret),
            config.jwt_previous_secret.as_ref(),
        ];
        let key = |secret: &crate::config::Secret| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
            let key: [u8; 32] = mac.chain_update(PURPOSE).finalize().into_bytes().into();
            let id = hex::encode(Sha256::digest(key).get(..4)?);
            Some(AuditKey { id, key })
        };
        Self(secrets.into_iter().flatten().filter_map(key).collect())
    }

    /// Signs a text. Returns the id of the key, and the signature in hexadecimal digits.
    ///
    /// # Errors
    /// `internal` if there is no key.
    pub fn sign(&self, text: &[u8]) -> Result<(&str, String)> {
        let key = self.0.first().ok_or_else(|| Problem::internal("no key to sign the audit log with"))?;
        let mac = key.mac().ok_or_else(|| Problem::internal("the key of the audit log is unusable"))?;
        Ok((&key.id, hex::encode(mac.chain_update(text).finalize().into_bytes())))
    }

    /// Whether the key `id` made the signature. Takes the same time for every wrong signature.
    pub fn is_signature(&self, id: &str, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        let key = self.0.iter().find(|key| key.id == id);
        let mac = key.and_then(AuditKey::mac).map(|mac| mac.chain_update(text));
        mac.is_some_and(|mac| mac.verify_slice(&signature).is_ok())
    }
}

impl AuditKey {
    fn mac(&self) -> Option<Hmac<Sha256>> {
        Hmac::new_from_slice(&self.key).ok()
    }
}
