//! An audit entry: who did what with which file, how long it took, and how it ended.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::Action;
use super::keys::AuditKeys;
use super::row::AuditRow;
use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::log::{Level, LogLine};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result, stored_detail};
use crate::ports::Statement;
use crate::sql::audit::InsertWhen;

/// An audit entry. Its JSON is part of queue messages. A new version of Cutty must be able to read the messages of an
/// older version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique id. If a row with this id exists, writing the entry changes nothing.
    pub id: EventId,
    /// When the entry was created.
    pub timestamp: Timestamp,
    /// The principal of the request. `None` in two cases: for a failed login or registration, and in an entry that an
    /// older version of Cutty sent to the queue. In the second case, the owner made the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The owner of the account or files.
    pub user_id: Option<UserId>,
    /// The file.
    pub file_id: Option<FileId>,
    /// The id of the row that the action changed, if that row is not a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The action.
    pub action: Action,
    /// Method and path of the route of a refused request, with placeholders for ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Numbers of refused requests, by the code of the problem.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub counts: Map<String, Value>,
    /// Whether the action succeeded completely.
    pub success: bool,
    /// The code of the problem if the action failed.
    pub error_code: Option<String>,
    /// The `detail` of the problem if the action failed.
    pub error_message: Option<String>,
    /// Number of bytes transferred.
    pub bytes_transferred: Option<u64>,
    /// Bytes of the file that a cut read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned_bytes: Option<u64>,
    /// Bytes of the file that a cut skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_bytes: Option<u64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// The sender of the request.
    pub caller: Caller,
}

impl Entry {
    /// Creates the entry of a successful action on the principal's own account or files. The entry's time is now.
    pub fn new(app: &App, principal: Option<&Principal>, action: Action, caller: &Caller) -> Self {
        Self {
            id: app.fresh_id(),
            timestamp: app.now(),
            principal: principal.cloned(),
            user_id: principal.and_then(Principal::owner).cloned(),
            file_id: None,
            subject: None,
            action,
            route: None,
            counts: Map::new(),
            success: true,
            error_code: None,
            error_message: None,
            bytes_transferred: None,
            scanned_bytes: None,
            skipped_bytes: None,
            duration_ms: None,
            caller: caller.clone(),
        }
    }

    /// Sets the file.
    #[must_use]
    pub fn on(mut self, file: FileId) -> Self {
        self.file_id = Some(file);
        self
    }

    /// Sets the id of the row that the action changed, if that row is not a file.
    #[must_use]
    pub fn about(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// Sets the number of bytes transferred.
    #[must_use]
    pub fn moving(mut self, bytes: u64) -> Self {
        self.bytes_transferred = Some(bytes);
        self
    }

    /// Sets the numbers of bytes of the file that a cut read and skipped.
    #[must_use]
    pub fn reading(mut self, scanned: u64, skipped: u64) -> Self {
        (self.scanned_bytes, self.skipped_bytes) = (Some(scanned), Some(skipped));
        self
    }

    /// Sets the duration: from `start` to the entry's time.
    #[must_use]
    pub fn since(mut self, start: Timestamp) -> Self {
        let elapsed = self.timestamp.instant() - start.instant();
        self.duration_ms = u64::try_from(elapsed.num_milliseconds()).ok();
        self
    }

    /// Turns the entry into the entry of a failed action.
    #[must_use]
    pub fn failed(mut self, problem: &Problem) -> Self {
        self.success = false;
        self.error_code = Some(problem.code().name().to_owned());
        self.error_message = Some(problem.detail().to_owned());
        self
    }

    /// Returns the statement that writes the entry's row.
    ///
    /// # Errors
    /// `internal` if there is no key that signs the row.
    pub fn statement(&self, app: &App) -> Result<Statement> {
        self.insert(app, InsertWhen::Always)
    }

    /// Like [`Self::statement`], but the statement writes the row only if the preceding statement of the batch changed
    /// a row.
    ///
    /// # Errors
    /// The same as of [`Self::statement`].
    pub fn statement_if_changed(&self, app: &App) -> Result<Statement> {
        self.insert(app, InsertWhen::Changed)
    }

    fn insert(&self, app: &App, when: InsertWhen) -> Result<Statement> {
        let row = self.row().sign(&AuditKeys::new(&app.config), app.random.as_ref())?;
        Ok(row.insert(when))
    }

    fn row(&self) -> AuditRow {
        let number = |value: Option<u64>| value.and_then(|value| i64::try_from(value).ok());
        let principal = self.principal.as_ref().map(ToString::to_string);
        let mut metadata = Map::new();
        metadata.insert("principal".to_owned(), principal.into());
        let texts = [("subject", &self.subject), ("route", &self.route)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))) {
            metadata.insert(name.to_owned(), stored_detail(text).into());
        }
        let numbers = [("scanned_bytes", self.scanned_bytes), ("skipped_bytes", self.skipped_bytes)];
        for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
            metadata.insert(name.to_owned(), number.into());
        }
        if !self.counts.is_empty() {
            metadata.insert("counts".to_owned(), self.counts.clone().into());
        }
        AuditRow {
            id: self.id.to_string(),
            file_id: self.file_id.map(|file| file.to_string()),
            user_id: self.user_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            action: self.action.name().to_owned(),
            success: self.success.into(),
            error_code: self.error_code.clone(),
            error_message: self.error_message.as_deref().map(stored_detail).map(str::to_owned),
            bytes_transferred: number(self.bytes_transferred),
            duration_ms: number(self.duration_ms),
            ip_address: self.caller.ip_address.clone(),
            user_agent: self.caller.user_agent.clone(),
            request_id: Some(self.caller.request_id.clone()),
            metadata: Value::from(metadata).to_string(),
            timestamp: self.timestamp.to_string(),
            ..AuditRow::default()
        }
    }

    /// Returns the entry as a log line.
    pub fn log_line(&self) -> LogLine {
        LogLine::event(if self.success { Level::Info } else { Level::Warn })
            .at(self.timestamp)
            .with("action", self.action)
            .with("principal", self.principal.as_ref().map(ToString::to_string))
            .with("user_id", &self.user_id)
            .with("file_id", self.file_id)
            .with("subject", &self.subject)
            .with("duration_ms", self.duration_ms)
            .with("success", self.success)
            .with("route", &self.route)
            .with("bytes_transferred", self.bytes_transferred)
            .with("scanned_bytes", self.scanned_bytes)
            .with("skipped_bytes", self.skipped_bytes)
            .with("error_code", &self.error_code)
            .with("error_message", &self.error_message)
            .with("user_agent", &self.caller.user_agent)
            .with("ip_address", &self.caller.ip_address)
            .with("request_id", &self.caller.request_id)
            .with("trace_id", &self.caller.trace_id)
            .with("counts", (!self.counts.is_empty()).then_some(&self.counts))
    }
}
