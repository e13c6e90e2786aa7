//! One entry of the record: what was done with which file, by whom, how long it took and how it ended.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::log::{Level, LogLine};
use crate::domain::time::Timestamp;
use crate::error::Problem;
use crate::ports::Statement;
use crate::sql::audit::{Insert, InsertWhen};

/// What a user did with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Action {
    Upload,
    Download,
    View,
    List,
    Process,
    Update,
    Delete,
    Restore,
}

impl Action {
    /// The name in logs and rows.
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
        }
    }
}

/// One operation, done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Operation {
    pub id: EventId,
    pub timestamp: Timestamp,
    pub user_id: UserId,
    pub file_id: Option<FileId>,
    pub action: Action,
    pub success: bool,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub bytes_transferred: Option<u64>,
    pub duration_ms: Option<u64>,
    pub caller: Caller,
}

impl Operation {
    /// A success of `user` at the present moment; the rest is filled in by struct update.
    pub fn success(app: &App, user: &UserId, action: Action, caller: &Caller) -> Self {
        Self {
            id: app.fresh_id(),
            timestamp: app.now(),
            user_id: user.clone(),
            file_id: None,
            action,
            success: true,
            error_code: None,
            error_message: None,
            bytes_transferred: None,
            duration_ms: None,
            caller: caller.clone(),
        }
    }

    /// Says which file.
    #[must_use]
    pub fn on(mut self, file: FileId) -> Self {
        self.file_id = Some(file);
        self
    }

    /// Says how many bytes moved.
    #[must_use]
    pub fn moving(mut self, bytes: u64) -> Self {
        self.bytes_transferred = Some(bytes);
        self
    }

    /// Says when it began.
    #[must_use]
    pub fn since(mut self, start: Timestamp) -> Self {
        let elapsed = self.timestamp.instant() - start.instant();
        self.duration_ms = u64::try_from(elapsed.num_milliseconds()).ok();
        self
    }

    /// Turns it into a failure.
    #[must_use]
    pub fn failed(mut self, problem: &Problem) -> Self {
        self.success = false;
        self.error_code = Some(problem.code().name().to_owned());
        self.error_message = Some(problem.detail().to_owned());
        self
    }

    /// Its row in the audit log.
    pub fn statement(&self) -> Statement {
        self.insert(InsertWhen::Always)
    }

    /// Its row in the audit log, provided that the statement before it in the batch changes something.
    pub fn statement_if_changed(&self) -> Statement {
        self.insert(InsertWhen::Changed)
    }

    fn insert(&self, when: InsertWhen) -> Statement {
        let insert = Insert {
            when,
            event: self.id,
            file: self.file_id,
            user: &self.user_id,
            action: self.action.name(),
            success: self.success,
            error_code: self.error_code.as_deref(),
            error_message: self.error_message.as_deref(),
            bytes_transferred: self.bytes_transferred,
            duration_ms: self.duration_ms,
            ip_address: self.caller.ip_address.as_deref(),
            user_agent: self.caller.user_agent.as_deref(),
            request_id: &self.caller.request_id,
            timestamp: self.timestamp,
        };
        insert.statement()
    }

    /// It as a log line.
    pub fn log_line(&self) -> LogLine {
        LogLine::event(if self.success { Level::Info } else { Level::Warn })
            .at(self.timestamp)
            .with("action", self.action)
            .with("user_id", &self.user_id)
            .with("file_id", self.file_id)
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
