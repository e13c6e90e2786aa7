//! AuditLog: the record of what was done, as rows of `file_access_logs` and as log lines.
//!
//! Rows of changes are part of the batch that makes the change; rows of reads go over the queue, so that a read never
//! waits for the database to write. Sign-ins, refusals and acts of operators are log lines.

pub mod entry;

use crate::app::App;
use crate::domain::log::LogLine;
use crate::jobs::message::RecordRead;
use crate::ports::{DatabaseError, Statement};
use crate::sql;
use entry::{Action, Entry};

/// The record of what was done.
pub struct AuditLog<'a> {
    app: &'a App,
}

impl App {
    /// The record of what was done.
    pub fn audit(&self) -> AuditLog<'_> {
        AuditLog { app: self }
    }
}

impl AuditLog<'_> {
    /// Logs an entry whose row, if it has one, is written elsewhere.
    pub fn log(&self, entry: &Entry) {
        self.app.metrics().log(entry);
    }

    /// Logs a read and hands its row to the queue. A queue that fails costs the row, not the read.
    pub async fn record_read(&self, read: Entry) {
        self.log(&read);
        if let Err(error) = self.app.enqueue(&RecordRead { operation: read }).await {
            self.app.write_log(LogLine::error("a read was not recorded").caused_by(error));
        }
    }

    /// Writes rows of reads and counts them on their files; doing it twice counts once.
    ///
    /// # Errors
    /// The database did not take the batch: none is counted, or all are.
    pub async fn write_reads(&self, reads: Vec<Entry>) -> Result<(), DatabaseError> {
        let statements: Vec<_> = reads.iter().flat_map(read_statements).collect();
        if !statements.is_empty() {
            self.app.database.batch(statements).await?;
        }
        Ok(())
    }
}

/// What writes a read to the record and counts it on its file; repeating it changes nothing.
pub fn read_statements(read: &Entry) -> impl Iterator<Item = Statement> {
    count_read(read).into_iter().chain(read.statement())
}

/// Counts a read on its file unless its row is there already: the row is what makes a repeat harmless.
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
