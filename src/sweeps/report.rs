//! What a sweep did, as it is kept and shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::SweepKind;
use crate::app::App;
use crate::domain::log::{Level, LogLine};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::integrity::findings::{BEFORE_ALL, json_text};
use crate::ports::{Statement, from_row};
use crate::sql;

/// One run of one sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct SweepRun {
    /// UUID version 7: sorts by time.
    pub id: String,
    /// Which sweep.
    pub kind: SweepKind,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
    /// Where its next run begins; null: at the start, there was no more.
    pub cursor: Option<String>,
    /// Things looked at.
    pub examined: u64,
    /// Things changed.
    pub changed: u64,
    /// Things that failed and stay for a later run.
    pub failed: u64,
    /// Why it stopped early, if it did.
    pub error: Option<String>,
    /// The sweep's own counts.
    #[serde(deserialize_with = "json_text")]
    #[schema(value_type = Object)]
    pub details: Value,
}

impl SweepRun {
    /// What keeps the report and the cursor.
    pub(super) fn statements(&self) -> [Statement; 2] {
        [
            Statement::new(sql::sweeps::INSERT_RUN)
                .bind(self.id.as_str())
                .bind(self.kind.name())
                .bind(self.started_at)
                .bind(self.finished_at)
                .bind(self.cursor.clone())
                .bind(self.examined)
                .bind(self.changed)
                .bind(self.failed)
                .bind(self.error.clone())
                .bind(self.details.to_string()),
            Statement::new(sql::sweeps::SET_CURSOR)
                .bind(self.kind.name())
                .bind(self.cursor.clone())
                .bind(self.finished_at),
        ]
    }

    pub(super) fn log(&self, app: &App) {
        let level = if self.error.is_some() || self.failed > 0 { Level::Warn } else { Level::Info };
        app.write_log(LogLine::new(level, "sweep").with("report", self).at(self.finished_at));
    }
}

/// At most `limit` runs before the id `before`, newest first; of one kind, or of all.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    app: &App,
    kind: Option<SweepKind>,
    before: Option<&str>,
    limit: u64,
) -> Result<Vec<SweepRun>> {
    let before = before.unwrap_or(BEFORE_ALL);
    let statement = match kind {
        None => Statement::new(sql::sweeps::RUNS).bind(before).bind(limit),
        Some(kind) => Statement::new(sql::sweeps::RUNS_OF_KIND).bind(before).bind(limit).bind(kind.name()),
    };
    app.database.query(statement).await?.into_iter().map(from_row).collect()
}
