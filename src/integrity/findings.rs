//! Findings: damage that the scrub, a reader of a file or the background pass found. A finding stays open until the
//! scrub finds the bytes intact or an operator resolves the finding.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::verify::Damage;
use crate::app::App;
use crate::domain::ids::{AttemptId, EventId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::from_row;
use crate::sql;

/// The `before` of the first page of a list. A list from new to old selects the ids that are less than `before`, and
/// this text is greater than every id.
pub(crate) const MAX_ID: &str = "~";

/// Damage to the stored bytes of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
#[schema(rename_all = "camelCase")]
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
    /// When the damage was found first (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// When the damage was found last (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// The size, etag and SHA-256 in the row, and the values that were found in the store.
    #[serde(deserialize_with = "json_text")]
    #[schema(value_type = Object)]
    pub details: Value,
    /// When the finding was resolved; null while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

/// A file in which damage was found.
pub struct DamagedFile<'a> {
    /// The file.
    pub file: FileId,
    /// The owner.
    pub user: &'a UserId,
    /// The key of the object.
    pub key: &'a str,
    /// The attempt that stored the bytes.
    pub attempt: AttemptId,
}

/// If this time is stored as the time of a file's last scrub, the scrub reads the file next. The scrub begins with the
/// file whose last scrub is longest ago, and no stored time is earlier than `NEXT`.
pub const NEXT: Timestamp = Timestamp::EARLIEST;

/// Writes damage to `findings` and to the log. If the bytes are known to be wrong, the function also marks the file's
/// row as damaged, so that no request reads the bytes. In this case, it resolves the file's open findings of other
/// kinds. `looked_at` becomes the time of the file's last scrub. Costs 1 D1 call.
///
/// # Errors
/// `unavailable` if the database cannot be reached. The log line is written in any case.
pub async fn record_damage(
    app: &App,
    file: &DamagedFile<'_>,
    damage: Damage,
    details: &Value,
    looked_at: Timestamp,
) -> Result<()> {
    let now = app.now();
    app.write_log(
        LogLine::error("stored bytes are damaged")
            .with("finding", damage)
            .with("file_id", file.file)
            .with("user_id", file.user)
            .with("key", file.key)
            .with("details", details),
    );
    let finding = sql::sweeps::RecordFinding {
        finding: app.fresh_id(),
        file: file.file,
        user: file.user,
        key: &StorageKey::Known(file.key.to_owned()),
        kind: damage.name(),
        now,
        details: &details.to_string(),
    };
    let mut statements = vec![finding.statement()];
    if damage.is_certain() {
        statements.push(sql::sweeps::MarkDamaged { attempt: file.attempt, now }.statement());
        let others = sql::sweeps::ResolveOtherFindings { file: file.file, kind: damage.name(), now };
        statements.push(others.statement());
    }
    let attempts = json!([file.attempt]).to_string();
    statements.push(sql::sweeps::MarkScrubbed { attempts: &attempts, looked_at }.statement());
    app.database.batch(statements).await?;
    Ok(())
}

/// Deserializes JSON from a text column.
pub(crate) fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Value, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

/// Returns at most `limit` findings whose ids are less than `before`, newest first. With `open_only`, returns only open
/// findings.
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

/// Resolves a finding. If the file has no other open finding, requests can read the file again, and the scrub reads the
/// file next. Resolving a finding twice is no error.
///
/// # Errors
/// `not_found`; `unavailable` if the database cannot be reached.
pub async fn resolve(app: &App, finding: EventId) -> Result<Finding> {
    let now = app.now();
    let mut results = app
        .database
        .batch(vec![
            sql::sweeps::ResolveFinding { finding, now }.statement(),
            sql::sweeps::TrustFileOfFinding { finding, looked_at: NEXT }.statement(),
            sql::sweeps::GetFinding { finding }.statement(),
        ])
        .await?;
    let row = results.pop().and_then(|mut rows| rows.pop());
    row.map(from_row).transpose()?.ok_or_else(no_such_finding)
}

/// Returns the problem for an id without a finding.
pub fn no_such_finding() -> Problem {
    Problem::new(
        Code::NotFound,
        "There is no finding with this id. GET /api/admin/findings lists the findings.",
    )
}
