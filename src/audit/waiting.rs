//! Messages for the queue that wait until the response has been sent.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Messages that wait for the end of the response. Then the queue gets them.
#[derive(Debug, Default)]
pub struct WaitingMessages(Mutex<Vec<Value>>);

impl WaitingMessages {
    /// Adds a message.
    pub fn push(&self, message: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    /// Removes and returns all messages.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
