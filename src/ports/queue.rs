//! The queue of background work.

use async_trait::async_trait;
use serde_json::Value;

/// Background work (Queues): every message is delivered at least once, in any order.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Hands a message over: JSON of at most 128 KB.
    ///
    /// # Errors
    /// It may have been taken or not.
    async fn send(&self, message: &Value) -> std::result::Result<(), QueueError>;
}

/// A message that may not have been taken.
#[derive(Debug, Clone, thiserror::Error)]
#[error("queue: {0}")]
pub struct QueueError(pub String);
