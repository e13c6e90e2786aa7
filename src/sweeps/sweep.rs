//! The trait of sweeps, and the state of one run.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::position::{StatePositions, SweepPosition, text};
use crate::app::App;
use crate::config::Config;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, from_row};

/// Work that is due at some time, done in bounded runs.
///
/// Repeated runs and simultaneous runs must do no harm. So every step of a run is a read, a statement with conditions,
/// or a deletion that also succeeds if the object is missing.
#[async_trait]
pub trait Sweep: Sync {
    /// Returns the sweep's name in rows, queries and logs. The name must not change, because rows contain it.
    fn name(&self) -> &'static str;

    /// Whether the configuration switches the sweep on.
    fn is_due(&self, _: &Config) -> bool {
        true
    }

    /// Returns the maximum number of items per run.
    fn max_items(&self) -> u64 {
        50
    }

    /// Returns the maximum number of calls to other services, per run and per item.
    fn cost(&self) -> Cost;

    /// Handles at most [`SweepStep::limit`] items. Begins where the last run stopped.
    ///
    /// # Errors
    /// The problem that stopped the run early. The report counts the items that were handled before the problem.
    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()>;
}

/// Calls to other services: D1, R2 and the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Calls per run.
    pub base: u32,
    /// Calls per item.
    pub each: u32,
}

/// One run of one sweep: the limits of the run, and counts of the items that the run has handled so far. The report
/// contains the counts even if the run stops early.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepStep {
    /// The time of the run. The run handles items that are due at this time.
    pub now: Timestamp,
    /// Maximum number of items.
    pub limit: u64,
    /// Number of items examined.
    pub examined: u64,
    /// Number of items changed.
    pub changed: u64,
    /// Number of items that failed and stay for a later run.
    pub failed: u64,
    /// Before the run: where the last run stopped. After the run: where the next run begins. `None` is the start.
    pub cursor: Option<String>,
    /// Counts that only this sweep has.
    pub details: Map<String, Value>,
}

impl SweepStep {
    /// Creates a run that has done nothing yet.
    pub(super) fn new(now: Timestamp, limit: u64, cursor: Option<String>) -> Self {
        Self { now, limit, examined: 0, changed: 0, failed: 0, cursor, details: Map::new() }
    }

    /// Returns the maximum number of items of each kind, for a sweep that handles two kinds of items.
    pub(super) fn half(&self) -> u64 {
        (self.limit / 2).max(1)
    }

    /// Adds one to the count `name` in the details.
    pub(super) fn count(&mut self, name: &str) {
        let seen = self.details.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.details.insert(name.to_owned(), (seen + 1).into());
    }

    /// Counts and logs an item that failed and stays for a later run.
    pub(super) fn postpone(&mut self, app: &App, what: &str, cause: &dyn std::fmt::Display) {
        self.failed += 1;
        app.write_log(
            LogLine::warn("an item failed and stays for a later run").with("subject", what).caused_by(cause),
        );
    }

    /// Reads the row of an item. `subject` is the column that identifies the item in the log. A row that cannot be read
    /// stays for a later run and does not block the other items.
    pub(super) fn read<T: DeserializeOwned>(&mut self, app: &App, row: Row, subject: &str) -> Option<T> {
        let subject = text(&row, subject);
        match from_row(row) {
            Ok(item) => Some(item),
            Err(problem) => {
                self.postpone(app, &subject, &problem);
                None
            }
        }
    }

    /// Parses the cursor as a [`SweepPosition`], [`StatePositions`] or another position. Returns the start if there is
    /// no cursor, or if the cursor is malformed.
    pub(super) fn resume<T: Default + DeserializeOwned>(&self) -> T {
        self.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Sets the cursor to the position after `last` if the page was full. Otherwise sets the cursor to the start.
    pub(super) fn save_position(&mut self, page_was_full: bool, last: Option<SweepPosition>) {
        let last = last.filter(|_| page_was_full);
        self.cursor = last.and_then(|position| serde_json::to_string(&position).ok());
    }

    /// Sets the cursor to these positions. For a state without a position, the next run begins at the start.
    pub(super) fn save_positions(&mut self, positions: &StatePositions) {
        let more = positions.0.iter().any(Option::is_some);
        self.cursor = more.then(|| serde_json::to_string(positions).ok()).flatten();
    }

    /// Whether the run, which began at the cursor `begins_at`, found nothing to do.
    pub(super) fn is_idle(&self, begins_at: Option<&str>) -> bool {
        self.changed == 0 && self.failed == 0 && self.cursor.as_deref() == begins_at
    }
}
