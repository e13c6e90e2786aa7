//! The outcomes of checks that the requests of an isolate share.

use std::sync::{Mutex, PoisonError};

pub use super::write_check::WriteCheck;

/// The outcomes that the requests of an isolate share.
#[derive(Default)]
pub struct HealthChecks {
    /// The last check whether the object store can be written.
    pub write: WriteCheck,
    /// The outcome of the last message to the queue; `None` before the first message.
    message: Mutex<Option<Result<(), String>>>,
}

impl HealthChecks {
    /// Notes the outcome of a message to the queue. The error is a text for operators.
    pub fn note_message(&self, outcome: Result<(), String>) {
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Returns the outcome of the last message.
    pub fn last_message(&self) -> Option<Result<(), String>> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
