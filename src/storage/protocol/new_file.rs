//! What is known of a file before its bytes are stored.

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::csv::encoding_for_label;
use crate::domain::caller::Caller;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::http::filename::Filename;
use crate::http::sniff::TEXT_CSV;
use crate::http::sniff::stored_type_named;

/// How a file came in.
#[derive(Debug, Clone)]
pub enum Origin {
    /// From its owner.
    Upload,
    /// From a cut of another file.
    Cut {
        /// The file that was cut.
        parent: FileId,
        /// All it takes to make the bytes again, as JSON.
        recipe: Value,
    },
}

/// What the owner says of a file; a form may say it after the bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Tags, checked.
    pub tags: Vec<String>,
    /// Metadata, checked.
    pub metadata: Map<String, Value>,
    /// When it is to go to the trash.
    pub expires_at: Option<Timestamp>,
}

/// What is known of a file before its bytes are stored.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// A name that has been checked.
    pub filename: String,
    /// What the content turned out to be.
    pub content_type: &'static str,
    /// The encoding it was declared to be in.
    pub encoding: Option<&'static Encoding>,
    /// What its owner says of it.
    pub description: Description,
    /// The hash the client says the bytes have.
    pub expected_sha256: Option<[u8; 32]>,
    /// Where it comes from.
    pub origin: Origin,
}

impl NewFile {
    /// A file from its owner, whose type is not yet known.
    pub fn uploaded(filename: &Filename, description: Description) -> Self {
        Self {
            filename: filename.as_str().to_owned(),
            content_type: TEXT_CSV,
            encoding: None,
            description,
            expected_sha256: None,
            origin: Origin::Upload,
        }
    }
}

/// An uploaded file that takes several requests: all that a later one needs to go on with its attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenAttempt {
    /// The file to be.
    pub file: FileId,
    /// The attempt; also the id of the upload.
    pub attempt: AttemptId,
    /// Its owner.
    pub user: UserId,
    /// Who began it: the owner, where older code did not say.
    #[serde(default)]
    pub principal: Option<Principal>,
    /// Who sent the request that began it.
    pub caller: Caller,
    /// A name that has been checked.
    pub filename: String,
    /// What its owner says of it.
    pub description: Description,
    /// How many bytes of the quota are reserved, at least.
    pub reserved_bytes: u64,
    /// When it began.
    pub started: Timestamp,
}

/// What an upload that may come in turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectedContent {
    /// The media type it is stored and served as.
    pub content_type: &'static str,
    /// The encoding it was declared to be in.
    pub encoding: Option<&'static Encoding>,
}

impl DetectedContent {
    /// What an upload is taken for that nobody has judged.
    pub const UNKNOWN: Self = Self { content_type: TEXT_CSV, encoding: None };

    /// What was noted of an earlier judgement.
    pub fn noted(content_type: Option<&str>, encoding: Option<&str>) -> Self {
        Self {
            content_type: content_type.and_then(stored_type_named).unwrap_or(TEXT_CSV),
            encoding: encoding.and_then(encoding_for_label),
        }
    }
}
