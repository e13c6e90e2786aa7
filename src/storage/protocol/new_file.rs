//! The data of a file whose bytes are not stored yet. If an attempt consists of several requests, this data is stored
//! between the requests.

use std::sync::Arc;

use crate::csv::FileEncoding;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::csv::{InputOptions, encoding_for_label};
use crate::domain::caller::Caller;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::principal::Principal;
use crate::domain::recipe::Recipe;
use crate::domain::storage_class::StorageClass;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::sniff::TEXT_CSV;
use crate::http::sniff::stored_type_named;
use crate::http::tags::Tags;
use crate::storage::file::declared_options;

/// How a file is made.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Uploaded by its owner.
    Upload,
    /// Saved from a cut of another file.
    Cut {
        /// The recipe. It names the file that was cut.
        recipe: Arc<Recipe>,
    },
}

/// The owner's description of a file. A form may send it after the bytes, except the storage class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Checked tags.
    pub tags: Vec<String>,
    /// Checked metadata.
    pub metadata: Map<String, Value>,
    /// When the service moves the file to the trash; `None` if the file does not expire.
    pub expires_at: Option<Timestamp>,
    /// Storage class of the object that holds the bytes.
    #[serde(default, skip_serializing_if = "StorageClass::is_standard")]
    pub storage_class: StorageClass,
}

impl Description {
    /// Adds the tag to which the principal is restricted, so that the principal sees the new file.
    ///
    /// # Errors
    /// `bad_metadata` if the file already has the maximum number of other tags.
    pub fn add_tag(&mut self, tag: Option<&str>) -> Result<()> {
        let Some(tag) = tag.filter(|tag| !self.has_tag(tag)) else { return Ok(()) };
        if self.tags.len() >= Tags::MAX_COUNT {
            let detail = format!(
                "The API key adds the tag {tag:?} to its files, and a file can have at most {} tags. Remove a tag.",
                Tags::MAX_COUNT
            );
            return Err(Problem::new(Code::BadMetadata, detail));
        }
        self.tags.push(tag.to_owned());
        Ok(())
    }

    /// Whether the file will have this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|known| known == tag)
    }
}

/// Data of a file before its bytes are stored.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Checked filename.
    pub filename: String,
    /// Media type that was detected from the content.
    pub content_type: &'static str,
    /// Declared encoding.
    pub encoding: Option<FileEncoding>,
    /// The other rules by which the file is read, as far as they are known.
    pub dialect: InputOptions,
    /// The owner's description.
    pub description: Description,
    /// The SHA-256 that the client announced.
    pub expected_sha256: Option<[u8; 32]>,
    /// How the file is made.
    pub origin: Origin,
}

impl NewFile {
    /// Creates the data of an uploaded file whose media type is not known yet.
    pub fn uploaded(filename: &Filename, description: Description) -> Self {
        Self {
            filename: filename.as_str().to_owned(),
            content_type: TEXT_CSV,
            encoding: None,
            dialect: InputOptions::DETECT,
            description,
            expected_sha256: None,
            origin: Origin::Upload,
        }
    }

    /// Returns the JSON of the rules that are stored with the file; `None` if no rule is known.
    pub fn dialect_options(&self) -> Option<String> {
        (!self.dialect.is_detection()).then(|| self.dialect.to_json().to_string())
    }

    /// Returns the options for reading the file.
    pub fn input(&self) -> InputOptions {
        self.dialect.or(&declared_options(self.encoding, self.content_type))
    }
}

/// All data that a later request needs to resume an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenAttempt {
    /// The id of the file to make.
    pub file: FileId,
    /// The id of the attempt, which is also the id of the upload.
    pub attempt: AttemptId,
    /// The owner.
    pub user: UserId,
    /// The principal that started the attempt; `None` in data that an older version of Cutty stored. In this case, the
    /// owner started the attempt.
    #[serde(default)]
    pub principal: Option<Principal>,
    /// The sender of the request that started the attempt.
    pub caller: Caller,
    /// Checked filename.
    pub filename: String,
    /// The owner's description.
    pub description: Description,
    /// Number of bytes that are known to be reserved. The reservation in the database may be larger.
    pub reserved_bytes: u64,
    /// When the attempt was started.
    pub started: Timestamp,
}

/// Media type and encoding of an accepted upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectedContent {
    /// The media type with which the file is stored and sent.
    pub content_type: &'static str,
    /// Declared encoding.
    pub encoding: Option<FileEncoding>,
    /// Whether the file has a header, if the upload declared it.
    pub header: Option<bool>,
}

impl DetectedContent {
    /// Returns the options for reading the file.
    pub fn input(&self) -> InputOptions {
        self.dialect().or(&declared_options(self.encoding, self.content_type))
    }

    /// Returns the rules that are stored with the file.
    pub fn dialect(&self) -> InputOptions {
        InputOptions { header: self.header, ..InputOptions::DETECT }
    }

    /// The default for an upload whose content was not checked.
    pub const UNKNOWN: Self = Self { content_type: TEXT_CSV, encoding: None, header: None };

    /// Restores the result of an earlier check from its stored form.
    pub fn from_stored(content_type: Option<&str>, encoding: Option<&str>, header: Option<bool>) -> Self {
        Self {
            content_type: content_type.and_then(stored_type_named).unwrap_or(TEXT_CSV),
            encoding: encoding.and_then(encoding_for_label),
            header,
        }
    }
}
