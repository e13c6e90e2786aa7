//! What a session has stored, and how: rows by name, of which the record is written last and says which others count.
//!
//! - `record`: the upload as JSON;
//! - `etag/N`: the store's etag of part N;
//! - `learned/N/i`: the observers' state after N parts, in rows of at most 1 MiB;
//! - `rest/N/i`: the bytes behind the N parts stored, in rows of at most 1 MiB.
//!
//! A row that the record does not count is what a crash has left, and is written over.

use serde::{Deserialize, Serialize};

use super::{Plan, Progress};
use crate::error::{Problem, Result};
use crate::ids::FileId;
use crate::ports::{PartBuffer, SessionStore};

/// The longest row, in bytes.
const ROW_BYTES: usize = 1 << 20;

/// A row of the rest that is shorter is written anew with more bytes, so that chunks of one byte do not make a row each,
/// and a longer one is left as it is, so that they do not write a MiB each.
const GROW_BELOW_BYTES: usize = 64 << 10;

const RECORD: &str = "record";

/// Where an upload is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
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
pub struct Record {
    /// What was known when it began, and what has been learned of it since: its length, its expiry.
    pub plan: Plan,
    /// The object store's id of the object in parts, once there is one.
    pub r2_upload: Option<String>,
    /// How many parts are stored.
    pub parts: u16,
    /// How many bytes behind them are in rows.
    pub rest_bytes: u64,
    /// What the content turned out to be.
    pub content_type: Option<String>,
    /// Where it is in its life.
    pub stage: Stage,
}

impl Record {
    /// An upload that begins.
    pub fn new(plan: Plan) -> Self {
        Self { plan, r2_upload: None, parts: 0, rest_bytes: 0, content_type: None, stage: Stage::Receiving }
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

    /// Whether all bytes are there.
    pub fn is_whole(&self) -> bool {
        self.plan.length == Some(self.offset())
    }

    /// As its client sees it.
    pub fn progress(&self) -> Progress {
        Progress {
            upload: self.plan.open.attempt,
            offset: self.offset(),
            length: self.plan.length,
            expires_at: self.plan.expires_at,
            metadata: self.plan.metadata.clone(),
            file: match self.stage {
                Stage::Kept { file } => Some(file),
                _ => None,
            },
        }
    }

    /// Reads it; `None` when nothing was ever stored here, or all of it is forgotten.
    ///
    /// # Errors
    /// The store failed, or the row is not what [`Self::save`] writes.
    pub fn load(store: &dyn SessionStore) -> Result<Option<Self>> {
        let Some(row) = store.get(RECORD)? else { return Ok(None) };
        let unusable = |error| Problem::internal(format!("the record of an upload: {error}"));
        serde_json::from_slice(&row).map(Some).map_err(unusable)
    }

    /// Writes it: from now on the rows it counts are the upload.
    ///
    /// # Errors
    /// The store failed.
    pub fn save(&self, store: &dyn SessionStore) -> Result<()> {
        let row = serde_json::to_vec(self).map_err(Problem::internal)?;
        Ok(store.put(RECORD, &row)?)
    }
}

/// Notes a part.
///
/// # Errors
/// The store failed.
pub fn put_etag(store: &dyn SessionStore, number: u16, etag: &str) -> Result<()> {
    Ok(store.put(&format!("etag/{number:05}"), etag.as_bytes())?)
}

/// The etags of the first `parts` parts.
///
/// # Errors
/// The store failed, or one is missing.
pub fn etags(store: &dyn SessionStore, parts: u16) -> Result<Vec<String>> {
    let etag = |number: u16| {
        let row = store.get(&format!("etag/{number:05}"))?;
        let row = row.ok_or_else(|| Problem::internal(format!("the etag of part {number} is missing")))?;
        String::from_utf8(row).map_err(Problem::internal)
    };
    (1..=parts).map(etag).collect()
}

/// Notes what the observers know after `parts` parts.
///
/// # Errors
/// The store failed.
pub fn put_learned(store: &dyn SessionStore, parts: u16, state: &[u8]) -> Result<()> {
    for (index, row) in state.chunks(ROW_BYTES).enumerate() {
        store.put(&format!("learned/{parts:05}/{index:05}"), row)?;
    }
    Ok(())
}

/// What the observers knew after `parts` parts.
///
/// # Errors
/// The store failed.
pub fn learned(store: &dyn SessionStore, parts: u16) -> Result<Vec<u8>> {
    let mut state = Vec::new();
    for name in store.names(&format!("learned/{parts:05}/"))? {
        state.extend(store.get(&name)?.unwrap_or_default());
    }
    Ok(state)
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

    /// How many bytes are in rows.
    pub fn len_bytes(&self) -> usize {
        self.rows.iter().sum()
    }

    /// Writes what of `part` is not in rows.
    ///
    /// # Errors
    /// The store failed.
    pub fn save(&mut self, store: &dyn SessionStore, part: &dyn PartBuffer) -> Result<()> {
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
        store: &dyn SessionStore,
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

fn rest_row(parts: u16, index: usize) -> String {
    format!("rest/{parts:05}/{index:05}")
}

/// Drops the rows that a record with so many parts does not count.
///
/// # Errors
/// The store failed.
pub fn forget_before(store: &dyn SessionStore, parts: u16) -> Result<()> {
    for kind in ["learned", "rest"] {
        let current = format!("{kind}/{parts:05}/");
        for name in store.names(&format!("{kind}/"))?.into_iter().filter(|name| !name.starts_with(&current)) {
            store.delete(&name)?;
        }
    }
    Ok(())
}

/// Drops everything but the record.
///
/// # Errors
/// The store failed.
pub fn forget_bytes(store: &dyn SessionStore) -> Result<()> {
    for name in store.names("")?.into_iter().filter(|name| name != RECORD) {
        store.delete(&name)?;
    }
    Ok(())
}
