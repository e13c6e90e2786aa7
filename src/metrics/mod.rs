//! MetricsService: writes log lines, and keeps sums of what the audit log says about operations.
//!
//! The sweep `roll_up_metrics` adds each sealed entry of the audit log to sums in buckets of 5 minutes, an hour and a day.
//! Requests read only these sums.

pub mod latency;
pub mod open_metrics;
pub mod report;
pub mod roll_up;
pub mod rollup;

use crate::app::App;
use crate::audit::entry::Entry;

/// Writes log lines, and reads the sums.
pub struct MetricsService<'a> {
    app: &'a App,
}

impl App {
    /// Returns the metrics service.
    pub fn metrics(&self) -> MetricsService<'_> {
        MetricsService { app: self }
    }
}

impl MetricsService<'_> {
    /// Logs an entry.
    pub fn log(&self, entry: &Entry) {
        self.app.write_log(entry.log_line());
    }
}
