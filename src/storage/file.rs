//! A file: its row in the database, and the form in which clients see it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::body::stream::NativeBody;

use crate::csv::dialect::Delimiter;
use crate::csv::{FileEncoding, InputOptions, encoding_for_label};
use crate::domain::ids::{FileId, ShareId, UserId};
use crate::domain::reading;
use crate::domain::scan::ScanVerdict;
use crate::domain::spending::{WhenBudgetSpent, is_spent};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::Fetched;
use crate::ports::{Row, from_row};

/// The status of a file, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LifecycleStatus {
    /// Shown in the default list.
    Active,
    /// Hidden from the default list by its owner.
    Archived,
    /// In the trash.
    Deleted,
}

impl LifecycleStatus {
    /// Returns the name in rows and queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }

    /// Parses the name of a status; `None` if there is no such status.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Archived, Self::Deleted].into_iter().find(|status| status.name() == name)
    }
}

/// A row of `files` with its tags. The fields are the columns that [`crate::sql::files::Get`] selects.
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
    /// Name, in the Encoding Standard, of the encoding that the upload declared.
    pub encoding: Option<String>,
    /// JSON of the options with which the owner wants the file to be read.
    pub dialect_options: Option<String>,
    /// A JSON array of `{name, type}`. Queries for lists do not select this column.
    #[serde(default)]
    pub columns: Option<String>,
    /// A JSON object with the dialect of the profile and the counts of its defects. Queries for lists do not select this
    /// column.
    #[serde(default)]
    pub dialect: Option<String>,
    pub damaged_at: Option<Timestamp>,
    pub scan_verdict: Option<ScanVerdict>,
    pub scanned_at: Option<Timestamp>,
    pub system_tags: String,
    pub user_tags: String,
    /// Username of the owner, if the file is shared with the account that asks.
    #[serde(default)]
    pub shared_by: Option<String>,
    /// What this account may do: `read` or `cut`.
    #[serde(default)]
    pub may: Option<String>,
    /// The share.
    #[serde(default)]
    pub share: Option<ShareId>,
    /// The month in which the budget of the reader is spent, a space, and what then happens. Queries for lists do not
    /// select this column.
    #[serde(default)]
    pub spent_budget: Option<String>,
}

/// A dialect whose confidence is lower is not certain.
const CERTAIN: f64 = 0.8;

impl FileRow {
    /// Reads a row.
    ///
    /// # Errors
    /// `internal` if a column is missing or has another type than the field.
    pub fn read(row: Row) -> Result<Self> {
        from_row(row)
    }

    /// Returns the key of the object that holds the bytes.
    pub fn key(&self) -> StorageKey {
        StorageKey::Known(self.r2_key.clone())
    }

    /// Returns the entity tag of the bytes (RFC 9110 §8.8.3), quoted. The tag is the attempt's id, because the bytes of
    /// an attempt never change.
    pub fn entity_tag(&self) -> String {
        format!("\"{}\"", self.attempt)
    }

    /// Returns the name of the current revision of the metadata. A change by a client changes this name.
    pub fn revision_name(&self) -> String {
        format!("r{}", self.revision)
    }

    /// Returns the entity tag of the metadata, quoted: the name of the revision, a dot, and a hash of the metadata as
    /// clients see them. A client's change, a new profile or another read of the file changes the tag.
    ///
    /// # Errors
    /// `internal` if the metadata cannot be written as JSON.
    pub fn metadata_tag(&self) -> Result<String> {
        let shown = serde_json::to_vec(&FileView::from(self.clone())).map_err(Problem::internal)?;
        Ok(format!("\"{}.{:016x}\"", self.revision_name(), xxhash_rust::xxh3::xxh3_64(&shown)))
    }

    /// Returns the SHA-256 of the bytes; `None` until it is known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        let mut hash = [0; 32];
        hex::decode_to_slice(self.checksum.as_deref()?, &mut hash).ok()?;
        Some(hash)
    }

    /// Whether the bytes may be read: the file is not in the trash and has not expired.
    pub fn is_readable(&self, now: Timestamp) -> bool {
        let expired = self.expires_at.is_some_and(|expiry| expiry <= now);
        self.lifecycle_status != LifecycleStatus::Deleted && !expired
    }

    /// Returns the options for reading this file: the options that the request has, then those that the owner has
    /// stored with the file, then those that the upload declared.
    pub fn input(&self, asked: &InputOptions) -> InputOptions {
        asked.or(&stored_options(self.dialect_options.as_deref(), self.encoding.as_deref(), &self.mime_type))
    }

    /// Whether a reader with the options `asked` uses the dialect with which the profile was computed. Otherwise the
    /// profile does not describe the rows that the reader gets.
    pub fn is_read_as_profiled(&self, asked: &InputOptions) -> bool {
        self.input(asked) == self.input(&InputOptions::DETECT)
    }

    /// Returns the dialect of the profile as JSON; `None` if there is no profile.
    pub fn shown_dialect(&self) -> Option<Value> {
        Some(stored_json(self.dialect.as_deref())?.get_mut("dialect")?.take())
    }

    /// Returns the value of the header `X-Cutty-Notice`: what a reader of the rows should know about the file, such as
    /// `rows-long=12; undecodable=3`. `None` if there is nothing to say, or if the profile does not describe the rows
    /// that a reader with the options `asked` gets.
    pub fn notice(&self, asked: &InputOptions) -> Option<String> {
        let found = stored_json(self.dialect.as_deref())?;
        if !self.is_read_as_profiled(asked) && !says_what_holds(asked, &found["dialect"]) {
            return None;
        }
        let counts = [
            ("rows-long", "rowsLong"),
            ("rows-short", "rowsShort"),
            ("rows-malformed", "rowsMalformed"),
            ("undecodable", "undecodable"),
            ("comment-lines", "commentLines"),
        ];
        let counts = counts.into_iter().filter_map(|(notice, member)| {
            let count = found.get(member)?.as_u64().filter(|&count| count > 0)?;
            Some(format!("{notice}={count}"))
        });
        let confidence = found.get("dialect").and_then(|dialect| dialect.get("confidence")?.as_f64());
        let uncertain =
            confidence.filter(|&confidence| confidence < CERTAIN).map(|_| "dialect=uncertain".to_owned());
        let text = |member: &str| found.get("dialect")?.get(member)?.as_str();
        let is_guess = text("encodingSource") == Some("detected")
            && text("encoding").is_some_and(|encoding| !encoding.starts_with("UTF-"));
        let guessed = is_guess.then(|| "encoding=guessed".to_owned());
        let notices: Vec<String> = counts.chain(guessed).chain(uncertain).collect();
        (!notices.is_empty()).then(|| notices.join("; "))
    }

    /// Checks that the file is not marked as damaged.
    ///
    /// # Errors
    /// `integrity_error` if the file is marked as damaged.
    pub fn check_undamaged(&self) -> Result<()> {
        match self.damaged_at {
            None => Ok(()),
            Some(since) => Err(integrity_error(&self.r2_key, &format!("marked as damaged since {since}"))),
        }
    }

    /// Checks that the reader may cut the file: the budget of this month is not spent, or cuts are then not refused.
    ///
    /// # Errors
    /// `quota_exceeded`.
    pub fn check_budget(&self, now: Timestamp) -> Result<()> {
        let spent = self.spent_budget.as_deref().and_then(|text| text.split_once(' '));
        match spent {
            Some((month, when)) if is_spent(Some(month), now) && when != WhenBudgetSpent::Warn.name() => {
                Err(Problem::budget_spent())
            }
            _ => Ok(()),
        }
    }

    /// Returns the etag of the stored object. Every call that opens the bytes passes this etag to R2.
    ///
    /// # Errors
    /// `integrity_error` if the file is marked as damaged, or if its row has no etag.
    pub fn stored_etag(&self) -> Result<&str> {
        self.check_undamaged()?;
        self.etag.as_deref().ok_or_else(|| integrity_error(&self.r2_key, "the row has no etag"))
    }
}

/// Returns the options with which a file is read if a request has none. `options` is the JSON that the owner has
/// stored. `encoding` and `media_type` were declared by the upload.
pub fn stored_options(options: Option<&str>, encoding: Option<&str>, media_type: &str) -> InputOptions {
    let stored = options.and_then(|text| serde_json::from_str(text).ok());
    let stored = stored.and_then(|json| InputOptions::from_json(&json).ok()).unwrap_or_default();
    stored.or(&declared_options(encoding.and_then(encoding_for_label), media_type))
}

/// Returns the options that the declarations of an upload imply.
pub fn declared_options(encoding: Option<FileEncoding>, media_type: &str) -> InputOptions {
    let declared_delimiter = match media_type {
        "text/tab-separated-values" => Some(Delimiter::of(b'\t')),
        _ => None,
    };
    InputOptions { encoding, declared_delimiter, ..InputOptions::DETECT }
}

/// Returns the problem for stored bytes that do not agree with their row. `what` says what is wrong, for the log.
pub fn integrity_error(key: &str, what: &str) -> Problem {
    let detail = "The stored bytes are not the expected bytes, so they are not sent. Report the request id.";
    Problem::new(crate::error::Code::IntegrityError, detail).caused_by(format!("{key}: {what}"))
}

/// Returns the body of an object that must exist and be `size_bytes` long.
///
/// # Errors
/// `integrity_error` if the object is missing, or has another size or etag.
pub fn expect_found(fetched: Fetched, key: &str, size_bytes: u64) -> Result<Box<dyn NativeBody>> {
    match fetched {
        Fetched::Found(facts, body) if facts.size == size_bytes => Ok(body),
        Fetched::Found(facts, _) => {
            let what = format!("expected {size_bytes} bytes, the object has {}", facts.size);
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
    /// The file's id, a UUID.
    pub id: String,
    /// Filename: Unicode, at most 255 bytes of UTF-8.
    pub filename: String,
    /// Length in bytes.
    pub size: u64,
    /// Media type.
    pub content_type: String,
    /// SHA-256 of the bytes, 64 hex digits; null until the bytes are verified.
    pub checksum: Option<String>,
    /// Whether all bytes have been read and `checksum` is their SHA-256.
    pub verified: bool,
    /// Entity tag of the bytes, unquoted.
    pub etag: String,
    /// When the file was created (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the file was last changed (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Time of the last read. It is updated some seconds after a read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_accessed: Option<Timestamp>,
    /// Number of reads. It is updated some seconds after a read.
    pub access_count: u64,
    /// Tags that the service sets.
    pub system_tags: Vec<String>,
    /// Tags that the owner sets.
    pub user_tags: Vec<String>,
    /// Metadata that the owner sets.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// `Standard` or `InfrequentAccess`.
    pub storage_class: String,
    /// Status of the file: `active`, `archived` or `deleted` (in the trash).
    pub lifecycle_status: LifecycleStatus,
    /// When the service moves the file to the trash; null if the file does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// How the file was made: `upload`, `cut`, `import` or `migration`.
    pub source: String,
    /// Number of rows, without the header; null until known.
    pub row_count: Option<u64>,
    /// Number of columns; null until known.
    pub column_count: Option<u64>,
    /// How the file is read: encoding, delimiter, quote, header and so on, as in the profile. Absent in lists, and until
    /// the profile of the file is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<reading::DialectView>)]
    pub dialect: Option<Value>,
    /// The options that the owner has set for reading the file; absent if every rule is detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub dialect_options: Option<Value>,
    /// The verdict of the content scanner; absent if the file was stored while no scanner was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanView>,
    /// Username of the owner, if another account shares the file with you. Then its tags and metadata are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<String>,
    /// What you may do with a file that another account shares with you: `read`, or `cut` to read and cut it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may: Option<String>,
    /// Number that grows with each change of the file. The ETag of the metadata begins with `r` and this number.
    pub revision: u64,
}

/// The verdict of the content scanner.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanView {
    /// `clean`; `unscanned` if the scan failed and the server accepts such files; or `derived` for a saved cut, which
    /// is not scanned.
    pub verdict: ScanVerdict,
    /// When the scanner answered, or when the scan failed (RFC 3339, UTC, milliseconds).
    #[schema(value_type = String, format = DateTime)]
    pub scanned_at: Timestamp,
}

impl From<FileRow> for FileView {
    fn from(row: FileRow) -> Self {
        let dialect = row.shown_dialect();
        let scan = row.scan_verdict.zip(row.scanned_at);
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
            scan: scan.map(|(verdict, scanned_at)| ScanView { verdict, scanned_at }),
            revision: row.revision,
            shared_by: row.shared_by,
            may: row.may,
            dialect,
            dialect_options: stored_json(row.dialect_options.as_deref()),
        }
    }
}

/// Whether the options name only rules that hold in this dialect anyway.
fn says_what_holds(asked: &InputOptions, dialect: &Value) -> bool {
    let options = asked.to_json();
    options.as_object().is_some_and(|options| {
        options.iter().all(|(name, value)| match name.as_str() {
            "inputHeader" => dialect["headerRow"] == *value,
            "delimiter" => json!(asked.delimiter) == dialect["delimiter"],
            "comment" => {
                json!(asked.comment.flatten().map(|byte| char::from(byte).to_string())) == dialect["comment"]
            }
            _ => dialect[name] == *value,
        })
    })
}

/// Parses JSON that this service wrote. Returns `None` for damaged JSON, so that the file can still be shown.
fn stored_json(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}

/// Parses JSON that this service wrote. Returns the default value for damaged JSON, so that the file can still be
/// shown.
fn json_or_default<T: serde::de::DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
