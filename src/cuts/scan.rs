//! Reads a file for a cut: the whole file, or only the byte ranges that pruning does not skip.

use std::collections::VecDeque;
use std::sync::Arc;

use super::problems::request_problem;
use super::service::CutService;
use super::verified::VerifiedSource;
use crate::body::stream::ByteSource;
use crate::csv::profile::{BlockDigests, Profile, ScanPlan, ScanRange};
use crate::csv::request::CutRequest;
use crate::error::Result;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// Minimum number of bytes that pruning must skip. If pruning would skip fewer bytes, the cut reads the whole file,
/// because each byte range costs a call to R2.
const MIN_SKIPPED_BYTES: u64 = 1 << 20;

/// The input of a cut: byte ranges of a file, read one after the other.
pub struct FileScan {
    storage: R2StorageService,
    file: Arc<FileRow>,
    digests: Option<Arc<BlockDigests>>,
    source: VerifiedSource,
    /// The end of the current byte range, counted in bytes from the start of the file.
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
    /// The line number at `next_byte`; 0 if the gap ends at the end of the file.
    pub next_line: u64,
}

impl FileScan {
    /// Opens the first byte range of a file. If `digests` is present, each read compares its bytes with these digests.
    ///
    /// # Errors
    /// The errors of [`R2StorageService::open`].
    pub async fn open(
        storage: R2StorageService,
        file: Arc<FileRow>,
        digests: Option<Arc<BlockDigests>>,
        plan: Option<ScanPlan>,
    ) -> Result<Self> {
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
        let wanted = first.start_byte..first.end_byte;
        let source = VerifiedSource::open(&storage, &file, digests.clone(), wanted).await?;
        Ok(Self {
            storage,
            file,
            digests,
            source,
            end_byte: first.end_byte,
            later,
            rows_after,
            plan: planned,
        })
    }

    /// Returns the rest of the current byte range.
    pub fn into_range(self) -> VerifiedSource {
        self.source
    }

    /// Returns how many bytes the scan will read and skip.
    pub fn planned(&self) -> PlannedBytes {
        self.plan
    }

    /// Returns the file that is read.
    pub fn file(&self) -> &Arc<FileRow> {
        &self.file
    }

    /// Whether the scan compares every digest block with its digest before it returns bytes of the block.
    pub fn is_verified(&self) -> bool {
        self.digests.is_some()
    }

    /// Reads more bytes of the current byte range. Returns 0 at the end of this byte range.
    ///
    /// # Errors
    /// The error of the object's stream. `integrity_error` if a digest block differs from its digest, or if the stream
    /// does not end exactly where the byte range ends.
    pub async fn read(&mut self, piece: &mut Vec<u8>) -> Result<usize> {
        self.source.read(piece).await
    }

    /// Returns the end of the current byte range, counted in bytes from the start of the file.
    pub fn end_byte(&self) -> u64 {
        self.end_byte
    }

    /// Moves to the next byte range and returns the gap before this byte range. After the last byte range, moves to the
    /// end of the file and returns the gap before the end. `None` if the scan is already at the end of the file.
    ///
    /// # Errors
    /// The errors of [`R2StorageService::open`].
    pub async fn advance(&mut self) -> Result<Option<Gap>> {
        if let Some(next) = self.later.pop_front() {
            let (digests, wanted) = (self.digests.clone(), next.start_byte..next.end_byte);
            self.source = VerifiedSource::open(&self.storage, &self.file, digests, wanted).await?;
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

impl CutService {
    /// Checks the operands of a filter against the profile of the file. Every operation that compiles a filter of a
    /// request calls this function first. Without a profile, or if the request reads the file in another dialect, each
    /// operand is accepted.
    ///
    /// # Errors
    /// `bad_filter`.
    pub(super) fn check_operands(
        &self,
        file: &FileRow,
        request: &CutRequest,
        profile: Option<&Profile>,
    ) -> Result<()> {
        match profile.filter(|_| file.is_read_as_profiled(&request.input)) {
            Some(profile) => request.check_operands(profile).map_err(request_problem),
            None => Ok(()),
        }
    }

    /// Returns the byte ranges that a cut must read according to the file's zone maps. Returns `None` if the cut must
    /// read the whole file. This is the case if the cut has no filter, if the file has no usable profile or row index,
    /// or if pruning would skip less than [`MIN_SKIPPED_BYTES`].
    ///
    /// # Errors
    /// `unknown_column`, `bad_filter`.
    pub(super) fn scan_plan(
        &self,
        file: &FileRow,
        request: &CutRequest,
        profile: Option<&Profile>,
    ) -> Result<Option<ScanPlan>> {
        if !may_skip_bytes(file, request) {
            return Ok(None);
        }
        Ok(self.usable_profile(file, request, profile)?.and_then(|(_, plan)| plan))
    }

    /// Returns the profile, and the byte ranges that a cut must read (see [`Self::scan_plan`]). Returns `None` if the
    /// file has no profile, if the profile records a failure or a record that is longer than the limit, or if the
    /// request uses another dialect than the profile does.
    pub(super) fn usable_profile<'a>(
        &self,
        file: &FileRow,
        request: &CutRequest,
        profile: Option<&'a Profile>,
    ) -> Result<Option<(&'a Profile, Option<ScanPlan>)>> {
        if !file.is_read_as_profiled(&request.input) {
            return Ok(None);
        }
        let limit = self.storage.app.config.max_record_size_bytes as u64;
        let Some(profile) = profile else { return Ok(None) };
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

/// Whether a cut may skip bytes. Returns `false` if the cut has no filter, or if the file is not longer than
/// [`MIN_SKIPPED_BYTES`].
fn may_skip_bytes(file: &FileRow, request: &CutRequest) -> bool {
    request.filter.is_some() && file.file_size > MIN_SKIPPED_BYTES
}
