//! AuditLog: writes who did what. Each entry is a log line and a row of `file_access_logs`.
//!
//! The batch that makes a change also writes the row of this change, so each change has exactly one row. The entries of
//! reads, sign-ins, refusals and operators' acts go through the queue after the response, so that no client waits for a
//! write to the database. Such an entry is lost only if the queue refuses it, or if the isolate ends between the response
//! and the queue; its log line is not lost.
//!
//! A sweep seals the rows: it gives each row a number, and chains it to the row before ([`seal`]). A copy of the end of
//! the chain is in R2 (`anchor`). Old rows leave the database as segments in R2 ([`segment`]). [`verify`] finds a row
//! that was changed, removed, inserted or moved.

pub mod action;
mod anchor;
pub mod entry;
pub mod export;
mod keys;
pub mod list;
pub mod refusals;
mod row;
pub mod seal;
pub mod security;
pub mod segment;
pub mod verify;
pub mod waiting;

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::log::LogLine;
use crate::error::Result;
use crate::jobs::message::{self, RecordRead};
use crate::ports::{DatabaseError, QueueError, Statement};
use crate::sql;
use action::Action;
use entry::Entry;
use security::SecurityEvent;

/// The audit log.
pub struct AuditLog<'a> {
    app: &'a App,
}

impl App {
    /// Returns the audit log.
    pub fn audit(&self) -> AuditLog<'_> {
        AuditLog { app: self }
    }
}

impl AuditLog<'_> {
    /// Writes an entry to the log. Does not write the entry's row.
    pub fn log(&self, entry: &Entry) {
        entry.caller.note_entry();
        self.app.metrics().log(entry);
    }

    /// Writes an entry to the log, and lets its row be written after the response.
    pub fn record(&self, entry: Entry) {
        self.log(&entry);
        self.wait(entry);
    }

    /// Writes a security event to the log. Its row is written after the response, unless the batch of the change has
    /// written it. A refusal of an unknown sender is only counted.
    pub fn report(&self, event: &SecurityEvent, caller: &Caller) {
        let entry = event.entry(self.app, caller);
        self.log(&entry);
        if event.is_in_batch() {
            return;
        }
        if entry.success || entry.user_id.is_some() || entry.principal.is_some() {
            return self.wait(entry);
        }
        let Some(code) = event.failure() else { return };
        if let Some(counts) = self.app.refusals.add(code.name(), self.app.now()) {
            let mut entry = Entry::new(self.app, None, Action::CountRefusals, &Caller::default());
            (entry.success, entry.counts) = (false, counts);
            self.wait(entry);
        }
    }

    fn wait(&self, entry: Entry) {
        match message::encode(&RecordRead { operation: entry }) {
            Ok(message) => self.app.waiting.push(message),
            Err(error) => self.lose(&error),
        }
    }

    /// Sends the waiting entries to the queue. The caller has sent the response.
    pub async fn send_waiting(&self) {
        for message in self.app.waiting.take() {
            if let Err(error) = self.app.send_message(&message).await {
                self.lose(&error);
            }
        }
    }

    /// Logs a read and sends its row to the queue. If the queue fails, the read still succeeds, but its row is lost.
    pub async fn record_read(&self, read: Entry) {
        self.log(&read);
        if let Err(error) = self.app.enqueue(&RecordRead { operation: read }).await {
            self.lose(&error);
        }
    }

    fn lose(&self, error: &QueueError) {
        self.app.write_log(LogLine::error("an audit entry was lost").caused_by(error));
    }

    /// Writes audit entries and adds each read to the read count of its file. If this function gets the same entry again,
    /// it changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]: the whole batch failed, or its outcome is unknown.
    pub async fn write_reads(&self, reads: &[Entry]) -> std::result::Result<(), DatabaseError> {
        let mut statements = Vec::new();
        for read in reads {
            let row = read_statements(read, self.app);
            statements.extend(row.map_err(|problem| DatabaseError::Constraint(problem.to_string()))?);
        }
        if !statements.is_empty() {
            self.app.database.batch(statements).await?;
        }
        Ok(())
    }
}

/// Returns two statements: the first adds a read to the read count of its file, and the second writes the audit entry of
/// the read. If they run again, they change nothing.
///
/// # Errors
/// `internal` if there is no key that signs the entry.
pub fn read_statements(read: &Entry, app: &App) -> Result<impl Iterator<Item = Statement>> {
    let row = read.statement(app)?;
    Ok(count_read(read).into_iter().chain([row]))
}

/// Returns the statement that adds a read to the read count of its file. The statement counts only a successful
/// download or a successful cut. If the read already has an audit entry, the statement changes nothing, so a read is
/// never counted twice.
fn count_read(read: &Entry) -> Option<Statement> {
    let counts = read.success && matches!(read.action, Action::Download | Action::Process);
    let count = sql::audit::CountRead {
        file: read.file_id.filter(|_| counts),
        event: read.id,
        timestamp: read.timestamp,
        user: read.user_id.as_ref()?,
    };
    Some(count.statement())
}
