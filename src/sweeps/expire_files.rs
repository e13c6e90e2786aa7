//! Files past their `expiresAt` go to the trash. Costs at most 3 D1 calls.

use super::{DueFile, Outcome, PER_RUN, Place, Places};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement};
use crate::sql;

/// The states in which a file can expire; each has a place of its own.
const STATES: [&str; 2] = ["active", "archived"];

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let places: Places = outcome.resume();
    let due = |status, place: Place| {
        let (after_time, after_id) = (place.at.as_str(), place.id.as_str());
        sql::files::Expired { status, now, after_time, after_id, limit: PER_RUN }.statement()
    };
    let pages = app.database.batch(places.pages(STATES, due).collect()).await?;
    let mut next = Places::default();
    let mut statements = Vec::new();
    for (page, place) in pages.into_iter().zip(&mut next.0) {
        if page.len() as u64 == PER_RUN {
            *place = page.last().map(|row| Place::of(row, "due_at", "id"));
        }
        let files = page.into_iter().filter_map(|row| outcome.read(app, row, "id"));
        statements.extend(files.map(|file| trash(&file, now)));
    }
    outcome.examined = statements.len() as u64;
    if !statements.is_empty() {
        let trashed = app.database.batch(statements).await?;
        outcome.changed = trashed.iter().filter(|rows: &&Vec<Row>| !rows.is_empty()).count() as u64;
    }
    outcome.go_on_at(&next);
    Ok(())
}

fn trash(due: &DueFile, now: Timestamp) -> Statement {
    sql::files::Trash { file: due.id, user: &due.user_id, revision: Some(due.revision), now }.statement()
}
