//! The messages of background work. Their form is a stored contract: a message outlives a deploy.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::audit::entry::Entry;
use crate::domain::ids::AttemptId;
use crate::ports::QueueError;

/// A message of one kind. As JSON it is an object, with the kind's name in `job`.
pub trait Message: Serialize {
    /// The name of its kind.
    const JOB: &'static str;
}

/// A file was read: to be written to the audit log and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordRead {
    /// What happened.
    pub operation: Entry,
}

impl Message for RecordRead {
    const JOB: &'static str = "record_read";
}

/// A file is to be read for its profile, and for its checksum if that is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnFile {
    /// The version of the file.
    pub attempt: AttemptId,
}

impl Message for LearnFile {
    const JOB: &'static str = "learn_file";
}

/// A message as it travels.
///
/// # Errors
/// It has no JSON form: a fault of ours.
pub fn encode<M: Message>(message: &M) -> Result<Value, QueueError> {
    let mut value = serde_json::to_value(message).map_err(|error| QueueError(error.to_string()))?;
    value["job"] = M::JOB.into();
    Ok(value)
}

impl App {
    /// Hands a message to the queue.
    ///
    /// # Errors
    /// It may have been taken or not.
    pub async fn enqueue<M: Message + Sync>(&self, message: &M) -> Result<(), QueueError> {
        self.queue.send(&encode(message)?).await
    }
}
