//! The mailbox of a development server. It keeps messages in the database instead of sending them. Only operators read
//! it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::LinkId;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Database, Email, EmailError, EmailMessage, from_row};
use crate::sql::email as sql;

/// Keeps messages in the database.
pub struct DevelopmentMailbox {
    database: Arc<dyn Database>,
}

impl DevelopmentMailbox {
    /// Makes a mailbox in a database.
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Email for DevelopmentMailbox {
    async fn send(&self, message: &EmailMessage) -> std::result::Result<(), EmailError> {
        let keep = sql::KeepMail {
            message: message.id,
            recipient: &message.to,
            subject: &message.subject,
            body: &message.text,
            now: message.sent_at,
        };
        let kept = self.database.query(keep.statement()).await;
        kept.map(|_| ()).map_err(|error| EmailError(error.to_string()))
    }
}

/// A message in the mailbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
#[schema(rename_all = "camelCase")]
pub struct MailboxMessage {
    /// Id of the message.
    #[schema(value_type = String)]
    pub id: LinkId,
    /// Address of the recipient.
    #[serde(rename(serialize = "to"))]
    #[schema(rename = "to")]
    pub recipient: String,
    /// Subject.
    pub subject: String,
    /// Text. A link in it is valid.
    #[serde(rename(serialize = "text"))]
    #[schema(rename = "text")]
    pub body: String,
    /// When the message was written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl App {
    /// Returns one page of the messages in the mailbox, the newest first. The page begins after the message `before`.
    ///
    /// # Errors
    /// `not_found` if the service has no mailbox; `unavailable` if the database failed.
    pub async fn mailbox(&self, before: Option<&str>, limit: u64) -> Result<Vec<MailboxMessage>> {
        if !self.config.email_mailbox {
            let detail = "This service has no mailbox. A development server has one (EMAIL_MAILBOX).";
            return Err(Problem::new(Code::NotFound, detail));
        }
        // No id is above this text.
        let list = sql::ListMail { before: before.unwrap_or("~"), limit };
        self.database.query(list.statement()).await?.into_iter().map(from_row).collect()
    }
}
