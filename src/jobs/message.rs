//! The messages of background jobs. New code must be able to read the JSON form that old code wrote, because after a
//! deploy the new code gets messages that the old code sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::audit::entry::Entry;
use crate::domain::ids::{AttemptId, LinkId};
use crate::ports::QueueError;

/// A message for one job. Its JSON form is an object with the job's name in the member `job`.
pub trait Message: Serialize {
    /// The name of the job.
    const JOB: &'static str;
}

/// Asks to write the audit entry of a read, and to increase the read count of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordRead {
    /// The entry of the audit log that describes the read.
    pub operation: Entry,
}

impl Message for RecordRead {
    const JOB: &'static str = "record_read";
}

/// Asks to compute the profile of a file. If the file has no checksum, also asks to compute the checksum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileFile {
    /// The attempt that stored the bytes.
    pub attempt: AttemptId,
}

impl Message for ProfileFile {
    const JOB: &'static str = "learn_file";
}

/// Asks to send a link by email.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendLink {
    /// The link.
    pub link: LinkId,
}

impl Message for SendLink {
    const JOB: &'static str = "send_link";
}

/// Asks to send a link for a new password to an address, if an account has this address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestReset {
    /// The id of the link, if it is made.
    pub link: LinkId,
    /// The address, in lower case.
    pub email: String,
}

impl Message for RequestReset {
    const JOB: &'static str = "request_reset";
}

/// Encodes a message for the queue.
///
/// # Errors
/// [`QueueError`] if the message cannot be serialized. This would be a bug.
pub fn encode<M: Message>(message: &M) -> Result<Value, QueueError> {
    let mut value = serde_json::to_value(message).map_err(|error| QueueError(error.to_string()))?;
    value["job"] = M::JOB.into();
    Ok(value)
}

impl App {
    /// Sends a message to the queue.
    ///
    /// # Errors
    /// [`QueueError`]: the queue may or may not have accepted the message.
    pub async fn enqueue<M: Message + Sync>(&self, message: &M) -> Result<(), QueueError> {
        self.send_message(&encode(message)?).await
    }
}
