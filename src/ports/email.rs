//! Messages by email.

use async_trait::async_trait;

use crate::domain::ids::LinkId;
use crate::domain::time::Timestamp;

/// A message of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailMessage {
    /// Id of the message. A message that is sent again has the same id.
    pub id: LinkId,
    /// Address of the recipient: one address in ASCII, without a name.
    pub to: String,
    /// Subject: one line in ASCII.
    pub subject: String,
    /// Text in UTF-8. It may contain a secret link, so it is never logged.
    pub text: String,
    /// When the message was sent.
    pub sent_at: Timestamp,
}

/// Sends messages by email. The sender is the same for all messages.
#[async_trait]
pub trait Email: Send + Sync {
    /// Hands a message over for delivery. Success does not mean that the message arrives.
    ///
    /// # Errors
    /// [`EmailError`]: the message may or may not be delivered. The caller may send it again with the same id; then the
    /// recipient may get it twice.
    async fn send(&self, message: &EmailMessage) -> std::result::Result<(), EmailError>;
}

/// A failed call: the message may or may not be delivered. The text contains neither the message nor an address.
#[derive(Debug, Clone, thiserror::Error)]
#[error("email: {0}")]
pub struct EmailError(pub String);
