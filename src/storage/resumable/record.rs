//! What a session has stored, and how: rows by name, of which the record is written last and says which others count.
//!
//! - `record`: the upload as JSON;
//! - `etag/N`: the store's etag of part N;
//! - `learned/N/i`: the observers' state after N parts, in rows of at most 1 MiB;
//! - `grown/E/N/i`: what of it only grows, as part N let it grow, in rows as long; of epoch E, which the record names;
//! - `rest/N/i`: the bytes behind the N parts stored, in rows of at most 1 MiB.
//!
//! A row that the record does not count is what a crash has left, and is written over.

use serde::{Deserialize, Serialize};

use super::command::{UploadPlan, UploadProgress};
use super::problems::too_long;
use crate::csv::profile::SavedState;
use crate::domain::ids::FileId;
use crate::error::Code;
use crate::error::{Problem, Result};
use crate::ports::{ObjectStorage, PartBuffer};
use crate::storage::protocol::DetectedContent;

/// The longest row, in bytes.
const ROW_BYTES: usize = 1 << 20;

/// A row of the rest that is shorter is written anew with more bytes, so that chunks of one byte do not make a row each,
/// and a longer one is left as it is, so that they do not write a MiB each.
const GROW_BELOW_BYTES: usize = 64 << 10;

const RECORD: &str = "record";

/// Where an upload is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UploadStage {
    /// Bytes come in.
    Receiving,
    /// All bytes are there; the object may be, and the file may be.
    Storing,
    /// The file is there.
    Kept {
        /// It.
        file: FileId,
    },
    /// It has come to nothing.
    Over {
        /// What its client is told.
        why: String,
        /// What its row says: `aborted` or `expired`.
        status: String,
        /// Whether a put of the whole object was tried.
        put_was_tried: bool,
        /// Whether parts and reservation are gone.
        cleaned: bool,
    },
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// What was known when it began, and what has been learned of it since: its length, its expiry.
    pub plan: UploadPlan,
    /// The object store's id of the object in parts, once there is one.
    pub r2_upload: Option<String>,
    /// How many parts are stored.
    pub parts: u16,
    /// How many bytes behind them are in rows.
    pub rest_bytes: u64,
    /// What the content turned out to be.
    pub content_type: Option<String>,
    /// The encoding it was declared to be in, once the content is judged.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Which epoch of what the observers' state has grown by counts.
    #[serde(default)]
    pub epoch: u32,
    /// Where it is in its life.
    pub stage: UploadStage,
}

impl UploadRecord {
    /// An upload that begins.
    pub fn new(plan: UploadPlan) -> Self {
        Self {
            plan,
            r2_upload: None,
            parts: 0,
            rest_bytes: 0,
            content_type: None,
            encoding: None,
            epoch: 0,
            stage: UploadStage::Receiving,
        }
    }

    /// How many bytes are kept.
    pub fn offset(&self) -> u64 {
        let kept = self.bytes_in_parts() + self.rest_bytes;
        // The last part of all may be shorter.
        self.plan.length.map_or(kept, |length| kept.min(length))
    }

    /// How many bytes the parts stored would hold if all are full.
    pub fn bytes_in_parts(&self) -> u64 {
        u64::from(self.parts) * self.plan.part_bytes as u64
    }

    /// What the content turned out to be.
    pub fn judged(&self) -> DetectedContent {
        DetectedContent::noted(self.content_type.as_deref(), self.encoding.as_deref())
    }

    /// Whether all bytes are there.
    pub fn is_whole(&self) -> bool {
        self.plan.length == Some(self.offset())
    }

    /// Refuses bytes behind the end.
    ///
    /// # Errors
    /// `too_large`.
    pub fn check_room(&self, end: u64) -> Result<()> {
        match self.plan.length {
            Some(length) if end > length => {
                let detail = format!("The upload has {length} bytes in all, and the request brings more.");
                Err(Problem::new(Code::TooLarge, detail).with("limitBytes", length))
            }
            None if end > self.plan.limit_bytes => Err(too_long(self.plan.limit_bytes)),
            _ => Ok(()),
        }
    }

    /// As its client sees it.
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

    /// Reads it; `None` when nothing was ever stored here, or all of it is forgotten.
    ///
    /// # Errors
    /// The store failed, or the row is not what [`Self::save`] writes.
    pub fn load(store: &dyn ObjectStorage) -> Result<Option<Self>> {
        let Some(row) = store.get(RECORD)? else { return Ok(None) };
        let unusable = |error| Problem::internal(format!("the record of an upload: {error}"));
        serde_json::from_slice(&row).map(Some).map_err(unusable)
    }

    /// Writes it: from now on the rows it counts are the upload.
    ///
    /// # Errors
    /// The store failed.
    pub fn save(&self, store: &dyn ObjectStorage) -> Result<()> {
        let row = serde_json::to_vec(self).map_err(Problem::internal)?;
        Ok(store.put(RECORD, &row)?)
    }
}

/// Notes a part.
///
/// # Errors
/// The store failed.
pub fn put_etag(store: &dyn ObjectStorage, number: u16, etag: &str) -> Result<()> {
    Ok(store.put(&format!("etag/{number:05}"), etag.as_bytes())?)
}

/// The etags of the first `parts` parts.
///
/// # Errors
/// The store failed, or one is missing.
pub fn etags(store: &dyn ObjectStorage, parts: u16) -> Result<Vec<String>> {
    let etag = |number: u16| {
        let row = store.get(&format!("etag/{number:05}"))?;
        let row = row.ok_or_else(|| Problem::internal(format!("the etag of part {number} is missing")))?;
        String::from_utf8(row).map_err(Problem::internal)
    };
    (1..=parts).map(etag).collect()
}

/// Notes what the observers know after `parts` parts, and what that has grown by.
///
/// # Errors
/// The store failed.
pub fn put_learned(store: &dyn ObjectStorage, parts: u16, state: &SavedState) -> Result<()> {
    put_rows(store, &grown_rows(state.grown.epoch(), parts), &state.growth)?;
    put_rows(store, &learned_rows(parts), &state.head)
}

/// The names of the rows that hold so many bytes of what the observers knew after `parts` parts.
pub fn learned_names(parts: u16, bytes: usize) -> impl Iterator<Item = String> {
    (0..row_count(bytes)).map(move |index| row_name(&learned_rows(parts), index))
}

/// What the observers knew after `parts` parts: their state, and all that it had grown by.
///
/// # Errors
/// The store failed.
pub fn learned(store: &dyn ObjectStorage, parts: u16, epoch: u32) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let head = read_rows(store, &learned_rows(parts))?;
    let growth = (1..=parts).map(|part| read_rows(store, &grown_rows(epoch, part)));
    Ok((head, growth.collect::<Result<_>>()?))
}

fn learned_rows(parts: u16) -> String {
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

/// The last row is not full, be it empty: so it ends whatever was there before.
fn row_count(bytes: usize) -> usize {
    bytes / ROW_BYTES + 1
}

/// Writes bytes in rows whose names begin with `prefix`.
fn put_rows(store: &dyn ObjectStorage, prefix: &str, bytes: &[u8]) -> Result<()> {
    for index in 0..row_count(bytes.len()) {
        let (from, to) = (index * ROW_BYTES, bytes.len().min((index + 1) * ROW_BYTES));
        store.put(&row_name(prefix, index), &bytes[from..to])?;
    }
    Ok(())
}

/// Reads what [`put_rows`] wrote: only the last row is not full.
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

/// The rows of a rest, by their lengths.
#[derive(Debug, Default)]
pub struct Rest {
    parts: u16,
    rows: Vec<usize>,
}

impl Rest {
    /// An empty one behind so many parts.
    pub fn behind(parts: u16) -> Self {
        Self { parts, rows: Vec::new() }
    }

    /// The names of its rows.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (0..self.rows.len()).map(|index| rest_row(self.parts, index))
    }

    /// How many bytes are in rows.
    pub fn len_bytes(&self) -> usize {
        self.rows.iter().sum()
    }

    /// Writes what of `part` is not in rows.
    ///
    /// # Errors
    /// The store failed.
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

    /// Reads `bytes` bytes behind `parts` parts, row by row.
    ///
    /// # Errors
    /// The store failed, or rows are missing.
    pub fn load(
        store: &dyn ObjectStorage,
        parts: u16,
        bytes: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Self> {
        let mut rest = Self::behind(parts);
        let mut missing = bytes;
        while missing > 0 {
            let name = rest_row(parts, rest.rows.len());
            let row = store.get(&name)?.filter(|row| !row.is_empty());
            let mut row = row.ok_or_else(|| Problem::internal(format!("the row {name} is missing")))?;
            if row.len() > missing {
                // It was grown by a request that did not come to write the record.
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

/// Drops rows.
///
/// # Errors
/// The store failed.
pub fn forget(store: &dyn ObjectStorage, names: impl IntoIterator<Item = String>) -> Result<()> {
    for name in names {
        store.delete(&name)?;
    }
    Ok(())
}

/// Drops the rows of learned states and rests that `record` does not count.
///
/// # Errors
/// The store failed.
pub fn forget_uncounted(store: &dyn ObjectStorage, record: &UploadRecord) -> Result<()> {
    let current = [learned_rows(record.parts), rest_rows(record.parts), epoch_rows(record.epoch)];
    let behind = grown_rows(record.epoch, record.parts.saturating_add(1));
    for (kind, current) in ["learned/", "rest/", "grown/"].into_iter().zip(&current) {
        let is_counted = |name: &String| name.starts_with(current) && (kind != "grown/" || *name < behind);
        forget(store, store.names(kind)?.into_iter().filter(|name| !is_counted(name)))?;
    }
    Ok(())
}

/// Drops everything but the record.
///
/// # Errors
/// The store failed.
pub fn forget_bytes(store: &dyn ObjectStorage) -> Result<()> {
    forget(store, store.names("")?.into_iter().filter(|name| name != RECORD))
}
