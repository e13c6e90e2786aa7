//! A file as the database holds it and as clients see it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::body::stream::NativeBody;
use crate::csv::{InputOptions, encoding_for_label};
use crate::domain::ids::{FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::Fetched;
use crate::ports::{Row, from_row};

/// Where a file is in its life, as far as its owner can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LifecycleStatus {
    /// In the default list.
    Active,
    /// Kept, but hidden from the default list by its owner.
    Archived,
    /// In the trash.
    Deleted,
}

impl LifecycleStatus {
    /// The name in rows and queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Archived, Self::Deleted].into_iter().find(|status| status.name() == name)
    }
}

/// A row of `files` with its tags; the columns of [`crate::sql::files::Get`].
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct FileRow {
    pub id: FileId,
    pub user_id: UserId,
    pub filename: String,
    pub r2_key: String,
    pub mime_type: String,
    pub file_size: u64,
    pub checksum: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub storage_class: String,
    pub lifecycle_status: LifecycleStatus,
    pub revision: u64,
    pub expires_at: Option<Timestamp>,
    pub last_accessed: Option<Timestamp>,
    pub access_count: u64,
    pub metadata: String,
    pub etag: Option<String>,
    pub attempt: String,
    pub source: String,
    pub row_count: Option<u64>,
    pub column_count: Option<u64>,
    pub profile_bytes: Option<u64>,
    /// The encoding its upload declared, by its name in the Encoding Standard.
    pub encoding: Option<String>,
    /// A JSON array of `{name, type}`; lists leave it out.
    #[serde(default)]
    pub columns: Option<String>,
    pub damaged_at: Option<Timestamp>,
    pub system_tags: String,
    pub user_tags: String,
}

impl FileRow {
    /// Reads a row.
    ///
    /// # Errors
    /// The schema and the code disagree.
    pub fn read(row: Row) -> Result<Self> {
        from_row(row)
    }

    /// Where its bytes are.
    pub fn key(&self) -> StorageKey {
        StorageKey::Known(self.r2_key.clone())
    }

    /// The entity tag of its bytes (RFC 9110 §8.8.3), quoted: its version never changes its bytes.
    pub fn entity_tag(&self) -> String {
        format!("\"{}\"", self.attempt)
    }

    /// The entity tag of its metadata, quoted.
    pub fn metadata_tag(&self) -> String {
        format!("\"r{}\"", self.revision)
    }

    /// The SHA-256 of its bytes, when known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        let mut hash = [0; 32];
        hex::decode_to_slice(self.checksum.as_deref()?, &mut hash).ok()?;
        Some(hash)
    }

    /// How it is read by someone who asks for this: in the encoding it was declared to be in, unless another is asked
    /// for.
    pub fn input(&self, asked: InputOptions) -> InputOptions {
        let declared = || self.encoding.as_deref().and_then(encoding_for_label);
        InputOptions { encoding: asked.encoding.or_else(declared), ..asked }
    }

    /// Whether someone who asks for this reads it as its profile was learned: then, and only then, the profile tells
    /// of what is read.
    pub fn is_read_as_profiled(&self, asked: InputOptions) -> bool {
        self.input(asked) == self.input(InputOptions::default())
    }

    /// The store's etag of its bytes, without which they are not opened.
    ///
    /// # Errors
    /// `integrity_error`: the scrub has found the bytes damaged, or the row has no etag, which every kept file has.
    pub fn stored_etag(&self) -> Result<&str> {
        if let Some(since) = self.damaged_at {
            return Err(integrity_error(&self.r2_key, &format!("known to be damaged since {since}")));
        }
        self.etag.as_deref().ok_or_else(|| integrity_error(&self.r2_key, "the row has no etag"))
    }
}

/// The problem of bytes that are not the ones the row tells of.
pub fn integrity_error(key: &str, what: &str) -> Problem {
    let detail = "The stored bytes are not the ones expected, so they are not sent. Report the request id.";
    Problem::new(crate::error::Code::IntegrityError, detail).caused_by(format!("{key}: {what}"))
}

/// The body of an object that must be there, `size_bytes` long as a whole.
///
/// # Errors
/// `integrity_error` when it is not, or is another.
pub fn expect_found(fetched: Fetched, key: &str, size_bytes: u64) -> Result<Box<dyn NativeBody>> {
    match fetched {
        Fetched::Found(facts, body) if facts.size == size_bytes => Ok(body),
        Fetched::Found(facts, _) => {
            let what = format!("{size_bytes} bytes are expected, the object has {}", facts.size);
            Err(integrity_error(key, &what))
        }
        Fetched::Missing => Err(integrity_error(key, "the object is missing")),
        Fetched::Different => Err(integrity_error(key, "the object has another etag")),
    }
}

/// A file as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    /// UUID.
    pub id: String,
    /// The name, Unicode, at most 255 bytes of UTF-8.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Media type.
    pub content_type: String,
    /// SHA-256 of the bytes, 64 hex digits; null while it is not verified.
    pub checksum: Option<String>,
    /// Whether all bytes have been read and `checksum` is theirs.
    pub verified: bool,
    /// Entity tag of the bytes, unquoted.
    pub etag: String,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// RFC 3339, UTC, milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it was last read; follows a read by seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_accessed: Option<Timestamp>,
    /// How often it was read; follows a read by seconds.
    pub access_count: u64,
    /// Set by the service.
    pub system_tags: Vec<String>,
    /// Set by the owner.
    pub user_tags: Vec<String>,
    /// Set by the owner.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// `Standard` or `InfrequentAccess`.
    pub storage_class: String,
    /// Where it is in its life.
    pub lifecycle_status: LifecycleStatus,
    /// When it goes to the trash by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// `upload`, `cut`, `import` or `migration`.
    pub source: String,
    /// Records below the header, once known.
    pub row_count: Option<u64>,
    /// Columns, once known.
    pub column_count: Option<u64>,
    /// Counts changes; the ETag of the metadata.
    pub revision: u64,
}

impl From<FileRow> for FileView {
    fn from(row: FileRow) -> Self {
        Self {
            id: row.id.to_string(),
            filename: row.filename,
            size: row.file_size,
            content_type: row.mime_type,
            verified: row.checksum.is_some(),
            checksum: row.checksum,
            etag: row.attempt,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_accessed: row.last_accessed,
            access_count: row.access_count,
            system_tags: json_or_default(&row.system_tags),
            user_tags: json_or_default(&row.user_tags),
            metadata: json_or_default(&row.metadata),
            storage_class: row.storage_class,
            lifecycle_status: row.lifecycle_status,
            expires_at: row.expires_at,
            source: row.source,
            row_count: row.row_count,
            column_count: row.column_count,
            revision: row.revision,
        }
    }
}

/// Reads JSON that this service wrote; a damaged value shows as empty rather than hiding the file.
fn json_or_default<T: serde::de::DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
