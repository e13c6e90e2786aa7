//! Background work on Queues.

use async_trait::async_trait;
use worker::Queue;
use worker::send::SendFuture;

use crate::jobs::message::Job;
use crate::ports::{JobQueue, QueueError};

/// A queue to send to.
pub struct CloudflareQueue {
    queue: Queue,
}

unsafe impl Send for CloudflareQueue {}
unsafe impl Sync for CloudflareQueue {}

impl CloudflareQueue {
    /// Wraps a binding.
    pub fn new(queue: Queue) -> Self {
        Self { queue }
    }
}

#[async_trait]
impl JobQueue for CloudflareQueue {
    async fn send(&self, job: Job) -> Result<(), QueueError> {
        SendFuture::new(async { self.queue.send(&job).await.map_err(|error| QueueError(error.to_string())) })
            .await
    }
}
