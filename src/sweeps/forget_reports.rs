//! Reports of long ago. Costs 1 D1 call.

use chrono::TimeDelta;

use super::Outcome;
use crate::app::App;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::sql;

/// How long a report is kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Far more than one run of all sweeps writes, so that the table shrinks to what is kept.
const REPORTS_PER_RUN: u64 = 200;

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let before = EventId::first_of(now.plus(-KEPT).instant());
    let forget = sql::sweeps::DeleteRuns { before, limit: REPORTS_PER_RUN };
    outcome.examined = app.database.query(forget.statement()).await?.len() as u64;
    outcome.changed = outcome.examined;
    Ok(())
}
