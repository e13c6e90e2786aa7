//! Files whose time in the trash is over become unreachable: their quota is free, their objects are named for
//! collection. Costs 1 D1 call, and 1 a file: one whose quota does not add up must not keep the others.

use chrono::TimeDelta;

use super::{DueFile, Outcome, PER_RUN, Place};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::sql;
use crate::storage::update::kill_statements;

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let cutoff = now.plus(-TimeDelta::days(app.config.trash_retention_days.into()));
    let place: Place = outcome.resume();
    let due =
        sql::files::TrashedBefore { cutoff, after_time: &place.at, after_id: &place.id, limit: PER_RUN };
    let rows = app.database.query(due.statement()).await?;
    let full = rows.len() as u64 == PER_RUN;
    let last = rows.last().map(|row| Place::of(row, "due_at", "id"));
    for row in rows {
        outcome.examined += 1;
        let Some(file) = outcome.read::<DueFile>(app, row, "id") else { continue };
        let days = app.config.purge_after_days;
        let kill = kill_statements(file.id, &file.user_id, Some(file.revision), now, days);
        match app.database.batch(kill.into()).await {
            Ok(_) => outcome.changed += 1,
            Err(error) => outcome.stays(app, &file.id.to_string(), &error),
        }
    }
    outcome.go_on(full, last);
    Ok(())
}
