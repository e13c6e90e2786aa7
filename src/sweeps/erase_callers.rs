//! Erases IP addresses and user agents from entries of the audit log that are older than `AUDIT_PERSONAL_DAYS`. The
//! cursor is the id of the last entry that the sweep has changed. Costs 1 D1 call per run.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::position::text;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::EventId;
use crate::error::Result;
use crate::sql;

/// Maximum number of entries that one run changes.
const ENTRIES_PER_RUN: u64 = 5_000;

/// Erases IP addresses and user agents from old entries of the audit log.
pub struct EraseCallers;

#[async_trait]
impl Sweep for EraseCallers {
    fn name(&self) -> &'static str {
        "erase_callers"
    }

    fn max_items(&self) -> u64 {
        ENTRIES_PER_RUN
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let days = TimeDelta::days(app.config.audit_personal_days.into());
        let before = EventId::first_of(step.now.plus(-days).instant()).to_string();
        // Ignores a cursor with which the run would leave out entries: text that is not an id, or an id that is not
        // below `before`.
        let behind = step.cursor.take().filter(|cursor| EventId::parse(cursor).is_some() && *cursor < before);
        let erase = sql::erasure::EraseCallers {
            behind: behind.as_deref().unwrap_or_default(),
            before: &before,
            limit: step.limit,
        };
        let erased = app.database.query(erase.statement()).await?;
        step.examined = erased.len() as u64;
        step.changed = step.examined;
        step.cursor = erased.iter().map(|row| text(row, "id")).max().or(behind);
        Ok(())
    }
}
