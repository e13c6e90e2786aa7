//! The trait of jobs, and the messages delivered to them.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::App;
use crate::domain::budget::CallBudget;

/// Handles the messages of one job. The queue may deliver a message twice, even at the same time. So it must do no harm
/// to handle a message twice.
#[async_trait]
pub trait Job: Sync {
    /// Returns the job's name. Each message for the job contains this name in its member `job`.
    fn name(&self) -> &'static str;

    /// Handles the messages in `deliveries` and acknowledges each message whose work is done. The queue delivers the
    /// other messages again. The job must take every call from the budget `calls` before it makes the call.
    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut CallBudget);
}

/// A delivered message.
#[derive(Debug, Clone)]
pub struct Delivery {
    body: Value,
    /// Index in the batch.
    index: usize,
    outcome: DeliveryOutcome,
}

/// The queue's next action for a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Removes the message: either the job has handled the message, or no job can ever handle it.
    Acknowledge,
    /// Delivers the message again.
    Retry,
}

impl Delivery {
    /// Creates a message that no job has handled yet.
    pub fn new(body: Value, index: usize) -> Self {
        Self { body, index, outcome: DeliveryOutcome::Retry }
    }

    /// Returns the name of the message's job; empty if the message has no job.
    pub fn job(&self) -> &str {
        self.body.get("job").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the index in the batch.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Deserializes the message.
    ///
    /// # Errors
    /// The message does not have the form of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.body)
    }

    /// Tells the queue to remove the message.
    pub fn acknowledge(&mut self) {
        self.outcome = DeliveryOutcome::Acknowledge;
    }

    /// Returns the queue's next action for the message.
    pub fn outcome(&self) -> DeliveryOutcome {
        self.outcome
    }
}
