//! An audit entry: who did what with which file, how long it took, and how it ended.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::log::{Level, LogLine};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::{Problem, stored_detail};
use crate::ports::Statement;
use crate::sql::audit::{Insert, InsertWhen};

/// The action of an entry. The name of an action must never change, because rows, queue messages and logs contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A file was uploaded.
    Upload,
    /// A file's bytes were downloaded.
    Download,
    /// A file's metadata was read.
    View,
    /// Files were listed.
    List,
    /// A file was cut.
    Process,
    /// A file's metadata was changed.
    Update,
    /// A file was moved to the trash or permanently deleted.
    Delete,
    /// A file was restored from the trash.
    Restore,
    /// An operator ran the sweeps.
    RunSweeps,
    /// An operator resolved a finding.
    ResolveFinding,
    /// An operator ran the self-check.
    RunFsck,
    /// An operator changed an account.
    ChangeUser,
}

impl Action {
    /// Returns the action's name in logs and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::View => "view",
            Self::List => "list",
            Self::Process => "process",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::RunSweeps => "run_sweeps",
            Self::ResolveFinding => "resolve_finding",
            Self::RunFsck => "run_fsck",
            Self::ChangeUser => "change_user",
        }
    }
}

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
    /// Whether the action succeeded completely.
    pub success: bool,
    /// The code of the problem if the action failed.
    pub error_code: Option<String>,
    /// The `detail` of the problem if the action failed.
    pub error_message: Option<String>,
    /// Number of bytes transferred.
    pub bytes_transferred: Option<u64>,
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
            success: true,
            error_code: None,
            error_message: None,
            bytes_transferred: None,
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

    /// Returns the statement that writes the entry's row. Returns `None` if the entry has no user: such an entry is
    /// only logged.
    pub fn statement(&self) -> Option<Statement> {
        self.insert(InsertWhen::Always)
    }

    /// Like [`Self::statement`], but the statement writes the row only if the preceding statement of the batch changed
    /// a row.
    pub fn statement_if_changed(&self) -> Option<Statement> {
        self.insert(InsertWhen::Changed)
    }

    fn insert(&self, when: InsertWhen) -> Option<Statement> {
        let principal = self.principal.as_ref().map(ToString::to_string);
        let insert = Insert {
            when,
            event: self.id,
            file: self.file_id,
            user: self.user_id.as_ref()?,
            action: self.action.name(),
            success: self.success,
            error_code: self.error_code.as_deref(),
            error_message: self.error_message.as_deref().map(stored_detail),
            bytes_transferred: self.bytes_transferred,
            duration_ms: self.duration_ms,
            ip_address: self.caller.ip_address.as_deref(),
            user_agent: self.caller.user_agent.as_deref(),
            request_id: &self.caller.request_id,
            principal: principal.as_deref(),
            timestamp: self.timestamp,
        };
        Some(insert.statement())
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
            .with("bytes_transferred", self.bytes_transferred)
            .with("error_code", &self.error_code)
            .with("error_message", &self.error_message)
            .with("user_agent", &self.caller.user_agent)
            .with("ip_address", &self.caller.ip_address)
            .with("request_id", &self.caller.request_id)
    }
}
