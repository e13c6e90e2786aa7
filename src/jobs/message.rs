//! The messages. Their form is a stored contract: messages outlive a deploy.

use serde::{Deserialize, Serialize};

use crate::audit::entry::Operation;
use crate::domain::ids::AttemptId;

/// A queue message. The tag and field names are a stored contract: messages outlive a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// A file was read: to be written to the audit log and counted.
    RecordRead {
        /// What happened.
        operation: Box<Operation>,
    },
    /// A file is to be read for its profile, and its checksum if that is not known.
    LearnFile {
        /// The version of the file.
        attempt: AttemptId,
    },
}
