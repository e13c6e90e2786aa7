//! Reads a file for a cut: all of it, or the byte ranges that pruning leaves.

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

/// Fewer bytes than this are not worth skipping: every further byte range costs a call to R2.
const MIN_SKIPPED_BYTES: u64 = 1 << 20;

/// The input of a cut, one byte range after the other.
pub struct FileScan {
    storage: R2StorageService,
    file: FileRow,
    source: Box<dyn ByteSource>,
    /// Where the current byte range ends.
    end_byte: u64,
    later: VecDeque<ScanRange>,
    /// Number of rows that are skipped after the last byte range.
    rows_after: u64,
    plan: PlannedBytes,
}

/// How many bytes a cut will read and skip, unless it ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedBytes {
    /// Bytes that are read.
    pub scanned: u64,
    /// Bytes that are skipped.
    pub skipped: u64,
}

/// The rows and bytes that are skipped after a byte range.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Number of skipped rows.
    pub rows: u64,
    /// The first byte after the gap.
    pub next_byte: u64,
    /// The line number at `next_byte`; meaningless at the end of the file.
    pub next_line: u64,
}

impl FileScan {
    /// Opens the first byte range of a file.
    ///
    /// # Errors
    /// The errors of [`R2StorageService::open`].
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

    /// How many bytes it will read and skip.
    pub fn planned(&self) -> PlannedBytes {
        self.plan
    }

    /// Returns the file being read.
    pub fn file(&self) -> &FileRow {
        &self.file
    }

    /// Reads more bytes of the current byte range. Returns 0 at its end.
    ///
    /// # Errors
    /// The error of the object's stream.
    pub async fn read(&mut self, piece: &mut Vec<u8>) -> Result<usize> {
        self.source.read(piece).await
    }

    /// Where the current byte range ends.
    pub fn end_byte(&self) -> u64 {
        self.end_byte
    }

    /// Moves to the next byte range and returns the gap before it; `None` at the end of the file.
    ///
    /// # Errors
    /// The errors of [`R2StorageService::open`].
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

    /// Stops reading.
    pub async fn cancel(&mut self) {
        self.later.clear();
        self.source.cancel().await;
    }
}

async fn open(
    storage: &R2StorageService,
    file: &FileRow,
    scan_range: &ScanRange,
) -> Result<Box<dyn ByteSource>> {
    let range = match scan_range.end_byte - scan_range.start_byte == file.file_size {
        true => None,
        false => ByteRange::new(scan_range.start_byte, scan_range.end_byte.saturating_sub(1)),
    };
    Ok(storage.open(file, range).await?.into_source())
}

impl CutService {
    /// Returns the byte ranges that a cut must read, by the file's zone maps; `None` if there is no index or pruning
    /// saves too little.
    ///
    /// # Errors
    /// `unknown_column`, `bad_filter`.
    pub(super) async fn scan_plan(
        &self,
        file: &FileRow,
        request: &CutRequest,
    ) -> Result<Option<(Arc<Profile>, ScanPlan)>> {
        if !may_skip_bytes(file, request) {
            return Ok(None);
        }
        let known = self.profile_and_plan(file, request).await?;
        Ok(known.and_then(|(profile, plan)| Some((profile, plan?))))
    }

    /// Returns the profile, and the byte ranges that a cut must read. `None` if the file has no usable profile or is
    /// read in another dialect than its profile.
    pub(super) async fn profile_and_plan(
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
        let scan = scan.filter(|plan| plan.bytes_skipped >= MIN_SKIPPED_BYTES);
        Ok(Some((profile, scan)))
    }
}

/// Whether reading the file's profile can pay off: only if the cut has a filter and the file is long enough to skip
/// bytes.
pub(super) fn may_skip_bytes(file: &FileRow, request: &CutRequest) -> bool {
    request.filter.is_some() && file.file_size > MIN_SKIPPED_BYTES
}

/// Returns the problem for a byte range that ends elsewhere than the index says.
pub fn length_mismatch(file: &FileRow, expected_end: u64, actual_end: u64) -> Problem {
    let what = format!("expected bytes up to {expected_end}, they end at {actual_end}");
    crate::storage::file::integrity_error(&file.r2_key, &what)
}
