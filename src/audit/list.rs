//! Reads the audit log: for operators, for the owner of a file, and for a user's own sign-ins.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::action::Action;
use super::row::AuditRow;
use crate::app::App;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql::audit as sql;

/// An id above all ids of entries: the start of a list.
const NEWEST: &str = "g";

/// The actions that a user's list of sign-ins shows.
const SIGN_INS: [Action; 10] = [
    Action::Register,
    Action::Login,
    Action::Logout,
    Action::ReuseToken,
    Action::EndSessions,
    Action::ChangePassword,
    Action::ChangeProfile,
    Action::ResetPassword,
    Action::VerifyEmail,
    Action::DeleteAccount,
];

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Number in the chain; null until the entry is sealed.
    pub seq: Option<i64>,
    /// Id of the entry.
    pub id: String,
    /// When the action ended.
    #[schema(value_type = String)]
    pub timestamp: String,
    /// The action, such as `upload`, `download`, `view`, `login` or `refuse`.
    pub action: String,
    /// Id of the account whose files or account the action was about; null for nobody's.
    pub user_id: Option<String>,
    /// Who acted: `user:…`, `api_key:…`, `share:…`, `operator`; null for an unknown sender.
    pub principal: Option<String>,
    /// Id of the file.
    pub file_id: Option<String>,
    /// Id of another thing that the action was about, such as a share or a key.
    pub subject: Option<String>,
    /// Method and path of the route of a refused request.
    pub route: Option<String>,
    /// Numbers of refused requests of unknown senders, by the code of the problem.
    #[schema(value_type = Option<Object>)]
    pub counts: Option<Map<String, Value>>,
    /// Whether the action succeeded.
    pub success: bool,
    /// The code of the problem.
    pub error_code: Option<String>,
    /// The detail of the problem; erased after `AUDIT_PERSONAL_DAYS`, or with the file.
    pub error_message: Option<String>,
    /// Bytes transferred.
    pub bytes_transferred: Option<i64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<i64>,
    /// Address of the client; erased after `AUDIT_PERSONAL_DAYS`.
    pub ip_address: Option<String>,
    /// User agent of the client; erased after `AUDIT_PERSONAL_DAYS`.
    pub user_agent: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// Hash of the entry in the chain; null until the entry is sealed.
    pub hash: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let mut metadata: Map<String, Value> = serde_json::from_str(&row.metadata).unwrap_or_default();
        let mut text = |name: &str| match metadata.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (principal, subject, route) = (text("principal"), text("subject"), text("route"));
        let counts = match metadata.remove("counts") {
            Some(Value::Object(counts)) => Some(counts),
            _ => None,
        };
        Self {
            seq: row.seq,
            id: row.id,
            timestamp: row.timestamp,
            action: row.action,
            user_id: Some(row.user_id).filter(|user| !user.is_empty()),
            principal,
            file_id: row.file_id,
            subject,
            route,
            counts,
            success: row.success == 1,
            error_code: row.error_code,
            error_message: row.error_message,
            bytes_transferred: row.bytes_transferred,
            duration_ms: row.duration_ms,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            request_id: row.request_id,
            hash: row.hash,
        }
    }
}

/// The entries that an operator reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Only entries of this account.
    pub user: Option<String>,
    /// Only entries about this file.
    pub file: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only successful, or only failed actions.
    pub success: Option<bool>,
    /// Only requests from this address.
    pub address: Option<String>,
    /// Only entries from this time on.
    pub from: Option<Timestamp>,
    /// Only entries before this time.
    pub until: Option<Timestamp>,
}

impl App {
    /// Returns one page of the audit log, the newest entries first. The page begins after the entry `before`.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<&str>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>> {
        let id_at = |time: Timestamp| EventId::first_of(time.instant()).to_string();
        let until = filter.until.map(id_at);
        // An id is at most the id of the entry before, and at most the first id of the end time.
        let before = [before, until.as_deref()].into_iter().flatten().min().unwrap_or(NEWEST);
        let from = filter.from.map(id_at).unwrap_or_default();
        let by = match (&filter.file, &filter.user, filter.action) {
            (Some(_), ..) => sql::ListBy::File,
            (None, Some(_), Some(_)) => sql::ListBy::UserAction,
            (None, Some(_), None) => sql::ListBy::User,
            (None, None, Some(_)) => sql::ListBy::Action,
            (None, None, None) => sql::ListBy::Time,
        };
        let list = sql::List {
            by,
            before,
            from: &from,
            user: filter.user.as_deref(),
            file: filter.file.as_deref(),
            action: filter.action.map(Action::name),
            success: filter.success,
            address: filter.address.as_deref(),
            limit,
        };
        self.entries_of(list.statement()).await
    }

    /// Returns one page of what happened with a file of `user`, the newest entries first. The page begins after the entry
    /// `before`. Addresses and user agents are shown only if the reader is signed in, for the reader's own acts.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn history_of_file(
        &self,
        file: FileId,
        (user, reader): (&UserId, &Principal),
        before: Option<&str>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>> {
        let tag = reader.tag();
        let list = sql::OfFile { file, user, tag, before: before.unwrap_or(NEWEST), limit };
        // An API key sees no addresses, not even those of its owner.
        let own = matches!(reader, Principal::User { .. }).then(|| reader.to_string());
        let mut entries = self.entries_of(list.statement()).await?;
        for entry in entries.iter_mut().filter(|entry| own.is_none() || entry.principal != own) {
            (entry.ip_address, entry.user_agent, entry.error_message) = (None, None, None);
        }
        Ok(entries)
    }

    /// Returns one page of the sign-ins of a user and of other acts on the account, the newest first. The page begins
    /// after the entry `before`.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn sign_ins_of(
        &self,
        user: &UserId,
        before: Option<&str>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>> {
        let actions = json!(SIGN_INS).to_string();
        let list = sql::OfAccount { user, actions: &actions, before: before.unwrap_or(NEWEST), limit };
        self.entries_of(list.statement()).await
    }

    async fn entries_of(&self, list: Statement) -> Result<Vec<AuditEntry>> {
        let rows = self.database.query(list).await?;
        Ok(rows.into_iter().map(entry_of).collect())
    }
}

/// Returns the entry of a row. A row that cannot be read, because somebody has changed it, has only an id and the action
/// `unreadable`.
fn entry_of(row: Row) -> AuditEntry {
    let id = row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unreadable = || AuditRow { id, action: "unreadable".to_owned(), ..AuditRow::default() };
    from_row::<AuditRow>(row).unwrap_or_else(|_| unreadable()).into()
}
