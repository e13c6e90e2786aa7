//! Erases texts about permanently deleted files: recipes, texts in receipts, and error texts in entries of the audit
//! log. One file may have many recipes, receipts and entries. In the batch that deletes the file, a trigger erases all
//! other texts about it. A file is due immediately after its deletion, and once more 25 hours later. Within these 25
//! hours, a cut that began before the deletion, or an earlier queue message, may still write a row about the file.
//! Costs 2 D1 calls per run and 1 per file.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::FileId;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::sql;

/// Maximum number of rows of each table that one run changes or deletes for one file.
const ROWS_PER_FILE: u64 = 500;

/// The longest time between the deletion of a file and the last write of a row about this file. A cut that began before
/// the deletion lasts at most 24 hours, and a queue message waits for a shorter time.
const LAST_WRITE: TimeDelta = TimeDelta::hours(25);

#[derive(Debug, Deserialize)]
struct DueErasure {
    file_id: FileId,
    erased_at: Timestamp,
}

/// Erases texts in receipts, recipes and audit entries about permanently deleted files.
pub struct EraseFiles;

#[async_trait]
impl Sweep for EraseFiles {
    fn name(&self) -> &'static str {
        "erase_files"
    }

    fn max_items(&self) -> u64 {
        30
    }

    fn cost(&self) -> Cost {
        Cost { base: 2, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let position: SweepPosition = step.resume();
        let due =
            sql::erasure::Due { now, after_time: &position.at, after_id: &position.id, limit: step.limit };
        let rows = app.database.query(due.statement()).await?;
        let full = rows.len() as u64 == step.limit;
        let last = rows.last().map(|row| SweepPosition::from_row(row, "next_at", "file_id"));
        let mut next = Vec::new();
        for row in rows {
            step.examined += 1;
            let Some(due) = step.read::<DueErasure>(app, row, "file_id") else { continue };
            match erase(app, &due, now).await {
                Ok(next_at) => next.push((due.file_id, next_at)),
                Err(problem) => step.postpone(app, &due.file_id.to_string(), &problem),
            }
        }
        if !next.is_empty() {
            let erased = next.len() as u64;
            let set = |(file, next_at)| sql::erasure::SetNext { file, next_at }.statement();
            app.database.batch(next.into_iter().map(set).collect()).await?;
            step.changed += erased;
        }
        step.save_position(full, last);
        Ok(())
    }
}

/// Erases texts in a bounded number of rows about one file. Returns the time at which the erasure continues; `None` if
/// the erasure is finished.
async fn erase(app: &App, due: &DueErasure, now: Timestamp) -> Result<Option<Timestamp>> {
    let (file, limit) = (due.file_id, ROWS_PER_FILE);
    let erased = app
        .database
        .batch(vec![
            sql::erasure::EraseReceipts { file, limit }.statement(),
            sql::erasure::DeleteRecipes { file, limit }.statement(),
            sql::erasure::EraseErrorTexts { file, limit }.statement(),
        ])
        .await?;
    let last_write = due.erased_at.plus(LAST_WRITE);
    Ok(match erased.iter().any(|rows| rows.len() as u64 == limit) {
        true => Some(now),
        false => Some(last_write).filter(|last_write| *last_write > now),
    })
}
