//! One entry of the record: who did what, with which file, how long it took and how it ended.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::log::{Level, LogLine};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::Problem;
use crate::ports::Statement;
use crate::sql::audit::{Insert, InsertWhen};

/// What was done. The names are a stored contract: they stand in rows, messages and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A file came in.
    Upload,
    /// A file's bytes were sent.
    Download,
    /// A file's facts were read.
    View,
    /// Files were listed.
    List,
    /// A file was cut.
    Process,
    /// A file's facts were changed.
    Update,
    /// A file went to the trash, or for good.
    Delete,
    /// A file came back from the trash.
    Restore,
    /// An account was made.
    Register,
    /// A session was opened.
    Login,
    /// A session was ended.
    Logout,
    /// A known principal asked for what it may not do.
    Refuse,
    /// An operator ran the sweeps.
    RunSweeps,
    /// An operator resolved a finding.
    ResolveFinding,
    /// An operator ran the self-check.
    RunFsck,
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
            Self::Register => "register",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Refuse => "refuse",
            Self::RunSweeps => "run_sweeps",
            Self::ResolveFinding => "resolve_finding",
            Self::RunFsck => "run_fsck",
        }
    }
}

/// One entry. As JSON it is part of queue messages, which outlive a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique; a repeat of the same entry changes nothing.
    pub id: EventId,
    /// When it was done.
    pub timestamp: Timestamp,
    /// Who did it. Nobody is known where a sign-in fails. Messages of older code say no principal: then it is the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// Whose account or files it concerns.
    pub user_id: Option<UserId>,
    /// Which file it concerns.
    pub file_id: Option<FileId>,
    /// What else it concerns, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was done.
    pub action: Action,
    /// Whether it was done in full.
    pub success: bool,
    /// The code of the problem, if not.
    pub error_code: Option<String>,
    /// What the client was told of it.
    pub error_message: Option<String>,
    /// How many bytes moved.
    pub bytes_transferred: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Who sent the request.
    pub caller: Caller,
}

impl Entry {
    /// A success of the present moment, about the principal's own account or files.
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

    /// Says which file.
    #[must_use]
    pub fn on(mut self, file: FileId) -> Self {
        self.file_id = Some(file);
        self
    }

    /// Says what else it concerns.
    #[must_use]
    pub fn about(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
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

    /// What writes its row. None for what is about no account: that is only logged.
    pub fn statement(&self) -> Option<Statement> {
        self.insert(InsertWhen::Always)
    }

    /// What writes its row, provided that the statement before it in the batch changes something.
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
            error_message: self.error_message.as_deref(),
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

    /// It as a log line.
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
