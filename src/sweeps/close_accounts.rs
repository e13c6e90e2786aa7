//! Erases the data of deleted accounts: ends unfinished uploads, deletes files permanently, deletes sessions, receipts,
//! saved recipes, stored responses, ended uploads and the usage by month, and erases addresses and texts in the audit log. The sweep
//! `erase_files` erases what is known about the deleted files.
//!
//! An account is due at once, again in the next run while rows are left, and every hour until 25 hours after the
//! deletion. A request that began before the deletion may still write a row during this time. Costs 2 D1 calls per run
//! and 1 per account.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::Statement;
use crate::sql::closing;

/// Maximum number of files of one status that one run deletes for one account.
const FILES: u64 = 100;
/// Maximum number of uploads, with their parts, that one run deletes for one account.
const UPLOADS: u64 = 20;
/// Maximum number of other rows of one table that one run handles for one account.
const ROWS: u64 = 500;

/// The longest time between the deletion of an account and the last write of a row by a request that began before.
const LAST_WRITE: TimeDelta = TimeDelta::hours(25);
/// Time until the next look at an account that has nothing left.
const NEXT_LOOK: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Deserialize)]
struct DeletedAccount {
    id: UserId,
    deleted_at: Timestamp,
}

/// Erases the data of deleted accounts.
pub struct CloseAccounts;

#[async_trait]
impl Sweep for CloseAccounts {
    fn name(&self) -> &'static str {
        "close_accounts"
    }

    fn max_items(&self) -> u64 {
        10
    }

    fn cost(&self) -> Cost {
        Cost { base: 2, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let position: SweepPosition = step.resume();
        let (after_time, after_id) = (position.at.as_str(), position.id.as_str());
        let due = closing::Due { now, after_time, after_id, limit: step.limit };
        let rows = app.database.query(due.statement()).await?;
        let full = rows.len() as u64 == step.limit;
        let last = rows.last().map(|row| SweepPosition::from_row(row, "erase_at", "id"));
        let mut next = Vec::new();
        for row in rows {
            step.examined += 1;
            let Some(account) = step.read::<DeletedAccount>(app, row, "id") else { continue };
            match erase(app, &account, now).await {
                Ok(next_at) => next.push((account.id, next_at)),
                Err(problem) => step.postpone(app, account.id.as_str(), &problem),
            }
        }
        if !next.is_empty() {
            let set =
                |(user, next_at): &(UserId, _)| closing::SetNext { user, next_at: *next_at }.statement();
            app.database.batch(next.iter().map(set).collect()).await?;
            step.changed += next.len() as u64;
        }
        step.save_position(full, last);
        Ok(())
    }
}

/// Erases a bounded number of rows of one account. Returns the time at which the erasure continues; `None` if it is
/// finished.
async fn erase(app: &App, account: &DeletedAccount, now: Timestamp) -> Result<Option<Timestamp>> {
    let user = &account.id;
    let purge_after = now.plus(TimeDelta::days(app.config.purge_after_days.into()));
    let mut batch = app.accounts().ends_of_uploads(user).to_vec();
    // The bounded statements, each with the number of rows that shows that more may be left.
    let mut bounded = Vec::new();
    let mut add = |batch: &mut Vec<Statement>, statement: Statement, limit: u64| {
        bounded.push((batch.len(), limit));
        batch.push(statement);
    };
    for status in ["active", "archived", "deleted"] {
        let limit = FILES;
        let not_before = purge_after;
        batch.push(closing::CollectKept { user, status, limit, not_before, now }.statement());
        batch.push(closing::ReleaseKept { user, status, limit, now }.statement());
        add(&mut batch, closing::KillKept { user, status, limit, purge_after, now }.statement(), limit);
    }
    batch.push(closing::DeleteLinks { user }.statement());
    batch.push(closing::DeleteApiKeys { user }.statement());
    batch.push(closing::DeleteShares { user }.statement());
    batch.push(closing::DeleteGrants { user }.statement());
    for statement in [
        closing::DeleteTokens { user, limit: ROWS }.statement(),
        closing::DeleteSavedRecipes { user, limit: ROWS }.statement(),
        closing::DeleteReceipts { user, limit: ROWS }.statement(),
        closing::DeleteKeys { user, limit: ROWS }.statement(),
        closing::EraseEntries { user, limit: ROWS }.statement(),
    ] {
        add(&mut batch, statement, ROWS);
    }
    add(&mut batch, closing::DeleteUploads { user, limit: UPLOADS }.statement(), UPLOADS);
    batch.push(closing::DeleteMonths { user }.statement());
    batch.push(closing::DeleteDays { user }.statement());
    batch.push(closing::DeleteSums { user }.statement());
    batch.push(closing::DeleteErrors { user }.statement());
    batch.push(closing::DeleteLatencies { user }.statement());
    batch.push(closing::DeleteQuota { user }.statement());
    let results = app.database.batch(batch).await?;
    let is_full =
        |(index, limit): &(usize, u64)| results.get(*index).is_some_and(|rows| rows.len() as u64 >= *limit);
    let last_write = account.deleted_at.plus(LAST_WRITE);
    Ok(match bounded.iter().any(is_full) {
        true => Some(now),
        false if now < last_write => Some(now.plus(NEXT_LOOK).min(last_write)),
        false => None,
    })
}
