//! The commands and responses of an upload session. Both are sent as JSON. The sender and the session may run different
//! versions of Cutty, so a new version must understand the JSON of older versions.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{AttemptId, FileId, ShareId, UserId};
use crate::domain::time::Timestamp;
use crate::http::tus::Checksum;
use crate::storage::protocol::OpenAttempt;

/// A command to an upload session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Start the upload. If the request has a body, append the body.
    Create {
        /// The upload to start.
        plan: Box<UploadPlan>,
        /// The checksum that the body must have (`Upload-Checksum`).
        checksum: Option<Checksum>,
        /// The SHA-256 that the body must have (`Repr-Digest` or `Content-Digest`).
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// Length of the body in bytes, if known.
        body_bytes: Option<u64>,
    },
    /// Append a body at an offset.
    Append {
        /// The client.
        #[serde(flatten)]
        sender: UploadSender,
        /// The offset of the body's first byte in the upload.
        offset: u64,
        /// Length of the whole upload in bytes, if the client sends the length with this body and not with `Create`.
        length: Option<u64>,
        /// The checksum that the body must have. The body is kept completely or not at all.
        checksum: Option<Checksum>,
        /// The SHA-256 that the body must have (`Repr-Digest` or `Content-Digest`). The body is kept completely or not
        /// at all.
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// Length of the body in bytes, if known.
        body_bytes: Option<u64>,
    },
    /// Report the progress of the upload.
    Status {
        /// The client.
        #[serde(flatten)]
        sender: UploadSender,
    },
    /// Terminate the upload.
    Terminate {
        /// The client.
        #[serde(flatten)]
        sender: UploadSender,
    },
}

/// The client of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadSender {
    /// The owner of the upload.
    pub user: UserId,
    /// The share through which the request is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareId>,
    /// The tag to which the principal is restricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// The data of an upload that are known when the upload starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadPlan {
    /// The attempt. Its intent has been written.
    pub open: OpenAttempt,
    /// The media type that the sender declared.
    pub declared_type: Option<String>,
    /// Length of the whole upload in bytes; `None` if the client will send the length later.
    pub length: Option<u64>,
    /// Maximum length of the upload, in bytes.
    pub limit_bytes: u64,
    /// Size of every part except the last, in bytes.
    pub part_bytes: usize,
    /// Time at which the upload expires if no more bytes arrive.
    pub expires_at: Timestamp,
    /// The `Upload-Metadata` header as the client sent it. Responses repeat it.
    pub metadata: Option<String>,
}

/// Progress of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadProgress {
    /// The upload's id.
    pub upload: AttemptId,
    /// Number of bytes that are kept.
    pub offset: u64,
    /// Length of the whole upload in bytes, if known.
    pub length: Option<u64>,
    /// Time at which the upload expires if no more bytes arrive.
    pub expires_at: Timestamp,
    /// The `Upload-Metadata` header as the client sent it.
    pub metadata: Option<String>,
    /// The id of the file, once it is stored.
    pub file: Option<FileId>,
}
