//! Files past their `expiresAt` go to the trash. Costs at most 3 D1 calls.

use serde::{Deserialize, Serialize};

use super::{Outcome, PER_RUN, Place};
use crate::app::App;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql;
use crate::time::Timestamp;

/// The states in which a file can expire; each has a place of its own.
const STATES: [&str; 2] = ["active", "archived"];

#[derive(Debug, Deserialize)]
struct Due {
    id: String,
    user_id: String,
    revision: u64,
    due_at: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Places([Option<Place>; 2]);

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let places: Places =
        outcome.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let due = |(state, place): (&str, Option<Place>)| {
        let place = place.unwrap_or_default();
        Statement::new(sql::files::EXPIRED).bind(state).bind(now).bind(place.at).bind(place.id).bind(PER_RUN)
    };
    let pages = app.database.batch(STATES.into_iter().zip(places.0).map(due).collect()).await?;
    let mut next = Places::default();
    let mut statements = Vec::new();
    for (page, place) in pages.into_iter().zip(&mut next.0) {
        let files: Vec<Due> = page.into_iter().map(from_row).collect::<Result<_>>()?;
        if files.len() as u64 == PER_RUN {
            *place = files.last().map(|file| Place { at: file.due_at.clone(), id: file.id.clone() });
        }
        statements.extend(files.into_iter().map(|file| trash(file, now)));
    }
    outcome.examined = statements.len() as u64;
    if !statements.is_empty() {
        let trashed = app.database.batch(statements).await?;
        outcome.changed = trashed.iter().filter(|rows: &&Vec<Row>| !rows.is_empty()).count() as u64;
    }
    let more = next.0.iter().any(Option::is_some);
    outcome.cursor = if more { serde_json::to_string(&next).ok() } else { None };
    Ok(())
}

fn trash(file: Due, now: Timestamp) -> Statement {
    Statement::new(sql::files::TRASH).bind(file.id).bind(file.user_id).bind(file.revision).bind(now)
}
