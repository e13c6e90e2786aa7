//! Computes a file's profile and row index while its bytes pass, and stores both in the sidecar of the file.
//!
//! A profile is optional: a file whose profile could not be stored is still committed, and the background pass computes
//! the profile later. The scrub replaces a sidecar that has no digests or wrong digests. If a sidecar is missing or
//! damaged, the scrub asks the background pass to make the sidecar again.

pub mod memory;
pub mod pass;

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::json;

use self::memory::ProfilerMemory;
use crate::app::App;
use crate::csv::InputOptions;
use crate::csv::profile::{BlockDigests, ColumnType, Profile, ProfiledBytes, Profiler, SidecarError};
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::error::{Code, Problem, Result};
use crate::memory::budget::Lease;
use crate::ports::{Fetched, NewObject, ObjectFacts, PieceObserver, PutError, StoreError};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Maximum length of the list of columns in a row of `files`, in bytes. Cutty does not store a longer list in the row,
/// and reads the columns from the profile instead.
const MAX_COLUMNS_BYTES: usize = 64 << 10;

/// Maximum length of a sidecar without its digests, in bytes. A longer sidecar is not read.
const MAX_PROFILE_BYTES: u64 = 16 << 20;

/// Profiles the pieces of one file.
pub struct ProfilingObserver {
    /// `None` if the isolate had no memory for the profiler.
    profiler: Option<Profiler>,
    memory: ProfilerMemory,
}

impl ProfilingObserver {
    /// Creates an observer for a file that is read with `options`. The observer must get all bytes of the file.
    pub fn new(app: &App, options: InputOptions) -> Self {
        let mut profiler = Profiler::new(app.config.max_record_size_bytes);
        profiler.declare(options);
        Self { profiler: Some(profiler), memory: ProfilerMemory::new(app) }
    }

    /// Returns the profile; `None` if the isolate had no memory to compute it. All bytes of the file must have been
    /// observed.
    pub fn finish(self) -> Option<Profile> {
        self.profiler.map(Profiler::finish)
    }
}

impl PieceObserver for ProfilingObserver {
    fn observe(&mut self, piece: &[u8]) {
        let Some(profiler) = &mut self.profiler else { return };
        profiler.push(piece);
        if !self.memory.admits(profiler.memory_bytes()) {
            self.profiler = None;
        }
    }
}

/// The values of those columns of the table `files` that describe a file's profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of rows; `None` if the file cannot be read to its end.
    pub row_count: Option<u64>,
    /// Number of columns.
    pub column_count: Option<u64>,
    /// A JSON array of `{name, type}`; `None` if it is longer than `MAX_COLUMNS_BYTES`.
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
            "undecodable": profile.undecodable,
            "commentLines": profile.comment_lines,
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

/// Encodes the columns as JSON for the row of the file. Encodes them one by one, because a file may have a hundred
/// thousand columns. Returns `None` if the text is longer than [`MAX_COLUMNS_BYTES`].
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

/// A writer that fails if it gets more than [`MAX_COLUMNS_BYTES`].
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
    /// The options that the owner has stored with the file.
    pub dialect_options: Option<&'a str>,
}

/// Returns a text that identifies the bytes of an attempt and the options with which they are read.
fn reading_key(attempt: &str, dialect_options: Option<&str>) -> String {
    match dialect_options {
        None => attempt.to_owned(),
        Some(options) => format!("{attempt} {options}"),
    }
}

impl ProfileTarget<'_> {
    fn key(&self) -> StorageKey {
        StorageKey::Profile { user: self.user.clone(), file: self.file, attempt: self.attempt }
    }

    fn binding(&self) -> ProfiledBytes {
        ProfiledBytes {
            attempt: reading_key(&self.attempt.to_string(), self.dialect_options),
            size_bytes: self.facts.size,
            etag: self.facts.etag.clone(),
        }
    }

    fn object(&self) -> NewObject {
        NewObject {
            key: self.key(),
            content_type: "application/octet-stream",
            labels: vec![("file-id", self.file.to_string()), ("attempt", self.attempt.to_string())],
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        }
    }
}

/// The result of reading a sidecar.
pub enum StoredSidecar {
    /// The profile of the expected bytes, and the length of the sidecar in bytes.
    Profile(Box<Profile>, u64),
    /// Another version of the program wrote the sidecar.
    OtherVersion,
    /// The sidecar is missing or damaged, or describes other bytes. The text names the reason.
    Unusable(String),
}

impl App {
    /// Stores a profile in the sidecar of its file. Replaces an existing sidecar, because it may be out of date.
    ///
    /// # Errors
    /// `unavailable` if R2 cannot be reached. The caller can continue without the profile.
    pub async fn store_profile(&self, target: &ProfileTarget<'_>, profile: &Profile) -> Result<Summary> {
        let bytes = profile.encode(&target.binding());
        match self.objects.put_bytes(target.object(), &bytes).await {
            Ok(_) => {}
            Err(PutError::Exists) => {
                self.objects.replace_bytes(target.object(), &bytes).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Summary::new(profile, bytes.len() as u64))
    }

    /// Replaces a sidecar and returns its length in bytes.
    ///
    /// # Errors
    /// [`StoreError`] if R2 failed. Then R2 has either the old sidecar or the new sidecar.
    pub async fn replace_profile(
        &self,
        target: &ProfileTarget<'_>,
        profile: &Profile,
    ) -> std::result::Result<u64, StoreError> {
        let bytes = profile.encode(&target.binding());
        self.objects.replace_bytes(target.object(), &bytes).await?;
        Ok(bytes.len() as u64)
    }

    /// Reads a sidecar.
    ///
    /// # Errors
    /// `unavailable` if R2 cannot be reached.
    pub async fn read_sidecar(&self, target: &ProfileTarget<'_>) -> Result<StoredSidecar> {
        let Fetched::Found(facts, body) = self.objects.get(&target.key(), None, None).await? else {
            return Ok(StoredSidecar::Unusable("the sidecar is missing".to_owned()));
        };
        let mut source = body.into_source();
        if facts.size > MAX_PROFILE_BYTES + BlockDigests::stored_bytes(target.facts.size) {
            source.cancel().await;
            return Ok(StoredSidecar::Unusable("the sidecar is too long".to_owned()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.size).unwrap_or_default());
        while source.read(&mut bytes).await? > 0 {}
        Ok(match Profile::decode(&bytes, &target.binding()) {
            Ok(profile) => StoredSidecar::Profile(Box::new(profile), facts.size),
            Err(SidecarError::OtherVersion) => StoredSidecar::OtherVersion,
            Err(error) => StoredSidecar::Unusable(error.to_string()),
        })
    }
}

/// The profile of a file, and the memory that it takes.
pub struct FileProfile {
    profile: Arc<Profile>,
    lease: Option<Lease>,
}

impl FileProfile {
    /// Returns the profile and the lease of its memory; no lease if the profile needs little memory.
    pub fn into_parts(self) -> (Arc<Profile>, Option<Lease>) {
        (self.profile, self.lease)
    }
}

impl Deref for FileProfile {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}

/// Returns how much memory a request needs to read a profile and to use it, in bytes: three times `profile_bytes` for
/// the stored and the decoded profile, and 128 bytes for the name and the header position of each column.
fn memory_of_profile(profile_bytes: u64, columns: Option<u64>) -> usize {
    let bytes = profile_bytes.saturating_mul(3).saturating_add(columns.unwrap_or(0).saturating_mul(128));
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl R2StorageService {
    /// Returns the profile of a file; `None` if the file has no profile yet, or if the profile cannot be read.
    ///
    /// Costs one R2 read, or none if the isolate read the profile recently.
    ///
    /// # Errors
    /// `unavailable` if there is no memory for the profile.
    pub async fn profile(&self, file: &FileRow) -> Result<Option<FileProfile>> {
        self.profile_unless(file, |_| false).await
    }

    /// As [`Self::profile`], for a request that has no other result than the profile.
    ///
    /// # Errors
    /// `unavailable` if there is no memory for the profile, or if R2 does not respond.
    pub async fn needed_profile(&self, file: &FileRow) -> Result<Option<FileProfile>> {
        self.profile_unless(file, |problem| problem.code() == Code::Unavailable).await
    }

    /// Returns the profile of a file. If the profile cannot be read, returns an error if `is_fatal` holds, or else `None`.
    async fn profile_unless(
        &self,
        file: &FileRow,
        is_fatal: fn(&Problem) -> bool,
    ) -> Result<Option<FileProfile>> {
        let Some(profile_bytes) = file.profile_bytes else { return Ok(None) };
        let lease = self.app.lease_wide_memory(memory_of_profile(profile_bytes, file.column_count)).await?;
        match self.cached_or_read(file).await {
            Ok(profile) => Ok(Some(FileProfile { profile, lease })),
            Err(problem) if is_fatal(&problem) => Err(problem),
            Err(problem) => {
                let line = LogLine::warn("the profile cannot be read").with("file", file.id);
                self.app.write_log(line.caused_by(problem));
                Ok(None)
            }
        }
    }

    async fn cached_or_read(&self, file: &FileRow) -> Result<Arc<Profile>> {
        let key = reading_key(&file.attempt, file.dialect_options.as_deref());
        if let Some(profile) = self.app.cached_profile(&key) {
            return Ok(profile);
        }
        let profile = Arc::new(self.read_profile(file).await?);
        self.app.keep_profile(&key, profile.clone());
        Ok(profile)
    }

    async fn read_profile(&self, file: &FileRow) -> Result<Profile> {
        let unreadable = |what: &str| Problem::internal(format!("the profile of {}: {what}", file.id));
        let facts = ObjectFacts { size: file.file_size, etag: file.stored_etag()?.to_owned() };
        let target = ProfileTarget {
            user: &file.user_id,
            file: file.id,
            attempt: AttemptId::parse(&file.attempt)
                .ok_or_else(|| unreadable("the attempt's id is malformed"))?,
            facts: &facts,
            dialect_options: file.dialect_options.as_deref(),
        };
        match self.app.read_sidecar(&target).await? {
            StoredSidecar::Profile(profile, _) => Ok(*profile),
            StoredSidecar::OtherVersion => {
                // The background pass replaces the sidecar.
                let lengths = json!({ file.attempt.as_str(): null }).to_string();
                let forget = sql::sweeps::SetSidecars { lengths: &lengths };
                self.app.database.query(forget.statement()).await?;
                self.app.request_profile(file).await;
                Err(unreadable("another version wrote the sidecar"))
            }
            StoredSidecar::Unusable(what) => Err(unreadable(&what)),
        }
    }
}
