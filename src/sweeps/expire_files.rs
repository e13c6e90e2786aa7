//! Moves files past their `expiresAt` to the trash. Costs at most 3 D1 calls per run.

use async_trait::async_trait;

use super::position::{DueFile, StatePositions, SweepPosition};
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement};
use crate::sql;

/// The states in which a file can expire. Each has its own cursor.
const STATES: [&str; 2] = ["active", "archived"];

/// Moves files past their `expiresAt` to the trash.
pub struct ExpireFiles;

#[async_trait]
impl Sweep for ExpireFiles {
    fn name(&self) -> &'static str {
        "expire_files"
    }

    fn most(&self) -> u64 {
        100
    }

    fn cost(&self) -> Cost {
        Cost { base: 2, each: 0 }
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
        let mut statements = Vec::new();
        for (page, position) in pages.into_iter().zip(&mut next.0) {
            if page.len() as u64 == limit {
                *position = page.last().map(|row| SweepPosition::from_row(row, "due_at", "id"));
            }
            let files = page.into_iter().filter_map(|row| step.read(app, row, "id"));
            statements.extend(files.map(|file| trash(&file, now)));
        }
        step.examined = statements.len() as u64;
        if !statements.is_empty() {
            let trashed = app.database.batch(statements).await?;
            step.changed = trashed.iter().filter(|rows: &&Vec<Row>| !rows.is_empty()).count() as u64;
        }
        step.save_positions(&next);
        Ok(())
    }
}

fn trash(due: &DueFile, now: Timestamp) -> Statement {
    sql::files::Trash { file: due.id, user: &due.user_id, revision: Some(due.revision), now }.statement()
}
