//! Stores the marks of a count ([`MatchMarks`]) under `temp/` for an hour, so that pages of the matching rows need not
//! read the file from its start.
//!
//! The row of the object in `gc_queue` has a label, by which a page finds the object. If the marks cannot be stored or
//! read, pages are only slower.

use chrono::TimeDelta;
use serde::Deserialize;

use crate::app::App;
use crate::csv::MatchMarks;
use crate::domain::ids::{AttemptId, EventId, UserId};
use crate::domain::log::LogLine;
use crate::domain::row_count::RowCount;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::error::Result;
use crate::ports::{NewObject, from_row};
use crate::sql;

/// Marks are stored only for files of at least this many bytes. A smaller file is read in a fraction of a second.
pub(super) const MIN_FILE_BYTES: u64 = 4 << 20;

/// How long the marks are kept.
const LIFETIME: TimeDelta = TimeDelta::hours(1);

/// Maximum length of stored marks, in bytes: 8,192 marks with three numbers of at most ten bytes each, and the rest.
const MAX_STORED_BYTES: u64 = 256 << 10;

/// A count that is stored with its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MarkedCount {
    /// The result of the count.
    pub(super) count: RowCount,
    /// The marks.
    pub(super) marks: MatchMarks,
}

/// Identifies a count: the version of the file, how it is read, and the filter.
pub(super) struct CountKey<'a> {
    /// Owner of the file.
    pub(super) user: &'a UserId,
    /// The same for equal counts, and only for them.
    pub(super) text: &'a str,
}

#[derive(Deserialize)]
struct FoundRow {
    r2_key: String,
}

impl MarkedCount {
    /// Stores a count and its marks. If this fails, writes the cause to the log.
    pub(super) async fn keep(&self, app: &App, key: &CountKey<'_>) {
        if let Err(problem) = self.store(app, key).await {
            app.write_log(LogLine::warn("the marks of a count cannot be stored").caused_by(problem));
        }
    }

    async fn store(&self, app: &App, key: &CountKey<'_>) -> Result<()> {
        if find(app, key).await?.is_some() {
            return Ok(());
        }
        let bytes = self.encode(key.text);
        let (object, now) = (StorageKey::Marks { id: app.fresh_id::<EventId>() }, app.now());
        let length_bytes = bytes.len() as u64;
        let enqueue = sql::gc::EnqueueLabelled {
            key: &object,
            attempt: app.fresh_id::<AttemptId>(),
            user: key.user,
            label: key.text,
            needed_bytes: length_bytes,
            wished_bytes: length_bytes,
            default_quota_bytes: app.config.default_quota_bytes,
            not_before: now.plus(LIFETIME),
            now,
        };
        app.database.query(enqueue.statement()).await?;
        let object = NewObject {
            key: object,
            content_type: "application/octet-stream",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        };
        app.objects.put_bytes(object, &bytes).await?;
        Ok(())
    }

    /// Returns the stored count of a key. `None` if nobody has counted within the last hour, or if the marks cannot be
    /// read.
    pub(super) async fn stored(app: &App, key: &CountKey<'_>) -> Option<Self> {
        match Self::read(app, key).await {
            Ok(stored) => stored,
            Err(problem) => {
                app.write_log(LogLine::warn("the marks of a count cannot be read").caused_by(problem));
                None
            }
        }
    }

    async fn read(app: &App, key: &CountKey<'_>) -> Result<Option<Self>> {
        let Some(object) = find(app, key).await? else { return Ok(None) };
        let bytes = app.read_small_object(&object, MAX_STORED_BYTES).await?;
        Ok(bytes.and_then(|bytes| Self::decode(&bytes, key.text)))
    }

    fn encode(&self, key: &str) -> Vec<u8> {
        let RowCount { rows, exact: _, bytes_scanned, bytes_skipped } = self.count;
        let counts = [rows, bytes_scanned, bytes_skipped].map(u64::to_le_bytes).concat();
        [counts, self.marks.encode(key)].concat()
    }

    fn decode(bytes: &[u8], key: &str) -> Option<Self> {
        let (counts, marks) = bytes.split_first_chunk::<24>()?;
        let [rows, bytes_scanned, bytes_skipped] = [0, 8, 16]
            .map(|at| counts[at..].first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default());
        let count = RowCount { rows, exact: true, bytes_scanned, bytes_skipped };
        Some(Self { count, marks: MatchMarks::decode(marks, key)? })
    }
}

/// Returns the key of the object with the marks of a count.
async fn find(app: &App, key: &CountKey<'_>) -> Result<Option<StorageKey>> {
    let find = sql::gc::FindLabelled { label: key.text, user: key.user, now: app.now() };
    let row = app.database.query(find.statement()).await?.pop();
    let found = row.map(from_row::<FoundRow>).transpose()?;
    Ok(found.map(|found| StorageKey::Known(found.r2_key)))
}
