//! The text in the link of a share.
//!
//! The text names the share, the version of the file, the expiry, the method, and what a browser does with the file. A
//! key of the service signs all of this, so nobody can change it. The text also names the key: it ends when this key is
//! removed from the settings.
//!
//! The text is not stored, and the service makes it again from the row of the share when the owner asks for the link.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::token::Keyring;
use crate::domain::ids::{AttemptId, ShareId};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::http::disposition::Disposition;

/// A download that was begun with a counted use can be repeated and resumed for this number of seconds.
pub const CONTINUE_WITHIN_S: i64 = 3600;

/// Maximum length of the text, in bytes. With a short id of the key, the text has about 110 bytes.
pub const MAX_TOKEN_BYTES: usize = 1024;
/// The first part of each text. No JSON Web Token and no ticket begins with it.
const PREFIX: &str = "s1.";
/// Length of the payload without the id of the key: flags, expiry, share and version.
const FIXED_BYTES: usize = 1 + 8 + 16 + 16;

const RECEIVES: u8 = 1;
const CONTINUES: u8 = 2;
const INLINE: u8 = 4;

/// What the link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Read the file (`GET` and `HEAD`), as long as the share admits uses.
    Read,
    /// Read the file after a use was counted.
    Continue,
    /// Upload a file (`POST`, and tus).
    Upload,
}

/// What the text of a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareToken {
    /// The share.
    pub share: ShareId,
    /// What the link is for.
    pub purpose: Purpose,
    /// The version of the file; `None` for uploads.
    pub version: Option<AttemptId>,
    /// When the link ends, in Unix seconds.
    pub expires_at_s: i64,
    /// What a browser does with the file.
    pub disposition: Disposition,
}

impl ShareToken {
    /// Returns when the link ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_s(self.expires_at_s)
    }

    /// Signs the token and returns its text.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub fn sign(&self, keys: &Keyring<'_>) -> Result<String> {
        let key_id = keys.signing_key_id()?;
        let signature = URL_SAFE_NO_PAD.encode(keys.signature(&self.signed_text(key_id))?);
        Ok(format!("{PREFIX}{}.{signature}", URL_SAFE_NO_PAD.encode(self.payload(key_id))))
    }

    /// Reads the text of a link. Returns `None` if the key that it names is not configured or has not signed it. Does not
    /// check the time.
    pub fn verify(text: &str, keys: &Keyring<'_>) -> Option<Self> {
        if text.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (payload, signature) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let (token, key_id) = Self::from_payload(&payload)?;
        let is_genuine = keys.is_signature_by(key_id, &token.signed_text(key_id), &signature);
        // A payload has only one form.
        (is_genuine && token.payload(key_id) == payload).then_some(token)
    }

    /// Returns the text that is signed. No other text that a key of the service signs begins with `cutty share`.
    fn signed_text(&self, key_id: &str) -> String {
        let method = match self.purpose {
            Purpose::Read => "GET",
            Purpose::Continue => "GET again",
            Purpose::Upload => "POST",
        };
        let disposition = match self.disposition {
            Disposition::Attachment => "attachment",
            Disposition::Inline => "inline",
        };
        let version = self.version.map(|version| version.to_string()).unwrap_or_default();
        let (share, expiry) = (self.share, self.expires_at_s);
        format!("cutty share\n{key_id}\n{method}\n{share}\n{version}\n{expiry}\n{disposition}")
    }

    fn payload(&self, key_id: &str) -> Vec<u8> {
        let purpose = match self.purpose {
            Purpose::Read => 0,
            Purpose::Continue => CONTINUES,
            Purpose::Upload => RECEIVES,
        };
        let inline = if self.disposition == Disposition::Inline { INLINE } else { 0 };
        let version = self.version.map_or([0; 16], AttemptId::to_bytes);
        let mut bytes = vec![purpose | inline];
        bytes.extend(self.expires_at_s.to_be_bytes());
        bytes.extend(self.share.to_bytes());
        bytes.extend(version);
        bytes.extend(key_id.as_bytes());
        bytes
    }

    /// Reads a payload. Also returns the id of the key.
    fn from_payload(bytes: &[u8]) -> Option<(Self, &str)> {
        let (fixed, key_id) = bytes.split_at_checked(FIXED_BYTES)?;
        let (flags, rest) = fixed.split_first()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (share, version) = rest.split_first_chunk::<16>()?;
        let version: [u8; 16] = version.try_into().ok()?;
        let purpose = match flags & !INLINE {
            0 => Purpose::Read,
            CONTINUES => Purpose::Continue,
            RECEIVES => Purpose::Upload,
            _ => return None,
        };
        let disposition = match flags & INLINE {
            0 => Disposition::Attachment,
            _ => Disposition::Inline,
        };
        let token = Self {
            share: ShareId::from_bytes(*share),
            purpose,
            version: (version != [0; 16]).then(|| AttemptId::from_bytes(version)),
            expires_at_s: i64::from_be_bytes(*expiry),
            disposition,
        };
        Some((token, std::str::from_utf8(key_id).ok()?))
    }
}
