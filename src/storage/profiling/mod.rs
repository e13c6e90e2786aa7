//! Computes a file's profile and row index while its bytes pass, and stores them in the sidecar beside the bytes.
//!
//! A profile is optional: a file whose profile could not be stored is still committed, and the background pass
//! computes the profile later.

pub mod pass;

use std::io;
use std::sync::Arc;

use chrono::TimeDelta;
use encoding_rs::Encoding;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::app::App;
use crate::config::Config;
use crate::csv::profile::{ColumnType, Profile, ProfiledBytes, Profiler};
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::error::{Problem, Result};
use crate::ports::{Fetched, NewObject, ObjectFacts, PieceObserver, PutError};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Maximum length of the column list in a row, in bytes. The columns of wider files are read from the profile.
const MAX_COLUMNS_BYTES: usize = 64 << 10;

/// Maximum length of a profile that is read, in bytes.
const MAX_PROFILE_BYTES: u64 = 16 << 20;

/// Profiles the pieces of one file.
pub struct ProfilingObserver(Profiler);

impl ProfilingObserver {
    /// Creates an observer for a file with this declared encoding. No byte of the file may have been read yet.
    pub fn new(config: &Config, encoding: Option<&'static Encoding>) -> Self {
        let mut profiler = Profiler::new(config.max_record_size_bytes);
        profiler.declare(encoding);
        Self(profiler)
    }

    /// Returns the profile. All bytes of the file must have been observed.
    pub fn finish(self) -> Profile {
        self.0.finish()
    }
}

impl PieceObserver for ProfilingObserver {
    fn observe(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }
}

/// The columns of a file's row that describe its profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of rows; `None` if the file cannot be read to its end.
    pub row_count: Option<u64>,
    /// Number of columns.
    pub column_count: Option<u64>,
    /// A JSON array of `{name, type}`; `None` for very wide files.
    pub columns: Option<String>,
    /// A JSON object: the dialect and the counts of ragged and malformed rows.
    pub dialect: Option<String>,
    /// Length of the stored profile, in bytes.
    pub profile_bytes: Option<u64>,
}

impl Summary {
    /// Returns the summary of a profile whose stored form is `profile_bytes` long.
    pub fn new(profile: &Profile, profile_bytes: u64) -> Self {
        let dialect = json!({
            "dialect": profile.dialect,
            "rowsShort": profile.rows_short,
            "rowsLong": profile.rows_long,
            "rowsMalformed": profile.rows_malformed,
        });
        Self {
            row_count: profile.failure.is_none().then_some(profile.row_count),
            column_count: Some(profile.columns.len() as u64),
            columns: columns_json(profile),
            dialect: Some(dialect.to_string()),
            profile_bytes: Some(profile_bytes),
        }
    }
}

/// Encodes the columns as JSON for the row. Columns are written one by one, because there may be a hundred thousand.
/// `None` if the text is longer than [`MAX_COLUMNS_BYTES`].
fn columns_json(profile: &Profile) -> Option<String> {
    #[derive(Serialize)]
    struct Column<'a> {
        name: &'a str,
        r#type: Option<ColumnType>,
    }
    let mut text = SizeLimitedWriter(Vec::new());
    let columns = profile.columns.iter();
    let columns = columns.map(|column| Column { name: &column.name, r#type: profile.type_of(column) });
    serde_json::Serializer::new(&mut text).collect_seq(columns).ok()?;
    String::from_utf8(text.0).ok()
}

/// A writer that fails after [`MAX_COLUMNS_BYTES`].
struct SizeLimitedWriter(Vec<u8>);

impl io::Write for SizeLimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_COLUMNS_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stored bytes that a profile describes.
pub struct ProfileTarget<'a> {
    /// The owner.
    pub user: &'a UserId,
    /// The file.
    pub file: FileId,
    /// The attempt that stored the bytes.
    pub attempt: AttemptId,
    /// Size and etag of the object.
    pub facts: &'a ObjectFacts,
}

impl App {
    /// Stores a profile in the sidecar of its file.
    ///
    /// # Errors
    /// `unavailable` if R2 cannot be reached. The caller can continue without the profile.
    pub async fn store_profile(&self, target: &ProfileTarget<'_>, profile: &Profile) -> Result<Summary> {
        let profiled_bytes = ProfiledBytes {
            attempt: target.attempt.to_string(),
            size_bytes: target.facts.size,
            etag: target.facts.etag.clone(),
        };
        let bytes = profile.encode(&profiled_bytes);
        let object = NewObject {
            key: StorageKey::Profile {
                user: target.user.clone(),
                file: target.file,
                attempt: target.attempt,
            },
            content_type: "application/octet-stream",
            labels: vec![("file-id", target.file.to_string()), ("attempt", target.attempt.to_string())],
            expected_sha256: None,
        };
        match self.objects.put_bytes(object, &bytes).await {
            // The same bytes have the same profile, so an existing sidecar already holds this one.
            Ok(_) | Err(PutError::Exists) => Ok(Summary::new(profile, bytes.len() as u64)),
            Err(error) => Err(error.into()),
        }
    }
}

impl R2StorageService {
    /// Returns a file's profile; `None` if it has none yet, or if it cannot be read.
    ///
    /// Costs one R2 read, or none if the isolate read the profile recently.
    pub async fn profile(&self, file: &FileRow) -> Option<Arc<Profile>> {
        file.profile_bytes?;
        let now = self.app.now();
        if let Some(profile) = self.app.cache.profile(&file.attempt, now) {
            return Some(profile);
        }
        match self.read_profile(file).await {
            Ok(profile) => {
                let profile = Arc::new(profile);
                let term = TimeDelta::seconds(self.app.config.cache_ttl_s.into());
                self.app.cache.keep_profile(&file.attempt, profile.clone(), (now, term));
                Some(profile)
            }
            Err(problem) => {
                self.app.write_log(
                    LogLine::warn("the profile cannot be read").with("file", file.id).caused_by(problem),
                );
                None
            }
        }
    }

    async fn read_profile(&self, file: &FileRow) -> Result<Profile> {
        let unreadable = |what: &str| Problem::internal(format!("the profile of {}: {what}", file.id));
        let key = StorageKey::Profile {
            user: file.user_id.clone(),
            file: file.id,
            attempt: AttemptId::parse(&file.attempt)
                .ok_or_else(|| unreadable("the attempt's id is malformed"))?,
        };
        let Fetched::Found(facts, body) = self.app.objects.get(&key, None, None).await? else {
            return Err(unreadable("the sidecar is missing"));
        };
        let mut source = body.into_source();
        if facts.size > MAX_PROFILE_BYTES {
            source.cancel().await;
            return Err(unreadable("the sidecar is too long"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.size).unwrap_or_default());
        while source.read(&mut bytes).await? > 0 {}
        let profiled_bytes = ProfiledBytes {
            attempt: file.attempt.clone(),
            size_bytes: file.file_size,
            etag: file.stored_etag()?.to_owned(),
        };
        Profile::decode(&bytes, &profiled_bytes).map_err(|error| unreadable(&error.to_string()))
    }
}
