//! The log.

use serde_json::Value;

/// Where log lines go.
pub trait Log: Send + Sync {
    /// Writes one JSON line.
    fn line(&self, line: &Value);
}
