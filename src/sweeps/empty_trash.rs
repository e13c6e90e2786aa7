//! Permanently deletes files whose time in the trash is over. The sweep frees their quota and puts their objects on
//! `gc_queue`. Costs 1 D1 call per run and 1 per file. Each file has its own batch, so that a user whose quota row is
//! wrong does not block the files of other users.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::position::{DueFile, SweepPosition};
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;
use crate::sql;
use crate::storage::update::permanent_deletion;

/// Permanently deletes files whose time in the trash is over.
pub struct EmptyTrash;

#[async_trait]
impl Sweep for EmptyTrash {
    fn name(&self) -> &'static str {
        "empty_trash"
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let cutoff = now.plus(-TimeDelta::days(app.config.trash_retention_days.into()));
        let position: SweepPosition = step.resume();
        let due = sql::files::TrashedBefore {
            cutoff,
            after_time: &position.at,
            after_id: &position.id,
            limit: step.limit,
        };
        let rows = app.database.query(due.statement()).await?;
        let full = rows.len() as u64 == step.limit;
        let last = rows.last().map(|row| SweepPosition::from_row(row, "due_at", "id"));
        for row in rows {
            step.examined += 1;
            let Some(file) = step.read::<DueFile>(app, row, "id") else { continue };
            let days = app.config.purge_after_days;
            let deletion = permanent_deletion(file.id, (&file.user_id, None), Some(file.revision), now, days);
            match app.database.batch(deletion.into()).await {
                Ok(_) => step.changed += 1,
                Err(error) => step.postpone(app, &file.id.to_string(), &error),
            }
        }
        step.save_position(full, last);
        Ok(())
    }
}
