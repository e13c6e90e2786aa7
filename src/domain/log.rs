//! Log lines: one JSON line for each event.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::time::Timestamp;

/// Value of the field `service` in every line.
const SERVICE: &str = "cutty-files";

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Normal operation.
    Info,
    /// A failure that the service recovers from by itself.
    Warn,
    /// A failure that an operator should look at.
    Error,
}

/// A log line: a constant message, and fields for the values that vary.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "pass the line to App::write_log"]
pub struct LogLine {
    at: Option<Timestamp>,
    level: Level,
    fields: Map<String, Value>,
}

impl LogLine {
    /// Creates a line of level `info`.
    pub fn info(message: &str) -> Self {
        Self::new(Level::Info, message)
    }

    /// Creates a line of level `warn`.
    pub fn warn(message: &str) -> Self {
        Self::new(Level::Warn, message)
    }

    /// Creates a line of level `error`.
    pub fn error(message: &str) -> Self {
        Self::new(Level::Error, message)
    }

    /// Creates a line without a message, with fields only.
    pub fn event(level: Level) -> Self {
        Self { at: None, level, fields: Map::new() }
    }

    /// Creates a line.
    pub fn new(level: Level, message: &str) -> Self {
        Self::event(level).with("message", message)
    }

    /// Adds a field.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_else(|error| error.to_string().into());
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// Adds a field whose value is the `Display` text of `value`.
    pub fn with_text(self, name: &str, value: impl Display) -> Self {
        self.with(name, value.to_string())
    }

    /// Adds the field `cause`.
    pub fn caused_by(self, cause: impl Display) -> Self {
        self.with_text("cause", cause)
    }

    /// Sets the time of the event. A line without this time gets the time at which it is written.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// Returns the line as JSON. The member `@timestamp` is the time that [`Self::at`] set, or `now` if no time was
    /// set.
    pub fn into_json(self, now: Timestamp) -> Value {
        let mut fields = self.fields;
        fields.insert("@timestamp".to_owned(), json!(self.at.unwrap_or(now)));
        fields.insert("level".to_owned(), json!(self.level));
        fields.insert("service".to_owned(), SERVICE.into());
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_has_a_time_a_level_a_service_and_its_fields() {
        let now = Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap();
        let line = LogLine::warn("the sweep will delete the parts").with("rows", 3).caused_by("a reason");
        let wanted = json!({
            "@timestamp": now, "level": "warn", "service": "cutty-files", "message": "the sweep will delete the parts",
            "rows": 3, "cause": "a reason",
        });
        assert_eq!(line.clone().into_json(now), wanted);
        let earlier = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap();
        assert_eq!(line.at(earlier).into_json(now)["@timestamp"], json!(earlier));
    }
}
