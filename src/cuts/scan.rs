//! What a cut reads of a file: all of it, or the stretches that its index cannot rule out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::problems::request_problem;
use super::service::CutService;
use crate::body::stream::ByteSource;
use crate::csv::profile::{Profile, ScanPlan, ScanRange};
use crate::csv::request::CutRequest;
use crate::error::{Problem, Result};
use crate::http::range::ByteRange;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Another read costs a call to the store: skipping less than this is not worth it.
const LEAST_SKIPPED_BYTES: u64 = 1 << 20;

/// The bytes of a cut's input, stretch by stretch.
pub struct FileScan {
    storage: R2StorageService,
    file: FileRow,
    source: Box<dyn ByteSource>,
    /// Where the stretch being read ends.
    end_byte: u64,
    later: VecDeque<ScanRange>,
    /// Rows left out behind the last stretch.
    rows_after: u64,
    plan: PlannedBytes,
}

/// How many bytes a cut will read and leave out, unless it ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedBytes {
    /// Read.
    pub scanned: u64,
    /// Left out.
    pub skipped: u64,
}

/// What is left out when a stretch has been read to its end.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Rows in it.
    pub rows: u64,
    /// Where it ends.
    pub next_byte: u64,
    /// The line it ends on; of no meaning at the end of the file.
    pub next_line: u64,
}

impl FileScan {
    /// Opens a file's first stretch.
    ///
    /// # Errors
    /// Those of reading the file.
    pub async fn open(storage: R2StorageService, file: FileRow, plan: Option<ScanPlan>) -> Result<Self> {
        let whole =
            ScanRange { start_byte: 0, end_byte: file.file_size, rows_before: 0, rows_skipped: 0, line: 1 };
        let (planned, mut later, rows_after) = match plan {
            Some(plan) => {
                let planned = PlannedBytes { scanned: plan.bytes_scanned, skipped: plan.bytes_skipped };
                (planned, VecDeque::from(plan.ranges), plan.rows_skipped_at_end)
            }
            None => (PlannedBytes { scanned: file.file_size, skipped: 0 }, VecDeque::new(), 0),
        };
        let first = later.pop_front().unwrap_or(whole);
        let source = open(&storage, &file, &first).await?;
        Ok(Self { storage, file, source, end_byte: first.end_byte, later, rows_after, plan: planned })
    }

    /// What it will read.
    pub fn planned(&self) -> PlannedBytes {
        self.plan
    }

    /// The file.
    pub fn file(&self) -> &FileRow {
        &self.file
    }

    /// Reads on in this stretch; 0 at its end.
    ///
    /// # Errors
    /// The store broke.
    pub async fn read(&mut self, piece: &mut Vec<u8>) -> Result<usize> {
        self.source.read(piece).await
    }

    /// Where this stretch ends.
    pub fn end_byte(&self) -> u64 {
        self.end_byte
    }

    /// Goes on behind the end of a stretch, and says what was left out; nothing at the end of the file.
    ///
    /// # Errors
    /// Those of reading the file.
    pub async fn advance(&mut self) -> Result<Option<Gap>> {
        if let Some(next) = self.later.pop_front() {
            self.source = open(&self.storage, &self.file, &next).await?;
            self.end_byte = next.end_byte;
            return Ok(Some(Gap {
                rows: next.rows_skipped,
                next_byte: next.start_byte,
                next_line: next.line,
            }));
        }
        let size = self.file.file_size;
        if self.end_byte == size {
            return Ok(None);
        }
        self.end_byte = size;
        Ok(Some(Gap { rows: self.rows_after, next_byte: size, next_line: 0 }))
    }

    /// Reads no more.
    pub async fn cancel(&mut self) {
        self.later.clear();
        self.source.cancel().await;
    }
}

async fn open(
    storage: &R2StorageService,
    file: &FileRow,
    stretch: &ScanRange,
) -> Result<Box<dyn ByteSource>> {
    let range = match stretch.end_byte - stretch.start_byte == file.file_size {
        true => None,
        false => ByteRange::new(stretch.start_byte, stretch.end_byte.saturating_sub(1)),
    };
    Ok(storage.open(file, range).await?.into_source())
}

impl CutService {
    /// What the file's index says a cut must read; nothing when there is no index, or it would spare nothing.
    ///
    /// # Errors
    /// `unknown_column`.
    pub(super) async fn scan_plan(
        &self,
        file: &FileRow,
        request: &CutRequest,
    ) -> Result<Option<(Arc<Profile>, ScanPlan)>> {
        if !asks_for_index(file, request) {
            return Ok(None);
        }
        let known = self.known(file, request).await?;
        Ok(known.and_then(|(profile, plan)| Some((profile, plan?))))
    }

    /// The profile, and what it says a cut must read. A file read in another way than the profile was says nothing.
    pub(super) async fn known(
        &self,
        file: &FileRow,
        request: &CutRequest,
    ) -> Result<Option<(Arc<Profile>, Option<ScanPlan>)>> {
        if !file.is_read_as_profiled(request.input) {
            return Ok(None);
        }
        let limit = self.storage.app.config.max_record_size_bytes as u64;
        let Some(profile) = self.storage.profile(file).await else { return Ok(None) };
        if profile.failure.is_some() || profile.longest_record_bytes > limit {
            return Ok(None);
        }
        let plan = request.plan(&profile.header()).map_err(request_problem)?;
        let scan = match plan.predicate {
            Some(predicate) => profile.scan_plan(&predicate),
            None => None,
        };
        let scan = scan.filter(|plan| plan.bytes_skipped >= LEAST_SKIPPED_BYTES);
        Ok(Some((profile, scan)))
    }
}

/// Whether a cut reads the file's profile: only where it could spare more than that costs.
pub(super) fn asks_for_index(file: &FileRow, request: &CutRequest) -> bool {
    request.filter.is_some() && file.file_size > LEAST_SKIPPED_BYTES
}

/// The problem of a stretch that is not as long as the index says.
pub fn cut_short(file: &FileRow, expected_end: u64, came_to: u64) -> Problem {
    let what = format!("bytes up to {expected_end} were expected, they end at {came_to}");
    crate::storage::file::integrity_error(&file.r2_key, &what)
}
