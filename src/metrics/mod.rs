//! MetricsService: writes audit entries to the log.

use crate::app::App;
use crate::audit::entry::Entry;

/// Writes audit entries to the log.
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
