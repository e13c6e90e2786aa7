//! A log that keeps its lines in memory.

use std::sync::{Arc, Mutex};

use cutty::ports::Log;
use serde_json::Value;

#[derive(Default)]
pub struct RecordingLog(Mutex<Vec<Value>>);

impl RecordingLog {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Returns all lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// Removes all lines and returns them.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Returns the lines in which `member` has this value.
    pub fn with(&self, member: &str, value: impl Into<Value>) -> Vec<Value> {
        let value = value.into();
        self.lines().into_iter().filter(|line| line[member] == value).collect()
    }

    /// Panics if a line contains the secret, either unchanged or escaped as in JSON.
    pub fn assert_never_contains(&self, secret: &str) {
        assert!(!secret.is_empty(), "the secret is empty, and every line contains an empty text");
        let quoted = Value::from(secret).to_string();
        let escaped = quoted.trim_matches('"');
        for line in self.lines() {
            let text = line.to_string();
            assert!(
                !text.contains(secret) && !text.contains(escaped),
                "a log line contains a secret: {text}"
            );
        }
    }
}

impl Log for RecordingLog {
    fn line(&self, line: &Value) {
        self.0.lock().unwrap().push(line.clone());
    }
}
