//! What a file's bytes teach as they pass: its profile and row index, kept beside the bytes.
//!
//! A profile is a help, never a condition: a file whose profile could not be stored is a file all the same, and the
//! background pass reads it again.

pub mod pass;

use std::io;
use std::sync::Arc;

use chrono::TimeDelta;
use encoding_rs::Encoding;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::app::App;
use crate::config::Config;
use crate::csv::profile::{Binding, ColumnType, Profile, Profiler};
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::error::{Problem, Result};
use crate::ports::{Fetched, NewObject, ObjectFacts, PieceObserver, PutError};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// The most bytes of column names a row holds; the columns of wider files are read from the profile.
const MAX_COLUMNS_BYTES: usize = 64 << 10;

/// The longest profile that is read.
const MAX_PROFILE_BYTES: u64 = 16 << 20;

/// Learns from the pieces of one file.
pub struct LearningObserver(Profiler);

impl LearningObserver {
    /// Learns from a file that has not begun, declared to be in this encoding.
    pub fn new(config: &Config, encoding: Option<&'static Encoding>) -> Self {
        let mut profiler = Profiler::new(config.max_record_size_bytes);
        profiler.declare(encoding);
        Self(profiler)
    }

    /// What was learned, at the end of the file.
    pub fn finish(self) -> Profile {
        self.0.finish()
    }
}

impl PieceObserver for LearningObserver {
    fn observe(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }
}

/// What a file's row says of its profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records below the header.
    pub row_count: Option<u64>,
    /// Columns.
    pub column_count: Option<u64>,
    /// A JSON array of `{name, type}`; absent for very wide files.
    pub columns: Option<String>,
    /// A JSON object: encoding, delimiter and the like.
    pub dialect: Option<String>,
    /// Length of the stored profile.
    pub profile_bytes: Option<u64>,
}

impl Summary {
    /// The summary of a profile that is stored in `profile_bytes`.
    pub fn of(profile: &Profile, profile_bytes: u64) -> Self {
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

/// The columns as a row holds them, written one by one: there may be a hundred thousand. `None` when that is too long.
fn columns_json(profile: &Profile) -> Option<String> {
    #[derive(Serialize)]
    struct Column<'a> {
        name: &'a str,
        r#type: Option<ColumnType>,
    }
    let mut text = Bounded(Vec::new());
    let columns = profile.columns.iter();
    let columns = columns.map(|column| Column { name: &column.name, r#type: profile.type_of(column) });
    serde_json::Serializer::new(&mut text).collect_seq(columns).ok()?;
    String::from_utf8(text.0).ok()
}

/// Takes at most [`MAX_COLUMNS_BYTES`], and fails beyond.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
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

/// Which bytes a profile is of.
pub struct Described<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// The file.
    pub file: FileId,
    /// Its version.
    pub attempt: AttemptId,
    /// The object.
    pub facts: &'a ObjectFacts,
}

impl App {
    /// Stores a profile beside the bytes it is of.
    ///
    /// # Errors
    /// The store failed; the file can do without.
    pub async fn store_profile(&self, of: &Described<'_>, profile: &Profile) -> Result<Summary> {
        let binding = Binding {
            attempt: of.attempt.to_string(),
            size_bytes: of.facts.size,
            etag: of.facts.etag.clone(),
        };
        let bytes = profile.encode(&binding);
        let object = NewObject {
            key: StorageKey::Profile { user: of.user.clone(), file: of.file, attempt: of.attempt },
            content_type: "application/octet-stream",
            labels: vec![("file-id", of.file.to_string()), ("attempt", of.attempt.to_string())],
            expected_sha256: None,
        };
        match self.objects.put_bytes(object, &bytes).await {
            // The same bytes have the same profile: one that is there already is this one.
            Ok(_) | Err(PutError::Exists) => Ok(Summary::of(profile, bytes.len() as u64)),
            Err(error) => Err(error.into()),
        }
    }
}

impl R2StorageService {
    /// What is known of a file's content; nothing while it has no profile, or when it cannot be read just now.
    ///
    /// Costs one R2 read, none when the isolate has read it lately.
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
                    LogLine::warn("a profile could not be read").with("file", file.id).caused_by(problem),
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
            attempt: AttemptId::parse(&file.attempt).ok_or_else(|| unreadable("no attempt"))?,
        };
        let Fetched::Found(facts, body) = self.app.objects.get(&key, None, None).await? else {
            return Err(unreadable("missing"));
        };
        let mut source = body.into_source();
        if facts.size > MAX_PROFILE_BYTES {
            source.cancel().await;
            return Err(unreadable("too long"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.size).unwrap_or_default());
        while source.read(&mut bytes).await? > 0 {}
        let binding = Binding {
            attempt: file.attempt.clone(),
            size_bytes: file.file_size,
            etag: file.stored_etag()?.to_owned(),
        };
        Profile::decode(&bytes, &binding).map_err(|error| unreadable(&error.to_string()))
    }
}
