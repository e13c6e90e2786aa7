//! What a sweep is.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::place::{Places, SweepPlace, text};
use crate::app::App;
use crate::config::Config;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, from_row};

/// Something that has to be done some time, a bounded number of things at a time.
///
/// A run is safe to repeat and safe beside itself: every step is a guarded statement, a deletion (of what is gone: no
/// error) or a look.
#[async_trait]
pub trait Sweep: Sync {
    /// The name in rows, queries and logs: a stored contract.
    fn name(&self) -> &'static str;

    /// Whether it is switched on.
    fn is_due(&self, _: &Config) -> bool {
        true
    }

    /// The most things that one run takes on.
    fn most(&self) -> u64 {
        50
    }

    /// The most calls to other services that a run makes.
    fn cost(&self) -> Cost;

    /// Goes on where the last run stopped, with at most [`SweepStep::limit`] things.
    ///
    /// # Errors
    /// It stopped early; what it has done so far is reported all the same.
    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()>;
}

/// Calls to other services: D1, R2, the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Of a run, whatever there is to do.
    pub base: u32,
    /// Of each thing that it takes on.
    pub each: u32,
}

/// One run of one sweep: what it may do, and what it has done so far, also when it stops early.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepStep {
    /// As of when things are due.
    pub now: Timestamp,
    /// How many things it may take on.
    pub limit: u64,
    /// Things looked at.
    pub examined: u64,
    /// Things changed.
    pub changed: u64,
    /// Things that failed and stay for a later run.
    pub failed: u64,
    /// In: where the last run stopped. Out: where the next one begins; `None`: at the start.
    pub cursor: Option<String>,
    /// The sweep's own counts.
    pub details: Map<String, Value>,
}

impl SweepStep {
    /// A run that has done nothing yet.
    pub(super) fn new(now: Timestamp, limit: u64, cursor: Option<String>) -> Self {
        Self { now, limit, examined: 0, changed: 0, failed: 0, cursor, details: Map::new() }
    }

    /// How many things of each of two kinds it may take on.
    pub(super) fn half(&self) -> u64 {
        (self.limit / 2).max(1)
    }

    /// Counts one more of `name` in the details.
    pub(super) fn count(&mut self, name: &str) {
        let seen = self.details.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.details.insert(name.to_owned(), (seen + 1).into());
    }

    /// Counts a thing that stays for a later run, and says so in the log.
    pub(super) fn stays(&mut self, app: &App, what: &str, cause: &dyn std::fmt::Display) {
        self.failed += 1;
        app.write_log(
            LogLine::warn("something stays for the next sweep").with("subject", what).caused_by(cause),
        );
    }

    /// Reads the row of a thing; `subject` is the column that names it. A row that cannot be read stays for a later run
    /// and keeps no other from its turn.
    pub(super) fn read<T: DeserializeOwned>(&mut self, app: &App, row: Row, subject: &str) -> Option<T> {
        let subject = text(&row, subject);
        match from_row(row) {
            Ok(thing) => Some(thing),
            Err(problem) => {
                self.stays(app, &subject, &problem);
                None
            }
        }
    }

    /// What the cursor names, a [`SweepPlace`] or [`Places`], or the start.
    pub(super) fn resume<T: Default + DeserializeOwned>(&self) -> T {
        self.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Goes on behind `last` if the page was full, else from the start.
    pub(super) fn go_on(&mut self, page_was_full: bool, last: Option<SweepPlace>) {
        let last = last.filter(|_| page_was_full);
        self.cursor = last.and_then(|place| serde_json::to_string(&place).ok());
    }

    /// Goes on at these places, from the start where there is none.
    pub(super) fn go_on_at(&mut self, places: &Places) {
        let more = places.0.iter().any(Option::is_some);
        self.cursor = more.then(|| serde_json::to_string(places).ok()).flatten();
    }

    /// Whether there is nothing to tell but that it ran.
    pub(super) fn is_idle(&self) -> bool {
        self.changed == 0 && self.failed == 0 && self.cursor.is_none()
    }
}
