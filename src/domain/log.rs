//! What the service tells its log: one JSON line an event.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::time::Timestamp;

/// The name that every line has in `service`.
const SERVICE: &str = "cutty-files";

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What happens every day.
    Info,
    /// What the service gets over by itself.
    Warn,
    /// What somebody should look at.
    Error,
}

/// A line of the log: a message that is the same every time, and fields for what differs.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a line is written by App::write_log"]
pub struct LogLine {
    at: Option<Timestamp>,
    level: Level,
    fields: Map<String, Value>,
}

impl LogLine {
    /// A line of level `info`.
    pub fn info(message: &str) -> Self {
        Self::new(Level::Info, message)
    }

    /// A line of level `warn`.
    pub fn warn(message: &str) -> Self {
        Self::new(Level::Warn, message)
    }

    /// A line of level `error`.
    pub fn error(message: &str) -> Self {
        Self::new(Level::Error, message)
    }

    /// A line without a message, whose fields say it all.
    pub fn event(level: Level) -> Self {
        Self { at: None, level, fields: Map::new() }
    }

    /// A line.
    pub fn new(level: Level, message: &str) -> Self {
        Self::event(level).with("message", message)
    }

    /// Adds a field.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_else(|error| error.to_string().into());
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// Adds a field by its text.
    pub fn with_text(self, name: &str, value: impl Display) -> Self {
        self.with(name, value.to_string())
    }

    /// Says why.
    pub fn caused_by(self, cause: impl Display) -> Self {
        self.with_text("cause", cause)
    }

    /// Says when it happened, if that is not now.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// The line as JSON; `now` is when it happened unless it says so itself.
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
        let line = LogLine::warn("parts are left to the sweep").with("rows", 3).caused_by("a reason");
        let wanted = json!({
            "@timestamp": now, "level": "warn", "service": "cutty-files", "message": "parts are left to the sweep",
            "rows": 3, "cause": "a reason",
        });
        assert_eq!(line.clone().into_json(now), wanted);
        let earlier = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap();
        assert_eq!(line.at(earlier).into_json(now)["@timestamp"], json!(earlier));
    }
}
