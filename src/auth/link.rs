//! Links that are sent by email, before they are stored.
//!
//! A link ends with a token. The database holds only the SHA-256 of the token. The token is the HMAC of the link's id
//! with the key of the service. So Cutty can make the same token again whenever it sends the message, and neither the
//! database nor the queue holds a token. The token is in the fragment of the URL, which browsers do not send, so it is in
//! no log.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::token::Keyring;
use crate::app::App;
use crate::domain::ids::{LinkId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::Statement;
use crate::sql::email as sql;

/// Time until the user may ask for a second link. Further times are longer.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(60);
/// Number of bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The purpose of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Sets a new password. Valid for 1 hour, once.
    Reset,
    /// Verifies the email. Valid for 24 hours.
    Verification,
}

impl LinkKind {
    /// Returns the name of the kind in the database.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }

    fn valid_for(self) -> TimeDelta {
        match self {
            Self::Reset => TimeDelta::hours(1),
            Self::Verification => TimeDelta::hours(24),
        }
    }

    /// Returns the name of the parameter in the fragment of the link. The page reads it.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verification => "verify",
        }
    }
}

/// A link that is not stored yet.
pub(super) struct NewLink {
    /// Id of the link.
    pub(super) id: LinkId,
    kind: LinkKind,
    token_sha256: String,
    now: Timestamp,
}

impl NewLink {
    /// Makes a link with a fresh id.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub(super) fn of(app: &App, kind: LinkKind) -> Result<Self> {
        Self::with_id(app, kind, app.fresh_id())
    }

    /// Makes a link with this id.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub(super) fn with_id(app: &App, kind: LinkKind, id: LinkId) -> Result<Self> {
        let token_sha256 = digest(&token_of(app, kind, id)?);
        Ok(Self { id, kind, token_sha256, now: app.now() })
    }

    /// Returns the statement that stores the link for the email of a user. It returns a row only if the link was stored.
    pub(super) fn insert_for_user(&self, user: &UserId) -> Statement {
        let (expires_at, next_request_at) = (self.now.plus(self.kind.valid_for()), self.now.plus(FIRST_WAIT));
        let (link, kind, now) = (self.id, self.kind.name(), self.now);
        let token_sha256 = &self.token_sha256;
        sql::InsertForUser { link, kind, user, token_sha256, expires_at, next_request_at, now }.statement()
    }

    /// Returns the statement that stores the link for the account with this email.
    pub(super) fn insert_for_email(&self, email: &str) -> Statement {
        let (expires_at, next_request_at) = (self.now.plus(self.kind.valid_for()), self.now.plus(FIRST_WAIT));
        let (link, kind, now) = (self.id, self.kind.name(), self.now);
        let token_sha256 = &self.token_sha256;
        sql::InsertForEmail { link, kind, email, token_sha256, expires_at, next_request_at, now }.statement()
    }
}

/// Returns the token of a link.
///
/// # Errors
/// `internal` if no key is configured.
pub(super) fn token_of(app: &App, kind: LinkKind, link: LinkId) -> Result<String> {
    // No JSON Web Token and no ticket begins like this text, so none of them has the same signature.
    let signed = format!("email-link/1 {} {link}", kind.name());
    Ok(URL_SAFE_NO_PAD.encode(Keyring::new(&app.config).signature(&signed)?))
}

/// Returns the SHA-256 of a token, in hex.
pub(super) fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Returns the SHA-256 of a token that a client sent; `None` if the text does not have the form of a token.
pub(super) fn digest_of_sent(text: &str) -> Option<String> {
    let is_token = URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == TOKEN_BYTES);
    is_token.then(|| digest(text))
}
