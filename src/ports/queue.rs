//! The queue of background jobs.

use async_trait::async_trait;
use serde_json::Value;

/// The queue of background jobs (Cloudflare Queues). Each message is delivered at least once, in any order.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Sends a message: JSON of at most 128 KB.
    ///
    /// # Errors
    /// [`QueueError`]: the queue may or may not have accepted the message.
    async fn send(&self, message: &Value) -> std::result::Result<(), QueueError>;
}

/// A failed call to the queue: the queue may or may not have accepted the message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("queue: {0}")]
pub struct QueueError(pub String);
