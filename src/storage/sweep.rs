//! The sweep: takes away what crashes and deletions left behind, a bounded number of things at a time.
//!
//! Everything here is safe to run twice and at the same time as itself: each step is a guarded statement or a
//! deletion, and a deletion of what is gone is no error.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql;
use crate::storage::change::kill_statements;
use crate::storage::key::StorageKey;
use crate::time::Timestamp;

/// The most things of one kind that one run takes on: 50 × (2 R2 + 3 D1) calls stay within a Worker's 1,000
/// subrequests.
const PER_RUN: u64 = 50;

/// A put that was under way when its object was deleted may still land: it is deleted once more after this long.
const SECOND_DELETION: TimeDelta = TimeDelta::hours(24);

/// A cut still running after this long has lost whoever ran it.
const STALE_CUT: TimeDelta = TimeDelta::hours(24);

/// What one run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Files whose expiry had passed, moved to the trash.
    pub expired: u64,
    /// Files whose time in the trash was over.
    pub emptied_from_trash: u64,
    /// Objects deleted for the first time.
    pub deleted: u64,
    /// Objects deleted for the second time and forgotten.
    pub forgotten: u64,
    /// Things that failed and stay for the next run.
    pub failed: u64,
}

#[derive(Debug, Deserialize)]
struct Due {
    r2_key: String,
    attempt: String,
    user_id: String,
    upload_id: Option<String>,
    reason: String,
    deleted_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Owned {
    id: String,
    user_id: String,
    revision: u64,
}

impl App {
    /// Runs every sweep once, as of `now`.
    ///
    /// # Errors
    /// The database did not answer; what was done stays done.
    pub async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        self.expire_files(now, &mut report).await?;
        self.empty_trash(now, &mut report).await?;
        self.collect_garbage(now, &mut report).await?;
        self.fail_stale_cuts(now).await?;
        self.accounts().forget_expired_tokens().await?;
        self.log.line(&serde_json::json!({
            "@timestamp": now, "level": "info", "service": "cutty-files", "message": "sweep", "report": report,
        }));
        Ok(report)
    }

    async fn fail_stale_cuts(&self, now: Timestamp) -> Result<()> {
        let fail = Statement::new(sql::cuts::FAIL_STALE).bind(now.plus(-STALE_CUT)).bind(now).bind(PER_RUN);
        self.database.query(fail).await?;
        Ok(())
    }

    async fn expire_files(&self, now: Timestamp, report: &mut SweepReport) -> Result<()> {
        for status in ["active", "archived"] {
            let due = Statement::new(sql::files::EXPIRED).bind(status).bind(now).bind(PER_RUN);
            for row in self.database.query(due).await? {
                let file: Owned = from_row(row)?;
                let trash = Statement::new(sql::files::TRASH)
                    .bind(file.id)
                    .bind(file.user_id)
                    .bind(file.revision)
                    .bind(now);
                self.database.query(trash).await?;
                report.expired += 1;
            }
        }
        Ok(())
    }

    async fn empty_trash(&self, now: Timestamp, report: &mut SweepReport) -> Result<()> {
        let oldest = now.plus(-TimeDelta::days(self.config.trash_retention_days.into()));
        let due = Statement::new(sql::files::TRASHED_BEFORE).bind(oldest).bind(PER_RUN);
        for row in self.database.query(due).await? {
            let file: Owned = from_row(row)?;
            let days = self.config.purge_after_days;
            let kill = kill_statements(&file.id, &file.user_id, Some(file.revision), now, days);
            self.database.batch(kill.into()).await?;
            report.emptied_from_trash += 1;
        }
        Ok(())
    }

    async fn collect_garbage(&self, now: Timestamp, report: &mut SweepReport) -> Result<()> {
        let due = Statement::new(sql::gc::DUE).bind(now).bind(PER_RUN);
        for row in self.database.query(due).await? {
            let due: Due = from_row(row)?;
            if let Err(problem) = self.collect(&due, now, report).await {
                report.failed += 1;
                self.log.line(&serde_json::json!({
                    "@timestamp": now, "level": "warn", "service": "cutty-files", "key": due.r2_key,
                    "message": "an object stays for the next sweep", "cause": problem.to_string(),
                }));
            }
        }
        Ok(())
    }

    /// One object: first out of every commit's reach, then deleted, and deleted again a day later, then forgotten.
    async fn collect(&self, due: &Due, now: Timestamp, report: &mut SweepReport) -> Result<()> {
        if due.reason == "upload" && self.is_kept_after_all(due, now).await? {
            self.database.query(Statement::new(sql::gc::DROP).bind(due.r2_key.as_str())).await?;
            return Ok(());
        }
        let key = StorageKey::Known(due.r2_key.clone());
        if let Some(upload_id) = &due.upload_id {
            self.objects.abort_multipart(&key, upload_id).await?;
        }
        self.objects.delete(&key).await?;
        match due.deleted_at {
            None => {
                let again = now.plus(SECOND_DELETION);
                let mark =
                    Statement::new(sql::gc::MARK_DELETED).bind(due.r2_key.as_str()).bind(now).bind(again);
                self.database.query(mark).await?;
                report.deleted += 1;
            }
            Some(_) => {
                self.database
                    .batch(vec![
                        Statement::new(sql::files::DELETE_DEAD_ATTEMPT).bind(due.attempt.as_str()),
                        Statement::new(sql::files::MARK_PURGED).bind(due.attempt.as_str()),
                        Statement::new(sql::gc::DROP).bind(due.r2_key.as_str()),
                    ])
                    .await?;
                report.forgotten += 1;
            }
        }
        Ok(())
    }

    /// Takes a pending attempt out of the commit's reach; true when its commit came first.
    async fn is_kept_after_all(&self, due: &Due, now: Timestamp) -> Result<bool> {
        let attempt = due.attempt.as_str();
        let answers = self
            .database
            .batch(vec![
                Statement::new(sql::quotas::RELEASE_PENDING)
                    .bind(due.user_id.as_str())
                    .bind(attempt)
                    .bind(now),
                Statement::new(sql::files::KILL_PENDING).bind(attempt),
                Statement::new(sql::uploads::END).bind(attempt).bind("expired").bind(now),
                Statement::new(sql::uploads::DELETE_PARTS).bind(attempt),
                Statement::new(sql::files::STATUS_OF_ATTEMPT).bind(attempt),
            ])
            .await?;
        let status = |rows: &Vec<Row>| {
            rows.first()?.get("lifecycle_status").and_then(Value::as_str).map(str::to_owned)
        };
        let status = answers.last().and_then(status);
        Ok(matches!(status.as_deref(), Some("active" | "archived" | "deleted")))
    }
}
