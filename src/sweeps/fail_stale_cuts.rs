//! Cuts whose end nobody heard of: whoever ran them is gone. Costs 1 D1 call.

use chrono::TimeDelta;

use super::{Outcome, PER_RUN};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::sql;

/// A cut still running after this long has lost whoever ran it.
const STALE: TimeDelta = TimeDelta::hours(24);

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let fail = sql::cuts::FailStale { cutoff: now.plus(-STALE), now, limit: PER_RUN };
    outcome.examined = app.database.query(fail.statement()).await?.len() as u64;
    outcome.changed = outcome.examined;
    Ok(())
}
