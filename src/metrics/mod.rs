//! MetricsService: what the service did, as log lines.

use crate::app::App;
use crate::audit::entry::Operation;

/// Tells the log of operations.
pub struct MetricsService<'a> {
    app: &'a App,
}

impl App {
    /// The metrics service.
    pub fn metrics(&self) -> MetricsService<'_> {
        MetricsService { app: self }
    }
}

impl MetricsService<'_> {
    /// Logs an operation.
    pub fn log(&self, operation: &Operation) {
        self.app.write_log(operation.log_line());
    }
}
