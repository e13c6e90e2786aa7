//! Pages of the rows that a filter keeps.

use std::sync::Arc;

use super::count::{has_marks, key_of};
use super::marks::{CountKey, MarkedCount};
use super::memory::MATCHING_PAGE;
use super::open::{OpenFile, digests_in, filter_memory_bytes};
use super::pages::{RowsPage, lease_large_page, page_request};
use super::problems::{csv_problem, request_problem};
use super::service::CutService;
use super::verified::{VerifiedSource, length_mismatch};
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::csv::profile::{Profile, RowStart, ScanPlan};
use crate::csv::request::CutRequest;
use crate::csv::{CsvError, MatchMarks, RowPager};
use crate::error::Result;
use crate::memory::SMALL_BYTES;
use crate::memory::budget::Lease;
use crate::memory::pauses::Pauses;
use crate::storage::file::FileRow;
use crate::storage::profiling::FileProfile;

/// What is known about the rows that a filter keeps.
#[derive(Default)]
struct Known {
    /// Their number.
    rows: Option<u64>,
    /// Where they begin.
    marks: Option<MatchMarks>,
}

/// Bytes of the file to read, which begin with a row.
struct Stretch {
    start: RowStart,
    end_byte: u64,
}

impl CutService {
    /// Returns a page of the rows that a filter keeps. If the file has a row index, skips the bytes in which no row can
    /// match, and begins at the last mark before the page, if there are marks. Otherwise reads the file from its start.
    /// Ends when the page is full.
    ///
    /// # Errors
    /// - `unknown_column`, `bad_filter`.
    /// - `malformed_csv` if no row of the page can be read.
    /// - The errors of [`Self::open`].
    pub(super) async fn matching_rows(
        &self,
        file: &FileRow,
        request: &CutRequest,
        limit: usize,
    ) -> Result<RowsPage> {
        let _lease = self.storage.app.lease_memory(MATCHING_PAGE).await?;
        let profile = self.storage.profile(file).await?;
        self.check_operands(file, request, profile.as_deref())?;
        let plan = self.usable_profile(file, request, profile.as_deref())?.map(|(_, plan)| plan);
        let digests = digests_in(profile.as_deref());
        let (profile, lease) = profile.map(FileProfile::into_parts).unzip();
        let mut lease = lease.flatten();
        let file = Arc::new(file.clone());
        if let (Some(plan), Some(profile)) = (plan, profile)
            && profile.refuses_no_row()
            && self.has_memory_for_filter(request, &mut lease)
            && let Some(page) = self.matching_by_index(&file, &profile, plan, request, limit).await?
        {
            return Ok(page.holding(lease));
        }
        let known = self.known_matches(&file, request, false).await;
        let OpenFile { opened, scan, lease } = self.open_filtered(file, request, digests, lease).await?;
        let plan = request.plan(&opened.header).map_err(request_problem)?;
        let columns = plan.columns.iter().map(|&column| opened.header.names()[column].clone()).collect();
        let pager = RowPager::new(opened, page_request(plan, request.offset, limit));
        let mut reading = PageReading::new(self, pager, columns);
        reading.read(scan.into_range()).await?;
        Ok(reading.finish(request.offset, known.rows)?.holding(lease))
    }

    /// Leases memory for the regular expressions of a filter, without waiting. Returns `false` if there is too little
    /// memory.
    fn has_memory_for_filter(&self, request: &CutRequest, lease: &mut Option<Lease>) -> bool {
        let bytes = filter_memory_bytes(request);
        if bytes <= SMALL_BYTES {
            return true;
        }
        let profile_bytes = lease.as_ref().map_or(0, |lease| lease.amount().wasm);
        self.try_grow(lease, profile_bytes + bytes)
    }

    /// Returns what is known about the rows that a filter keeps: from the cache or, if `wants_marks`, from the store.
    async fn known_matches(&self, file: &FileRow, request: &CutRequest, wants_marks: bool) -> Known {
        let (app, key) = (&self.storage.app, key_of(file, request));
        if wants_marks
            && has_marks(file)
            && let Some(MarkedCount { count, marks }) =
                MarkedCount::stored(app, &CountKey { user: &file.user_id, text: &key }).await
        {
            return Known { rows: Some(count.rows), marks: Some(marks) };
        }
        Known { rows: app.cached_count(&key).map(|count| count.rows), marks: None }
    }

    /// Returns the page; `None` if the file has no row index.
    async fn matching_by_index(
        &self,
        file: &Arc<FileRow>,
        profile: &Profile,
        plan: Option<ScanPlan>,
        request: &CutRequest,
        limit: usize,
    ) -> Result<Option<RowsPage>> {
        let Some(index) = &profile.index else { return Ok(None) };
        let header = profile.header();
        let cut = request.plan(&header).map_err(request_problem)?;
        let columns = cut.columns.iter().map(|&column| header.names()[column].clone()).collect();
        let known = self.known_matches(file, request, request.offset > 0).await;
        let Some(&first_row) = index.entries().first() else {
            return Ok(Some(RowsPage::of_no_rows(columns)));
        };
        let marks = known.marks.unwrap_or_default();
        let (matched, start) = marks.before(request.offset).unwrap_or((0, first_row));
        let end_byte = marks.byte_after(request.offset.saturating_add(limit as u64));
        let stretches = stretches(plan, start, end_byte.unwrap_or(profile.size_bytes));
        let page = page_request(cut, request.offset, limit);
        let limit_bytes = self.storage.app.config.max_record_size_bytes;
        let Some(pager) = RowPager::at(profile, start, matched, page, limit_bytes) else { return Ok(None) };
        let mut reading = PageReading::new(self, pager, columns);
        for (number, Stretch { start, end_byte }) in stretches.into_iter().enumerate() {
            if reading.is_full {
                break;
            }
            if number > 0 && !reading.pager.skip_to(start) {
                return Err(length_mismatch(file, start.byte, start.byte));
            }
            let wanted = start.byte..end_byte;
            let source = VerifiedSource::open(&self.storage, file, profile.digests.clone(), wanted).await?;
            reading.read(source).await?;
        }
        Ok(Some(reading.finish(request.offset, known.rows)?))
    }
}

/// Returns the bytes to read from `start` to `end_byte`: all of them, or only the ranges of a plan.
fn stretches(plan: Option<ScanPlan>, start: RowStart, end_byte: u64) -> Vec<Stretch> {
    let Some(plan) = plan else { return vec![Stretch { start, end_byte }] };
    let ranges = plan.ranges.into_iter().filter(|range| range.end_byte > start.byte);
    let ranges = ranges.take_while(|range| range.start_byte < end_byte);
    let stretches = ranges.map(|range| Stretch {
        start: match range.start_byte <= start.byte {
            true => start,
            false => RowStart { byte: range.start_byte, row: range.rows_before, line: range.line },
        },
        end_byte: range.end_byte.min(end_byte),
    });
    stretches.collect()
}

/// A page of matching rows, while the file is read.
struct PageReading<'a> {
    service: &'a CutService,
    pager: RowPager,
    columns: Vec<String>,
    pauses: Pauses,
    piece: Vec<u8>,
    /// Lease of a long page.
    large: Option<Lease>,
    is_full: bool,
    failure: Option<CsvError>,
}

impl<'a> PageReading<'a> {
    fn new(service: &'a CutService, pager: RowPager, columns: Vec<String>) -> Self {
        let pauses = Pauses::new(service.storage.app.clock.clone());
        let piece = Vec::with_capacity(PIECE_BYTES);
        Self { service, pager, columns, pauses, piece, large: None, is_full: false, failure: None }
    }

    /// Reads a source to its end, or until the page is full or a record cannot be read.
    async fn read(&mut self, mut source: impl ByteSource) -> Result<()> {
        while self.failure.is_none() && !self.is_full {
            self.piece.clear();
            if source.read(&mut self.piece).await? == 0 {
                return Ok(());
            }
            lease_large_page(&self.service.storage.app, &self.pager, &mut self.large).await?;
            self.pauses.after(self.piece.len()).await;
            match self.pager.push(&self.piece) {
                Ok(is_full) => self.is_full = is_full,
                Err(error) => self.failure = Some(error),
            }
        }
        source.cancel().await;
        Ok(())
    }

    /// Returns the page. `known` is the number of matching rows, if it is known.
    fn finish(mut self, offset: u64, known: Option<u64>) -> Result<RowsPage> {
        if !self.is_full && self.failure.is_none() {
            self.failure = self.pager.end().err();
        }
        let failure = match self.failure {
            None => None,
            Some(CsvError::Malformed(failure)) => Some(failure),
            Some(error) => return Err(csv_problem(error)),
        };
        let page = self.pager.into_page();
        if let Some(failure) = failure.filter(|_| page.rows.is_empty()) {
            return Err(csv_problem(failure.into()));
        }
        let total = known.or_else(|| (!self.is_full).then_some(page.matched));
        let shown_to = offset.saturating_add(page.rows.len() as u64);
        Ok(RowsPage {
            columns: self.columns,
            rows: page.rows,
            row_numbers: page.row_numbers,
            total,
            has_more: total.is_none_or(|total| shown_to < total),
            failure,
            lease: self.large,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::profile::ScanRange;

    fn start(byte: u64) -> RowStart {
        RowStart { byte, row: byte / 10, line: byte / 10 + 2 }
    }

    #[test]
    fn a_page_reads_only_the_ranges_between_its_marks() {
        let range = |start_byte, end_byte| ScanRange {
            start_byte,
            end_byte,
            rows_before: start_byte / 10,
            rows_skipped: 0,
            line: start_byte / 10 + 2,
        };
        let plan = ScanPlan {
            ranges: vec![range(0, 100), range(200, 300), range(500, 600), range(800, 900)],
            bytes_scanned: 400,
            bytes_skipped: 600,
            rows_skipped: 0,
            rows_skipped_at_end: 0,
        };
        for (from, to, wanted) in [
            (20, 900, vec![(20, 100), (200, 300), (500, 600), (800, 900)]),
            (250, 550, vec![(250, 300), (500, 550)]),
            (100, 200, vec![]),
            (500, 800, vec![(500, 600)]),
            (510, 520, vec![(510, 520)]),
        ] {
            let found = stretches(Some(plan.clone()), start(from), to);
            let found: Vec<_> = found.iter().map(|stretch| (stretch.start, stretch.end_byte)).collect();
            let wanted: Vec<_> = wanted.into_iter().map(|(from, to)| (start(from), to)).collect();
            assert_eq!(found, wanted, "{from} to {to}");
        }
    }
}
