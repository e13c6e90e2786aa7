//! The rows of an upload session, by name. The record holds the number of parts, the epoch and the number of bytes in
//! `rest`. So the record decides which of the other rows belong to the upload. The session writes the other rows first
//! and the record last.
//!
//! - `record`: the upload as JSON.
//! - `etag/N`: R2's etag of part N.
//! - `learned/N/i`: the observers' state after N parts, in rows of at most 1 MiB.
//! - `grown/E/N/i`: the append-only state that part N added, in rows of at most 1 MiB. E is an epoch. A new epoch
//!   begins when entries are merged. Only the rows of the epoch in the record belong to the upload.
//! - `rest/N/i`: the bytes after the N stored parts, in rows of at most 1 MiB.
//!
//! After a crash, or after R2 has stored one more part, there may be rows that do not belong to the upload. The session
//! overwrites or deletes these rows.

use serde::{Deserialize, Serialize};

use super::command::{UploadPlan, UploadProgress};
use super::problems::too_long;
use crate::csv::profile::SavedState;
use crate::domain::ids::FileId;
use crate::error::Code;
use crate::error::{Problem, Result};
use crate::ports::{ObjectStorage, PartBuffer};
use crate::storage::protocol::DetectedContent;

/// Maximum length of a row, in bytes.
const ROW_BYTES: usize = 1 << 20;

/// If the last row of `rest` has fewer bytes than this, the session writes the row again, with the new bytes at its
/// end. Otherwise a client that sends chunks of one byte would make one row per chunk. If the last row is longer, the
/// session begins a new row, because a chunk of one byte must not cost a write of up to 1 MiB.
const GROW_BELOW_BYTES: usize = 64 << 10;

const RECORD: &str = "record";

/// Stage of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UploadStage {
    /// Bytes are being received.
    Receiving,
    /// All bytes have arrived. It is possible that the object is already stored, or that the file is already committed.
    Storing,
    /// The file is committed.
    Kept {
        /// The id of the file.
        file: FileId,
    },
    /// The upload ended without a file.
    Over {
        /// The problem `detail` that clients get.
        why: String,
        /// The status in the upload's row in the database: `aborted` or `expired`.
        status: String,
        /// Whether a put of the whole object was started.
        put_was_tried: bool,
        /// Whether the parts are deleted and the reservation is released.
        cleaned: bool,
    },
}

/// The record of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// The data from the start of the upload. Only length, expiry, part size and reservation can change later.
    pub plan: UploadPlan,
    /// The id of the R2 multipart upload; `None` before the session has started it.
    pub r2_upload: Option<String>,
    /// Number of stored parts.
    pub parts: u16,
    /// Number of bytes in the rows `rest`: the bytes that follow the stored parts.
    pub rest_bytes: u64,
    /// The detected media type, once the content is checked.
    pub content_type: Option<String>,
    /// The declared encoding, once the content is checked.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Whether the file has a header, if the upload declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The epoch whose append-only state belongs to the upload.
    #[serde(default)]
    pub epoch: u32,
    /// Stage of the upload.
    pub stage: UploadStage,
}

impl UploadRecord {
    /// Returns the record of an upload without bytes.
    pub fn new(plan: UploadPlan) -> Self {
        Self {
            plan,
            r2_upload: None,
            parts: 0,
            rest_bytes: 0,
            content_type: None,
            encoding: None,
            header: None,
            epoch: 0,
            stage: UploadStage::Receiving,
        }
    }

    /// Returns the offset of the upload: the number of its bytes that the stored parts and the rows `rest` hold.
    pub fn offset(&self) -> u64 {
        let kept = self.bytes_in_parts() + self.rest_bytes;
        // `bytes_in_parts` counts the last part as a full part, although the last part may be shorter.
        self.plan.length.map_or(kept, |length| kept.min(length))
    }

    /// Returns the number of bytes in the stored parts, as if every part were full.
    pub fn bytes_in_parts(&self) -> u64 {
        u64::from(self.parts) * self.plan.part_bytes as u64
    }

    /// Returns the detected content.
    pub fn detected(&self) -> DetectedContent {
        DetectedContent::from_stored(self.content_type.as_deref(), self.encoding.as_deref(), self.header)
    }

    /// Whether all bytes have arrived.
    pub fn is_whole(&self) -> bool {
        self.plan.length == Some(self.offset())
    }

    /// Checks that the upload may have bytes up to the offset `end`.
    ///
    /// # Errors
    /// `too_large` if `end` is greater than the length of the upload or than the limit.
    pub fn check_room(&self, end: u64) -> Result<()> {
        match self.plan.length {
            Some(length) if end > length => {
                let detail = format!(
                    "The upload has {length} bytes, but the bytes of this request would make it longer. Send only \
                     the missing bytes."
                );
                Err(Problem::new(Code::TooLarge, detail).with("limitBytes", length))
            }
            None if end > self.plan.limit_bytes => Err(too_long(self.plan.limit_bytes)),
            _ => Ok(()),
        }
    }

    /// Returns the progress that clients see.
    pub fn progress(&self) -> UploadProgress {
        UploadProgress {
            upload: self.plan.open.attempt,
            offset: self.offset(),
            length: self.plan.length,
            expires_at: self.plan.expires_at,
            metadata: self.plan.metadata.clone(),
            file: match self.stage {
                UploadStage::Kept { file } => Some(file),
                _ => None,
            },
        }
    }

    /// Reads the record; `None` if the session has no upload, or has deleted the rows of its upload.
    ///
    /// # Errors
    /// The error of the storage; `internal` if the row is malformed.
    pub fn load(store: &dyn ObjectStorage) -> Result<Option<Self>> {
        let Some(row) = store.get(RECORD)? else { return Ok(None) };
        let malformed = |error| Problem::internal(format!("the record of an upload is malformed: {error}"));
        serde_json::from_slice(&row).map(Some).map_err(malformed)
    }

    /// Writes the record. From then on, this record decides which rows belong to the upload.
    ///
    /// # Errors
    /// The error of the storage.
    pub fn save(&self, store: &dyn ObjectStorage) -> Result<()> {
        let row = serde_json::to_vec(self).map_err(Problem::internal)?;
        Ok(store.put(RECORD, &row)?)
    }
}

/// Stores the etag of a part.
///
/// # Errors
/// The error of the storage.
pub fn put_etag(store: &dyn ObjectStorage, number: u16, etag: &str) -> Result<()> {
    Ok(store.put(&format!("etag/{number:05}"), etag.as_bytes())?)
}

/// Returns the etags of the first `parts` parts.
///
/// # Errors
/// The error of the storage; `internal` if an etag is missing.
pub fn etags(store: &dyn ObjectStorage, parts: u16) -> Result<Vec<String>> {
    let etag = |number: u16| {
        let row = store.get(&format!("etag/{number:05}"))?;
        let row = row.ok_or_else(|| Problem::internal(format!("the etag of part {number} is missing")))?;
        String::from_utf8(row).map_err(Problem::internal)
    };
    (1..=parts).map(etag).collect()
}

/// Stores the observers' state after `parts` parts, with the append-only state that the last part added.
///
/// # Errors
/// The error of the storage.
pub fn put_state(store: &dyn ObjectStorage, parts: u16, state: &SavedState) -> Result<()> {
    put_rows(store, &grown_rows(state.grown.epoch(), parts), &state.growth)?;
    put_rows(store, &state_rows(parts), &state.head)
}

/// Returns the names of the rows that hold `bytes` bytes of the observers' state after `parts` parts.
pub fn state_row_names(parts: u16, bytes: usize) -> impl Iterator<Item = String> {
    (0..row_count(bytes)).map(move |index| row_name(&state_rows(parts), index))
}

/// Returns the observers' state after `parts` parts, and the append-only state of each part.
///
/// # Errors
/// The error of the storage.
pub fn load_state(store: &dyn ObjectStorage, parts: u16, epoch: u32) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let head = read_rows(store, &state_rows(parts))?;
    let growth = (1..=parts).map(|part| read_rows(store, &grown_rows(epoch, part)));
    Ok((head, growth.collect::<Result<_>>()?))
}

fn state_rows(parts: u16) -> String {
    format!("learned/{parts:05}/")
}

fn grown_rows(epoch: u32, part: u16) -> String {
    format!("{}{part:05}/", epoch_rows(epoch))
}

fn epoch_rows(epoch: u32) -> String {
    format!("grown/{epoch:05}/")
}

fn row_name(prefix: &str, index: usize) -> String {
    format!("{prefix}{index:05}")
}

/// Returns the number of rows for `bytes` bytes. The last row is never full, and may be empty. So a reader recognizes
/// the last row, even if rows of an older state follow it.
fn row_count(bytes: usize) -> usize {
    bytes / ROW_BYTES + 1
}

/// Writes bytes into rows whose names begin with `prefix`.
fn put_rows(store: &dyn ObjectStorage, prefix: &str, bytes: &[u8]) -> Result<()> {
    for index in 0..row_count(bytes.len()) {
        let (from, to) = (index * ROW_BYTES, bytes.len().min((index + 1) * ROW_BYTES));
        store.put(&row_name(prefix, index), &bytes[from..to])?;
    }
    Ok(())
}

/// Reads the bytes that [`put_rows`] wrote. The first row that is not full is the last row.
fn read_rows(store: &dyn ObjectStorage, prefix: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for index in 0.. {
        let row = store.get(&row_name(prefix, index))?.unwrap_or_default();
        bytes.extend_from_slice(&row);
        if row.len() < ROW_BYTES {
            break;
        }
    }
    Ok(bytes)
}

/// The lengths of the rows that hold the bytes after the stored parts.
#[derive(Debug, Default)]
pub struct RestRows {
    parts: u16,
    rows: Vec<usize>,
}

impl RestRows {
    /// Creates an empty list of rows after `parts` stored parts.
    pub fn empty(parts: u16) -> Self {
        Self { parts, rows: Vec::new() }
    }

    /// Returns the names of the rows.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (0..self.rows.len()).map(|index| rest_row(self.parts, index))
    }

    /// Returns the number of bytes in the rows.
    pub fn len_bytes(&self) -> usize {
        self.rows.iter().sum()
    }

    /// Writes the bytes of `part` that are not in rows yet.
    ///
    /// # Errors
    /// The error of the storage.
    pub fn save(&mut self, store: &dyn ObjectStorage, part: &dyn PartBuffer) -> Result<()> {
        let mut saved = self.len_bytes();
        while saved < part.len() {
            if let Some(last) = self.rows.pop_if(|last| *last < GROW_BELOW_BYTES) {
                saved -= last;
            }
            let row = part.copy(saved..part.len().min(saved + ROW_BYTES));
            store.put(&rest_row(self.parts, self.rows.len()), &row)?;
            self.rows.push(row.len());
            saved += row.len();
        }
        Ok(())
    }

    /// Reads the `bytes` bytes that follow `parts` stored parts, and passes each row to `take`.
    ///
    /// # Errors
    /// The error of the storage; `internal` if rows are missing.
    pub fn load(
        store: &dyn ObjectStorage,
        parts: u16,
        bytes: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Self> {
        let mut rest = Self::empty(parts);
        let mut missing = bytes;
        while missing > 0 {
            let name = rest_row(parts, rest.rows.len());
            let row = store.get(&name)?.filter(|row| !row.is_empty());
            let mut row = row.ok_or_else(|| Problem::internal(format!("the row {name} is missing")))?;
            if row.len() > missing {
                // A request extended this row and ended before it wrote the record.
                row.truncate(missing);
                store.put(&name, &row)?;
            }
            take(&row);
            missing -= row.len();
            rest.rows.push(row.len());
        }
        Ok(rest)
    }
}

fn rest_rows(parts: u16) -> String {
    format!("rest/{parts:05}/")
}

fn rest_row(parts: u16, index: usize) -> String {
    row_name(&rest_rows(parts), index)
}

/// Deletes rows.
///
/// # Errors
/// The error of the storage.
pub fn delete_rows(store: &dyn ObjectStorage, names: impl IntoIterator<Item = String>) -> Result<()> {
    for name in names {
        store.delete(&name)?;
    }
    Ok(())
}

/// Deletes the rows `learned`, `grown` and `rest` that do not belong to the upload. `record` decides which rows belong
/// to the upload.
///
/// # Errors
/// The error of the storage.
pub fn delete_uncounted(store: &dyn ObjectStorage, record: &UploadRecord) -> Result<()> {
    let current = [state_rows(record.parts), rest_rows(record.parts), epoch_rows(record.epoch)];
    let uncounted = grown_rows(record.epoch, record.parts.saturating_add(1));
    for (kind, current) in ["learned/", "rest/", "grown/"].into_iter().zip(&current) {
        let is_counted = |name: &String| name.starts_with(current) && (kind != "grown/" || *name < uncounted);
        delete_rows(store, store.names(kind)?.into_iter().filter(|name| !is_counted(name)))?;
    }
    Ok(())
}

/// Deletes every row except the record.
///
/// # Errors
/// The error of the storage.
pub fn delete_all_except_record(store: &dyn ObjectStorage) -> Result<()> {
    delete_rows(store, store.names("")?.into_iter().filter(|name| name != RECORD))
}
