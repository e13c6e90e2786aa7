//! Sets the status of a receipt from `running` to `failed` if the Worker stopped before the cut ended. Costs 1 D1 call
//! per run.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;
use crate::sql;

/// Maximum duration of a cut. If a receipt is still `running` after this time, the Worker stopped before the cut ended.
const STALE: TimeDelta = TimeDelta::hours(24);

/// Sets the status of a receipt from `running` to `failed` if the Worker stopped before the cut ended.
pub struct FailStaleCuts;

#[async_trait]
impl Sweep for FailStaleCuts {
    fn name(&self) -> &'static str {
        "fail_stale_cuts"
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let fail = sql::cuts::FailStale { cutoff: now.plus(-STALE), now, limit: step.limit };
        step.examined = app.database.query(fail.statement()).await?.len() as u64;
        step.changed = step.examined;
        Ok(())
    }
}
