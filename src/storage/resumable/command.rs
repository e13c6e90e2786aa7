//! What a session of an upload is asked, and what it answers. As JSON they travel between Workers of two versions.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::time::Timestamp;
use crate::http::tus::Checksum;
use crate::storage::protocol::OpenAttempt;

/// What a session is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Begin, and take the body that comes with it, if any.
    Create {
        /// What is being uploaded.
        plan: Box<UploadPlan>,
        /// What the body is to hash to.
        checksum: Option<Checksum>,
        /// Its SHA-256 by `Repr-Digest` or `Content-Digest`.
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// How long the body is, if that is known.
        body_bytes: Option<u64>,
    },
    /// Take bytes at an offset.
    Append {
        /// Who sends them.
        user: UserId,
        /// Where they go.
        offset: u64,
        /// How long the upload will be, where that had been left open.
        length: Option<u64>,
        /// What the body is to hash to: it is kept whole, or not at all.
        checksum: Option<Checksum>,
        /// Its SHA-256 by `Repr-Digest` or `Content-Digest`; the same goes for it.
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// How long the body is, if that is known.
        body_bytes: Option<u64>,
    },
    /// Tell how far the upload is.
    Status {
        /// Who asks.
        user: UserId,
    },
    /// Give the upload up.
    Terminate {
        /// Who asks.
        user: UserId,
    },
}

/// What is known of an upload when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadPlan {
    /// The attempt whose intent has been written.
    pub open: OpenAttempt,
    /// The media type its sender gave.
    pub declared_type: Option<String>,
    /// How long it will be, in bytes; `None` while that is left open.
    pub length: Option<u64>,
    /// How long it may be, in bytes.
    pub limit_bytes: u64,
    /// The size of every part but the last.
    pub part_bytes: usize,
    /// When it ends unless bytes come.
    pub expires_at: Timestamp,
    /// `Upload-Metadata` as it was sent, to be shown again.
    pub metadata: Option<String>,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadProgress {
    /// The upload's id.
    pub upload: AttemptId,
    /// How many bytes are kept.
    pub offset: u64,
    /// How many there will be, where that is known.
    pub length: Option<u64>,
    /// When it ends unless bytes come.
    pub expires_at: Timestamp,
    /// `Upload-Metadata` as it was sent.
    pub metadata: Option<String>,
    /// The file, once it is stored.
    pub file: Option<FileId>,
}
