//! Objects that are due, in the safe order: first put out of every commit's reach (pending → dead, reservation
//! released), then deleted, and deleted once more a day later, because a put that was under way may still land; only
//! then forgotten. What turns out to be kept is not touched, whatever the queue says.
//!
//! Costs 1 D1 call, and an object 2 D1 and 1 to 3 R2 calls.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, PER_RUN, Place, text};
use crate::app::App;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql;

/// A put that was under way when its object was deleted may still land: it is deleted once more after this long.
const SECOND_DELETION: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Deserialize)]
struct Due {
    r2_key: String,
    file_id: Option<String>,
    attempt: String,
    user_id: String,
    upload_id: Option<String>,
    deleted_at: Option<String>,
}

impl Due {
    /// Where the profile of the file lies, if it has one.
    fn profile_key(&self) -> Option<StorageKey> {
        Some(StorageKey::Profile {
            user: UserId::parse(&self.user_id)?,
            file: FileId::parse(self.file_id.as_deref()?)?,
            attempt: AttemptId::parse(&self.attempt)?,
        })
    }
}

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let place: Place = outcome.resume();
    let due = Statement::new(sql::gc::DUE).bind(now).bind(place.at).bind(place.id).bind(PER_RUN);
    let rows = app.database.query(due).await?;
    let full = rows.len() as u64 == PER_RUN;
    let last = rows.last().map(|row| Place { at: text(row, "not_before"), id: text(row, "r2_key") });
    for row in rows {
        let due: Due = from_row(row)?;
        outcome.examined += 1;
        match collect(app, &due, now).await {
            Ok(name) => {
                outcome.changed += 1;
                outcome.count(name);
            }
            Err(problem) => outcome.stays(app, &due.r2_key, &problem),
        }
    }
    outcome.go_on(full, last);
    Ok(())
}

/// One object; answers what was done with it.
async fn collect(app: &App, due: &Due, now: Timestamp) -> Result<&'static str> {
    if is_kept_after_all(app, due, now).await? {
        app.database.query(Statement::new(sql::gc::DROP).bind(due.r2_key.as_str())).await?;
        return Ok("kept");
    }
    let key = StorageKey::Known(due.r2_key.clone());
    if let Some(upload_id) = &due.upload_id {
        app.objects.abort_multipart(&key, upload_id).await?;
    }
    app.objects.delete(&key).await?;
    if let Some(profile) = due.profile_key() {
        app.objects.delete(&profile).await?;
    }
    if due.deleted_at.is_none() {
        let again = now.plus(SECOND_DELETION);
        let mark = Statement::new(sql::gc::MARK_DELETED).bind(due.r2_key.as_str()).bind(now).bind(again);
        app.database.query(mark).await?;
        return Ok("deleted");
    }
    app.database
        .batch(vec![
            Statement::new(sql::files::DELETE_DEAD_ATTEMPT).bind(due.attempt.as_str()),
            Statement::new(sql::files::MARK_PURGED).bind(due.attempt.as_str()),
            Statement::new(sql::gc::DROP).bind(due.r2_key.as_str()),
        ])
        .await?;
    Ok("forgotten")
}

/// Takes a pending attempt out of the commit's reach; true when its commit came first.
async fn is_kept_after_all(app: &App, due: &Due, now: Timestamp) -> Result<bool> {
    let attempt = due.attempt.as_str();
    let answers = app
        .database
        .batch(vec![
            Statement::new(sql::quotas::RELEASE_PENDING).bind(due.user_id.as_str()).bind(attempt).bind(now),
            Statement::new(sql::files::KILL_PENDING).bind(attempt),
            Statement::new(sql::uploads::END).bind(attempt).bind("expired").bind(now),
            Statement::new(sql::uploads::DELETE_PARTS).bind(attempt),
            Statement::new(sql::files::STATUS_OF_ATTEMPT).bind(attempt),
        ])
        .await?;
    let status =
        |rows: &Vec<Row>| rows.first()?.get("lifecycle_status").and_then(Value::as_str).map(str::to_owned);
    let status = answers.last().and_then(status);
    Ok(matches!(status.as_deref(), Some("active" | "archived" | "deleted")))
}
