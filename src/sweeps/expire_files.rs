//! Files past their `expiresAt` go to the trash. Costs at most 3 D1 calls.

use super::{DueFile, Outcome, PER_RUN, Places};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql;

/// The states in which a file can expire; each has a place of its own.
const STATES: [&str; 2] = ["active", "archived"];

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let places: Places = outcome.resume();
    let due = places.due(sql::files::EXPIRED, STATES, now);
    let pages = app.database.batch(due.collect()).await?;
    let mut next = Places::default();
    let mut statements = Vec::new();
    for (page, place) in pages.into_iter().zip(&mut next.0) {
        let files: Vec<DueFile> = page.into_iter().map(from_row).collect::<Result<_>>()?;
        if files.len() as u64 == PER_RUN {
            *place = files.last().map(DueFile::place);
        }
        statements.extend(files.into_iter().map(|file| trash(file, now)));
    }
    outcome.examined = statements.len() as u64;
    if !statements.is_empty() {
        let trashed = app.database.batch(statements).await?;
        outcome.changed = trashed.iter().filter(|rows: &&Vec<Row>| !rows.is_empty()).count() as u64;
    }
    outcome.go_on_at(&next);
    Ok(())
}

fn trash(file: DueFile, now: Timestamp) -> Statement {
    Statement::new(sql::files::TRASH).bind(file.id).bind(file.user_id).bind(file.revision).bind(now)
}
