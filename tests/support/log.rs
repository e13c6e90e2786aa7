//! Log lines, kept.

use std::sync::{Arc, Mutex};

use cutty::ports::Log;
use serde_json::Value;

#[derive(Default)]
pub struct RecordingLog(Mutex<Vec<Value>>);

impl RecordingLog {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// Forgets them and returns them.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The lines in which `member` is `value`.
    pub fn with(&self, member: &str, value: impl Into<Value>) -> Vec<Value> {
        let value = value.into();
        self.lines().into_iter().filter(|line| line[member] == value).collect()
    }

    /// Fails if a secret stands in any line, as it is or as JSON would escape it.
    pub fn assert_never_says(&self, secret: &str) {
        assert!(!secret.is_empty(), "every line contains nothing");
        let quoted = Value::from(secret).to_string();
        let escaped = quoted.trim_matches('"');
        for line in self.lines() {
            let text = line.to_string();
            assert!(!text.contains(secret) && !text.contains(escaped), "the log gives a secret away: {text}");
        }
    }
}

impl Log for RecordingLog {
    fn line(&self, line: &Value) {
        self.0.lock().unwrap().push(line.clone());
    }
}
