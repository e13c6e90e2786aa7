//! The log.

use serde_json::Value;

/// Writes log lines.
pub trait Log: Send + Sync {
    /// Writes one JSON line.
    fn line(&self, line: &Value);
}
