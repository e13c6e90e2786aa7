//! Deletes the objects on `gc_queue` that are due, in a safe order. First the sweep sets the pending row of the
//! object's attempt to `dead` and releases the reservation of the attempt, so that no commit can succeed any more. Then
//! the sweep deletes the object. A day later, the sweep deletes the object again, because a put that ran during the
//! first deletion may have stored the object afterwards. Then the sweep removes the row from `gc_queue`. The sweep
//! never deletes the object of a kept file, even if the object is on the queue.
//!
//! Costs 1 D1 call per run, and for each object 2 D1 calls and at most 3 R2 calls.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::Row;
use crate::sql;

/// Time from the first deletion to the second. A put that ran during the first deletion ends within this time.
const SECOND_DELETION: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Deserialize)]
struct DueObject {
    r2_key: String,
    file_id: Option<FileId>,
    attempt: AttemptId,
    user_id: UserId,
    upload_id: Option<String>,
    deleted_at: Option<String>,
}

impl DueObject {
    /// Returns the key of the file's sidecar; `None` if the row has no file id. The sidecar itself may not exist.
    fn profile_key(&self) -> Option<StorageKey> {
        let user = self.user_id.clone();
        Some(StorageKey::Profile { user, file: self.file_id?, attempt: self.attempt })
    }
}

/// Deletes each due object twice and then removes its row from `gc_queue`.
pub struct CollectGarbage;

#[async_trait]
impl Sweep for CollectGarbage {
    fn name(&self) -> &'static str {
        "collect_garbage"
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 5 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let position: SweepPosition = step.resume();
        let due = sql::gc::Due { now, after_time: &position.at, after_key: &position.id, limit: step.limit };
        let rows = app.database.query(due.statement()).await?;
        let full = rows.len() as u64 == step.limit;
        let last = rows.last().map(|row| SweepPosition::from_row(row, "not_before", "r2_key"));
        for row in rows {
            step.examined += 1;
            let Some(due) = step.read::<DueObject>(app, row, "r2_key") else { continue };
            match collect(app, &due, now).await {
                Ok(name) => {
                    step.changed += 1;
                    step.count(name);
                }
                Err(problem) => step.postpone(app, &due.r2_key, &problem),
            }
        }
        step.save_position(full, last);
        Ok(())
    }
}

/// Handles one due object. Returns the name of the outcome: `kept`, `deleted` or `forgotten`.
async fn collect(app: &App, due: &DueObject, now: Timestamp) -> Result<&'static str> {
    let attempt = due.attempt;
    let key = StorageKey::Known(due.r2_key.clone());
    if was_committed(app, due, now).await? {
        app.database.query(sql::gc::DropKey { key: &key }.statement()).await?;
        return Ok("kept");
    }
    if let Some(upload_id) = &due.upload_id {
        app.objects.abort_multipart(&key, upload_id).await?;
    }
    app.objects.delete(&key).await?;
    if let Some(profile) = due.profile_key() {
        app.objects.delete(&profile).await?;
    }
    if due.deleted_at.is_none() {
        let again = now.plus(SECOND_DELETION);
        let mark = sql::gc::MarkDeleted { key: &key, now, not_before: again };
        app.database.query(mark.statement()).await?;
        return Ok("deleted");
    }
    let files = Value::from_iter(due.file_id.map(|file| file.to_string())).to_string();
    app.database
        .batch(vec![
            sql::files::DeleteDeadAttempt { attempt }.statement(),
            sql::files::MarkPurged { attempt }.statement(),
            sql::sweeps::ResolveFindingsOfFiles { files: &files, now }.statement(),
            sql::gc::DropKey { key: &key }.statement(),
        ])
        .await?;
    Ok("forgotten")
}

/// Sets the attempt to `dead` if it is pending, so that it can no longer be committed. Returns true if the attempt was
/// already committed and its file is kept.
async fn was_committed(app: &App, due: &DueObject, now: Timestamp) -> Result<bool> {
    let (attempt, user) = (due.attempt, &due.user_id);
    let results = app
        .database
        .batch(vec![
            sql::quotas::ReleasePending { user, attempt, now }.statement(),
            sql::files::KillPending { attempt }.statement(),
            sql::uploads::End { upload: attempt, status: "expired", now }.statement(),
            sql::uploads::DeleteParts { upload: attempt }.statement(),
            sql::files::StatusOfAttempt { attempt }.statement(),
        ])
        .await?;
    let status =
        |rows: &Vec<Row>| rows.first()?.get("lifecycle_status").and_then(Value::as_str).map(str::to_owned);
    let status = results.last().and_then(status);
    Ok(matches!(status.as_deref(), Some("active" | "archived" | "deleted")))
}
