//! What the scrub found damaged: kept until the bytes are whole again or an operator says so.

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

/// Greater than every id: where a list that runs from new to old begins.
pub(crate) const BEFORE_ALL: &str = "~";

/// Stored bytes that are not what their row says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Finding {
    /// UUID.
    pub id: String,
    /// The file.
    pub file_id: String,
    /// Its owner.
    pub user_id: String,
    /// Where its bytes lie.
    pub r2_key: String,
    /// What is wrong.
    pub kind: Damage,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// What the row says and what is stored.
    #[serde(deserialize_with = "json_text")]
    #[schema(value_type = Object)]
    pub details: Value,
    /// Null while it holds.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

/// Reads JSON from the text of a column.
pub(crate) fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Value, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

/// At most `limit` findings before the id `before`, newest first; only open ones, or all.
///
/// # Errors
/// The database does not answer.
pub async fn list(app: &App, open_only: bool, before: Option<&str>, limit: u64) -> Result<Vec<Finding>> {
    let before = before.unwrap_or(BEFORE_ALL);
    let statement = match open_only {
        true => sql::sweeps::OpenFindings { before, limit }.statement(),
        false => sql::sweeps::Findings { before, limit }.statement(),
    };
    app.database.query(statement).await?.into_iter().map(from_row).collect()
}

/// Says that a finding holds no more: its file may be read again if nothing else is open of it, and is what the scrub
/// looks at next. Doing it twice is no error.
///
/// # Errors
/// `not_found`.
pub async fn resolve(app: &App, finding: EventId) -> Result<Finding> {
    let now = app.now();
    // The scrub takes the file next whose last look was the longest ago.
    let looked_at = Timestamp::new(DateTime::UNIX_EPOCH);
    let mut answers = app
        .database
        .batch(vec![
            sql::sweeps::ResolveFinding { finding, now }.statement(),
            sql::sweeps::TrustFileOfFinding { finding, looked_at }.statement(),
            sql::sweeps::GetFinding { finding }.statement(),
        ])
        .await?;
    let row = answers.pop().and_then(|mut rows| rows.pop());
    row.map(from_row).transpose()?.ok_or_else(no_such_finding)
}

/// The problem of an id that names no finding.
pub fn no_such_finding() -> Problem {
    Problem::new(Code::NotFound, "There is no such finding. List them with GET /api/admin/findings.")
}
