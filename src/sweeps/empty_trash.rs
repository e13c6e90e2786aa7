//! Files whose time in the trash is over become unreachable: their quota is free, their objects are named for
//! collection. Costs 1 D1 call, and 1 a file: one whose quota does not add up must not keep the others.

use chrono::TimeDelta;

use super::{DueFile, Outcome, PER_RUN, Place};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Statement, from_row};
use crate::sql;
use crate::storage::update::kill_statements;

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let oldest = now.plus(-TimeDelta::days(app.config.trash_retention_days.into()));
    let place: Place = outcome.resume();
    let due =
        Statement::new(sql::files::TRASHED_BEFORE).bind(oldest).bind(place.at).bind(place.id).bind(PER_RUN);
    let files: Vec<DueFile> =
        app.database.query(due).await?.into_iter().map(from_row).collect::<Result<_>>()?;
    for file in &files {
        let days = app.config.purge_after_days;
        let kill = kill_statements(&file.id, &file.user_id, Some(file.revision), now, days);
        match app.database.batch(kill.into()).await {
            Ok(_) => outcome.changed += 1,
            Err(error) => outcome.stays(app, &file.id, &error),
        }
        outcome.examined += 1;
    }
    let last = files.last().map(DueFile::place);
    outcome.go_on(files.len() as u64 == PER_RUN, last);
    Ok(())
}
