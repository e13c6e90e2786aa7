//! The queue of background work.

use async_trait::async_trait;

use crate::jobs::message::Job;

/// Background work (Queues): at least once, in any order.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Hands a job over.
    ///
    /// # Errors
    /// It may have been taken or not.
    async fn send(&self, job: Job) -> std::result::Result<(), QueueError>;
}

/// A job that may not have been taken.
#[derive(Debug, Clone, thiserror::Error)]
#[error("queue: {0}")]
pub struct QueueError(pub String);
