//! Download tickets. A ticket is a part of a URL with which a browser downloads a file or a cut by itself: the download
//! of a browser cannot send the header `Authorization`.
//!
//! A ticket is not stored. It names the user, the version of the file and the cut, and a key of the service signs it.
//! Whoever has the ticket can download, but only for a short time:
//!
//! - A download must begin within 5 minutes ([`BEGIN_WITHIN_S`]).
//! - The rest of a download that broke can be requested within 24 hours ([`RESUME_WITHIN_S`]), with a range that does
//!   not start at the first byte.
//!
//! A ticket ends earlier if the file is changed, trashed or deleted, or if the account of the user is deleted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::token::Keyring;
use crate::domain::ids::{FileId, UserId};
use crate::error::{Problem, Result};

/// A download must begin within this number of seconds.
pub const BEGIN_WITHIN_S: i64 = 300;
/// The rest of a download can be requested within this number of seconds.
pub const RESUME_WITHIN_S: i64 = 86_400;
/// Maximum length of the description of a cut in a ticket, in bytes of JSON. Browsers and proxies limit the length of a
/// URL.
pub const MAX_RECIPE_BYTES: usize = 4096;
/// The first part of each ticket. No JSON Web Token begins with it, so neither can be used in place of the other.
const PREFIX: &str = "t1.";

/// The content of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The user who downloads.
    #[serde(rename = "u")]
    pub user: UserId,
    /// The file.
    #[serde(rename = "f")]
    pub file: FileId,
    /// Entity tag of the file's bytes.
    #[serde(rename = "v")]
    pub version: String,
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

    /// Reads the text of a ticket. Returns `None` if no key of the service has signed it.
    pub fn verify(text: &str, keys: &Keyring<'_>) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let payload = signed.strip_prefix(PREFIX)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !keys.is_signature(signed, &signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}
