//! What a kind of background work is.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::App;
use crate::domain::budget::Subrequests;

/// Does the messages of one kind. A message may be delivered twice, and at the same time: doing it again does no harm.
#[async_trait]
pub trait Job: Sync {
    /// The name in `job` of its messages.
    fn name(&self) -> &'static str;

    /// Does these messages and marks those that are done; the others are delivered again. It takes from `calls` before it
    /// makes any.
    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut Subrequests);
}

/// A message that has been delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    body: Value,
    /// Its place in the batch.
    place: usize,
    outcome: DeliveryOutcome,
}

/// What becomes of a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It is done, or can never be: the queue forgets it.
    Acknowledge,
    /// The queue delivers it again.
    Retry,
}

impl Delivery {
    /// A message that nobody has looked at.
    pub fn new(body: Value, place: usize) -> Self {
        Self { body, place, outcome: DeliveryOutcome::Retry }
    }

    /// The name of its kind; empty if it has none.
    pub fn job(&self) -> &str {
        self.body.get("job").and_then(Value::as_str).unwrap_or_default()
    }

    /// Its place in the batch.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Reads the message.
    ///
    /// # Errors
    /// It is not of that kind.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.body)
    }

    /// Says that it need not come again.
    pub fn acknowledge(&mut self) {
        self.outcome = DeliveryOutcome::Acknowledge;
    }

    /// What becomes of it.
    pub fn outcome(&self) -> DeliveryOutcome {
        self.outcome
    }
}
