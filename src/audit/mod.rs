//! AuditLog: writes who did what. Each entry is a log line. The entry of a change, a download or a cut is also a row of
//! `file_access_logs`.
//!
//! The batch that makes a change also writes the row of this change. The consumer of the queue writes the row of a
//! read, so that a read never waits for a write to the database. Security events ([`security`]) and operators' actions
//! have log lines, but no rows.

pub mod entry;
pub mod security;

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::log::LogLine;
use crate::jobs::message::RecordRead;
use crate::ports::{DatabaseError, Statement};
use crate::sql;
use entry::{Action, Entry};
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
        self.app.metrics().log(entry);
    }

    /// Writes a security event to the log.
    pub fn report(&self, event: &SecurityEvent, caller: &Caller) {
        self.app.write_log(event.log_line(caller));
    }

    /// Logs a read and sends its row to the queue. If the queue fails, the read still succeeds, but its row is lost.
    pub async fn record_read(&self, read: Entry) {
        self.log(&read);
        if let Err(error) = self.app.enqueue(&RecordRead { operation: read }).await {
            self.app.write_log(LogLine::error("the audit entry of a read was lost").caused_by(error));
        }
    }

    /// Writes the audit entries of reads and adds each read to the read count of its file. If this function gets the same
    /// read again, it changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]: the whole batch failed, or its outcome is unknown.
    pub async fn write_reads(&self, reads: Vec<Entry>) -> Result<(), DatabaseError> {
        let statements: Vec<_> = reads.iter().flat_map(read_statements).collect();
        if !statements.is_empty() {
            self.app.database.batch(statements).await?;
        }
        Ok(())
    }
}

/// Returns two statements: the first adds a read to the read count of its file, and the second writes the audit entry of
/// the read. If they run again, they change nothing.
pub fn read_statements(read: &Entry) -> impl Iterator<Item = Statement> {
    count_read(read).into_iter().chain(read.statement())
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
