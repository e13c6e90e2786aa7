//! Download tickets. A ticket is a part of a URL with which a browser downloads a file or a cut by itself: the download
//! of a browser cannot send the header `Authorization`.
//!
//! A ticket is not stored. It names the file, the version of the file, the cut, and the principal that downloads, and a
//! key of the service signs it. A client that has the ticket needs no other credentials, but only for a short time:
//!
//! - A download must begin within 5 minutes ([`BEGIN_WITHIN_S`]).
//! - The rest of a download that broke can be requested within 24 hours ([`RESUME_WITHIN_S`]). Such a request must also
//!   have the entity tag of the file. The ticket contains only a digest of this tag, so a client knows the tag only from
//!   a response. A URL from a log or from the history of a browser is therefore useless after 5 minutes.
//!
//! A ticket ends earlier if the bytes of the file change, if the file is trashed or deleted, or if the account of the
//! user is deleted or disabled.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::token::Keyring;
use crate::domain::ids::FileId;
use crate::domain::principal::Principal;
use crate::error::{Problem, Result};

/// A download must begin within this number of seconds.
pub const BEGIN_WITHIN_S: i64 = 300;
/// The rest of a download can be requested within this number of seconds.
pub const RESUME_WITHIN_S: i64 = 86_400;
/// Maximum length of the description of a cut in a ticket, in bytes of JSON. Browsers and proxies limit the length of a
/// URL.
pub const MAX_RECIPE_BYTES: usize = 4096;
/// Maximum length of a ticket, in bytes. A ticket with the longest recipe is shorter.
pub const MAX_TICKET_BYTES: usize = 8192;
/// The first part of each ticket. No JSON Web Token begins with it, so neither can be used in place of the other.
const PREFIX: &str = "t1.";

/// The digest of an entity tag: the first 16 bytes of its SHA-256, in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// Returns the digest of an entity tag. The text of the tag includes the quotes.
    pub fn of(entity_tag: &str) -> Self {
        let digest = Sha256::digest(entity_tag);
        Self(URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default()))
    }

    /// Whether this is the digest of an entity tag. Takes the same time for every wrong tag.
    pub fn is_of(&self, entity_tag: &str) -> bool {
        self.0.as_bytes().ct_eq(Self::of(entity_tag).0.as_bytes()).into()
    }
}

/// The content of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The principal that asked for the ticket. The download has no other permissions than this principal.
    #[serde(rename = "p")]
    pub principal: Principal,
    /// The file.
    #[serde(rename = "f")]
    pub file: FileId,
    /// Digest of the entity tag of the file's bytes.
    #[serde(rename = "v")]
    pub version: Version,
    /// The body of a request for a cut; `None` for the bytes of the file.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Value>,
    /// Time of issue, in Unix seconds.
    #[serde(rename = "i")]
    pub issued_at_s: i64,
}

impl Ticket {
    /// Signs the ticket and returns its text.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub fn sign(&self, keys: &Keyring<'_>) -> Result<String> {
        let payload = serde_json::to_vec(self).map_err(Problem::internal)?;
        let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(keys.signature(&signed)?);
        Ok(format!("{signed}.{signature}"))
    }

    /// Reads the text of a ticket. Returns `None` if no key of the service has signed it. Does not check the time.
    pub fn verify(text: &str, keys: &Keyring<'_>) -> Option<Self> {
        if text.len() > MAX_TICKET_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let payload = signed.strip_prefix(PREFIX)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !keys.is_signature(signed, &signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::domain::ids::UserId;

    const ID: &str = "018f0000-0000-7000-8000-000000000001";
    const TAG: &str = "\"018f0000-0000-7000-8000-000000000002\"";

    #[test]
    fn tickets_that_an_older_version_made_can_be_read() {
        let made = json!({
            "p": {"kind": "user", "id": "ada", "role": "user"},
            "f": ID,
            "v": "fICJ_MH-7-Ni4kbnX-s68Q",
            "r": {"columns": ["a"]},
            "i": 1_767_322_200,
        });
        let ticket = Ticket {
            principal: Principal::user(UserId::parse("ada").unwrap()),
            file: FileId::parse(ID).unwrap(),
            version: Version::of(TAG),
            recipe: Some(json!({"columns": ["a"]})),
            issued_at_s: 1_767_322_200,
        };
        assert_eq!(serde_json::to_value(&ticket).unwrap(), made);
        assert_eq!(serde_json::from_value::<Ticket>(made).unwrap(), ticket);
    }

    #[test]
    fn a_version_is_of_one_entity_tag() {
        let version = Version::of(TAG);
        assert!(version.is_of(TAG));
        for other in ["", "*", TAG.trim_matches('"'), "\"018f0000-0000-7000-8000-000000000003\""] {
            assert!(!version.is_of(other), "{other}");
        }
    }
}
