//! Deletes old reports of sweeps. Costs 1 D1 call per run.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::EventId;
use crate::error::Result;
use crate::sql;

/// How long a report is kept.
const RETENTION: TimeDelta = TimeDelta::days(30);

/// Maximum number of reports deleted in one run. It is far more than one run of all sweeps writes, so that the table
/// shrinks.
const REPORTS_PER_RUN: u64 = 200;

/// Deletes old reports of sweeps.
pub struct ForgetReports;

#[async_trait]
impl Sweep for ForgetReports {
    fn name(&self) -> &'static str {
        "forget_reports"
    }

    fn max_items(&self) -> u64 {
        REPORTS_PER_RUN
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let before = EventId::first_of(now.plus(-RETENTION).instant());
        let forget = sql::sweeps::DeleteRuns { before, limit: step.limit };
        step.examined = app.database.query(forget.statement()).await?.len() as u64;
        step.changed = step.examined;
        Ok(())
    }
}
