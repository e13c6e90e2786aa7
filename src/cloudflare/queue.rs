//! The job queue on Cloudflare Queues.

use async_trait::async_trait;
use serde_json::Value;
use worker::send::SendFuture;
use worker::{Queue, QueueContentType, RawMessageBuilder};

use super::js::error_text;
use crate::ports::{JobQueue, QueueError};

/// A binding to a queue.
pub struct CloudflareQueue {
    queue: Queue,
}

impl CloudflareQueue {
    /// Wraps a binding.
    pub fn new(queue: Queue) -> Self {
        Self { queue }
    }
}

#[async_trait]
impl JobQueue for CloudflareQueue {
    async fn send(&self, message: &Value) -> Result<(), QueueError> {
        SendFuture::new(async {
            // The message is converted through JSON text. A direct conversion would make a JavaScript `Map`, and the
            // queue drops the content of a `Map`.
            let body =
                js_sys::JSON::parse(&message.to_string()).map_err(|error| QueueError(error_text(&error)))?;
            let message = RawMessageBuilder::new(body).build_with_content_type(QueueContentType::Json);
            self.queue.send_raw(message).await.map_err(|error| QueueError(error.to_string()))
        })
        .await
    }
}
