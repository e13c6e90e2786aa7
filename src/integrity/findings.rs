//! Findings of the scrub: damage that stays recorded until the bytes are intact again or an operator resolves it.

use chrono::DateTime;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::verify::Damage;
use crate::app::App;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::from_row;
use crate::sql;

/// Greater than every id: the start of a list from new to old.
pub(crate) const MAX_ID: &str = "~";

/// Stored bytes that are not what their row says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Finding {
    /// The finding's id, a UUID.
    pub id: String,
    /// The id of the file.
    pub file_id: String,
    /// The owner of the file.
    pub user_id: String,
    /// The key of the object.
    pub r2_key: String,
    /// Kind of damage.
    pub kind: Damage,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// The values in the row, and the values that were found in the store.
    #[serde(deserialize_with = "json_text")]
    #[schema(value_type = Object)]
    pub details: Value,
    /// When the finding was resolved; null while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

/// Deserializes JSON from a text column.
pub(crate) fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Value, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

/// Returns at most `limit` findings before the id `before`, newest first: only open ones, or all.
///
/// # Errors
/// `unavailable` if the database cannot be reached.
pub async fn list(app: &App, open_only: bool, before: Option<&str>, limit: u64) -> Result<Vec<Finding>> {
    let before = before.unwrap_or(MAX_ID);
    let statement = match open_only {
        true => sql::sweeps::OpenFindings { before, limit }.statement(),
        false => sql::sweeps::Findings { before, limit }.statement(),
    };
    app.database.query(statement).await?.into_iter().map(from_row).collect()
}

/// Resolves a finding. The file may be read again unless it has another open finding, and the scrub reads it next.
/// Resolving a finding twice is no error.
///
/// # Errors
/// `not_found`; `unavailable` if the database cannot be reached.
pub async fn resolve(app: &App, finding: EventId) -> Result<Finding> {
    let now = app.now();
    // The scrub next reads the file that it read longest ago.
    let looked_at = Timestamp::new(DateTime::UNIX_EPOCH);
    let mut results = app
        .database
        .batch(vec![
            sql::sweeps::ResolveFinding { finding, now }.statement(),
            sql::sweeps::TrustFileOfFinding { finding, looked_at }.statement(),
            sql::sweeps::GetFinding { finding }.statement(),
        ])
        .await?;
    let row = results.pop().and_then(|mut rows| rows.pop());
    row.map(from_row).transpose()?.ok_or_else(no_such_finding)
}

/// Returns the problem for an id without a finding.
pub fn no_such_finding() -> Problem {
    Problem::new(Code::NotFound, "There is no such finding. List them with GET /api/admin/findings.")
}
