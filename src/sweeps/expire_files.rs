//! Moves files to the trash after their `expiresAt`. Costs 2 D1 calls. If the database refuses the batch for all files,
//! the sweep moves each file in its own batch. This costs 1 more call per file. So a file that cannot be changed does
//! not block the other files.

use async_trait::async_trait;

use super::position::{DueFile, StatePositions, SweepPosition};
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement};
use crate::sql;

/// The states in which a file can expire. Each state has its own position in the cursor.
const STATES: [&str; 2] = ["active", "archived"];

/// Moves files to the trash after their `expiresAt`.
pub struct ExpireFiles;

#[async_trait]
impl Sweep for ExpireFiles {
    fn name(&self) -> &'static str {
        "expire_files"
    }

    fn cost(&self) -> Cost {
        // The limit for each of the two states is half of the run's limit, but at least one item. So a run with a limit
        // of one item can handle two items. `base` counts the two calls of a run and the call for this second item.
        Cost { base: 3, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let (now, limit) = (step.now, step.half());
        let positions: StatePositions = step.resume();
        let due = |status, position: SweepPosition| {
            let (after_time, after_id) = (position.at.as_str(), position.id.as_str());
            sql::files::Expired { status, now, after_time, after_id, limit }.statement()
        };
        let pages = app.database.batch(positions.pages(STATES, due).collect()).await?;
        let mut next = StatePositions::default();
        let mut files = Vec::new();
        for (page, position) in pages.into_iter().zip(&mut next.0) {
            if page.len() as u64 == limit {
                *position = page.last().map(|row| SweepPosition::from_row(row, "due_at", "id"));
            }
            files.extend(page.into_iter().filter_map(|row| step.read::<DueFile>(app, row, "id")));
        }
        step.examined = files.len() as u64;
        if !files.is_empty() {
            trash_all(app, &files, step).await;
        }
        step.save_positions(&next);
        Ok(())
    }
}

/// Moves files to the trash in one batch. If the database refuses the batch, moves the files one by one.
async fn trash_all(app: &App, files: &[DueFile], step: &mut SweepStep) {
    let now = step.now;
    let changed = |rows: &Vec<Vec<Row>>| rows.iter().filter(|rows| !rows.is_empty()).count() as u64;
    if let Ok(rows) = app.database.batch(files.iter().map(|file| trash(file, now)).collect()).await {
        step.changed += changed(&rows);
        return;
    }
    for file in files {
        match app.database.batch(vec![trash(file, now)]).await {
            Ok(rows) => step.changed += changed(&rows),
            Err(error) => step.postpone(app, &file.id.to_string(), &error),
        }
    }
}

fn trash(due: &DueFile, now: Timestamp) -> Statement {
    sql::files::Trash { file: due.id, user: &due.user_id, tag: None, revision: Some(due.revision), now }
        .statement()
}
