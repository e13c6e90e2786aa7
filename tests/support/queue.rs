//! A queue that keeps messages until the test delivers them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::ports::{JobQueue, QueueError};
use serde_json::Value;

use super::faults::{Call, Faults, Port};

pub struct RecordingQueue {
    messages: Mutex<Vec<Value>>,
    faults: Faults,
}

impl RecordingQueue {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { messages: Mutex::default(), faults })
    }

    /// Returns the waiting messages.
    pub fn waiting(&self) -> Vec<Value> {
        self.messages.lock().unwrap().clone()
    }

    /// Removes all messages from the queue and returns them, so that the test can deliver them.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.messages.lock().unwrap())
    }

    /// Puts messages whose delivery failed back into the queue.
    pub fn put_back(&self, messages: Vec<Value>) {
        self.messages.lock().unwrap().splice(..0, messages);
    }
}

#[async_trait]
impl JobQueue for RecordingQueue {
    async fn send(&self, message: &Value) -> Result<(), QueueError> {
        let subject = message.to_string();
        assert!(subject.len() <= 128 * 1024, "the message is longer than 128 KiB");
        let call = Call { port: Port::Queue, method: "send", subject, statements: 1 };
        let action = async {
            self.messages.lock().unwrap().push(message.clone());
            Ok(())
        };
        self.faults.call(call, QueueError, action).await
    }
}
