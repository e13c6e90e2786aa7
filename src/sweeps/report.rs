//! Reports of sweeps: their rows and their public form.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::EventId;
use crate::domain::log::{Level, LogLine};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::integrity::findings::{MAX_ID, json_text};
use crate::ports::{Statement, from_row};
use crate::sql;

/// The report of one run of one sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
#[schema(rename_all = "camelCase")]
pub struct SweepRun {
    /// The run's id, a UUID of version 7. UUIDs of version 7 sort by time.
    #[schema(value_type = String)]
    pub id: EventId,
    /// The name of the sweep.
    pub kind: String,
    /// When the run started (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When the run ended (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
    /// Where the next run begins; null if the next run begins at the start.
    pub cursor: Option<String>,
    /// Number of items examined.
    pub examined: u64,
    /// Number of items changed.
    pub changed: u64,
    /// Number of items that failed and stay for a later run.
    pub failed: u64,
    /// Why the run stopped early; null if the run did not stop early.
    pub error: Option<String>,
    /// Counts that only this sweep has.
    #[serde(deserialize_with = "json_text")]
    #[schema(value_type = Object)]
    pub details: Value,
}

impl SweepRun {
    /// Returns the statements that store the report and the cursor.
    pub(super) fn statements(&self) -> [Statement; 2] {
        let (kind, cursor) = (self.kind.as_str(), self.cursor.as_deref());
        let insert = sql::sweeps::InsertRun {
            run: self.id,
            kind,
            started_at: self.started_at,
            finished_at: self.finished_at,
            cursor,
            examined: self.examined,
            changed: self.changed,
            failed: self.failed,
            error: self.error.as_deref(),
            details: &self.details.to_string(),
        };
        let set_cursor = sql::sweeps::SetCursor { kind, cursor, now: self.finished_at };
        [insert.statement(), set_cursor.statement()]
    }

    pub(super) fn log(&self, app: &App) {
        let level = if self.error.is_some() || self.failed > 0 { Level::Warn } else { Level::Info };
        app.write_log(LogLine::new(level, "sweep").with("report", self).at(self.finished_at));
    }
}

/// Returns at most `limit` runs with ids below `before`, newest first. If `kind` is `None`, returns the runs of all
/// sweeps.
///
/// # Errors
/// `unavailable` if the database cannot be reached.
pub async fn list(app: &App, kind: Option<&str>, before: Option<&str>, limit: u64) -> Result<Vec<SweepRun>> {
    let before = before.unwrap_or(MAX_ID);
    let statement = match kind {
        None => sql::sweeps::Runs { before, limit }.statement(),
        Some(kind) => sql::sweeps::RunsOfKind { before, limit, kind }.statement(),
    };
    app.database.query(statement).await?.into_iter().map(from_row).collect()
}
