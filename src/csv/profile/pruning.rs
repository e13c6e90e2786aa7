//! Which bytes a cut has to read.
//!
//! A block is left out only if no row of it can match the filter and every row of it has a sound form, so that
//! neither the output nor a count of the cut differs. The first block is always read: it starts with the
//! header, and the file is opened with it.

use super::{Profile, RowStart, ZoneMaps};
use crate::csv::filter::{Predicate, Span, Spans, ZoneOutcome};
use std::ops::Range;

/// The bytes a cut reads, and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    /// What is read, ascending; two never touch. The first starts at 0.
    pub ranges: Vec<ScanRange>,
    /// How many bytes are read.
    pub bytes_scanned: u64,
    /// How many are left out.
    pub bytes_skipped: u64,
    /// How many rows are left out.
    pub rows_skipped: u64,
    /// How many of these come behind the last range.
    pub rows_skipped_at_end: u64,
}

/// The most stretches that a cut reads: each is a call to the store, and one request may make 1,000 of them in all.
pub(super) const MAX_RANGES: usize = 256;

/// A run of bytes that is read. It starts with a row (the first with the header) and ends where one starts, or
/// with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanRange {
    /// Its first byte.
    pub start_byte: u64,
    /// Behind its last byte.
    pub end_byte: u64,
    /// Rows of the file before it.
    pub rows_before: u64,
    /// Rows left out between the range before and this one.
    pub rows_skipped: u64,
    /// The line it starts on, from 1.
    pub line: u64,
}

/// One zone, for a filter to look at.
struct NumberedZone<'a> {
    maps: &'a ZoneMaps,
    number: usize,
}

impl Spans for NumberedZone<'_> {
    fn span(&self, column: usize) -> Option<Span> {
        self.maps.span(self.number, column)
    }
}

impl Profile {
    /// What a cut with this filter has to read; `None` when that is everything. The filter is bound to the
    /// positions of the file's columns. The plan is for cuts that read the file as it was profiled
    /// ([`Profile::suits`]).
    pub fn scan_plan(&self, predicate: &Predicate) -> Option<ScanPlan> {
        let (index, maps) = (self.index.as_ref()?, self.zones.as_ref()?);
        let test = predicate.zone_test();
        let zones: Vec<bool> = (0..maps.len())
            .map(|number| {
                maps.is_uneven(number) || test.outcome(&NumberedZone { maps, number }) != ZoneOutcome::Never
            })
            .collect();
        let is_read = |block: usize| block == 0 || zones.get(maps.zone_of(block)).copied().unwrap_or(true);
        let starts = index.entries();
        let mut read: Vec<bool> = (0..starts.len()).map(is_read).collect();
        if read.iter().all(|&is_read| is_read) {
            return None;
        }
        close_gaps(&mut read, starts);
        Some(self.plan(starts, |block| read.get(block).copied().unwrap_or(true)))
    }

    fn plan(&self, starts: &[RowStart], is_read: impl Fn(usize) -> bool) -> ScanPlan {
        let mut plan = ScanPlan {
            ranges: Vec::new(),
            bytes_scanned: 0,
            bytes_skipped: 0,
            rows_skipped: 0,
            rows_skipped_at_end: 0,
        };
        for (block, start) in starts.iter().enumerate() {
            let (end_byte, end_row) =
                starts.get(block + 1).map_or((self.size_bytes, self.row_count), |next| (next.byte, next.row));
            if !is_read(block) {
                plan.rows_skipped_at_end += end_row - start.row;
                continue;
            }
            plan.rows_skipped += plan.rows_skipped_at_end;
            match plan.ranges.last_mut() {
                Some(last) if plan.rows_skipped_at_end == 0 => last.end_byte = end_byte,
                last => {
                    let is_first = last.is_none();
                    plan.ranges.push(ScanRange {
                        start_byte: if is_first { 0 } else { start.byte },
                        end_byte,
                        rows_before: start.row,
                        rows_skipped: plan.rows_skipped_at_end,
                        line: if is_first { 1 } else { start.line },
                    });
                }
            }
            plan.rows_skipped_at_end = 0;
        }
        plan.rows_skipped += plan.rows_skipped_at_end;
        plan.bytes_scanned = plan.ranges.iter().map(|range| range.end_byte - range.start_byte).sum();
        plan.bytes_skipped = self.size_bytes.saturating_sub(plan.bytes_scanned);
        plan
    }
}

/// Has the shortest gaps between stretches read too, until there are few enough stretches.
fn close_gaps(read: &mut [bool], starts: &[RowStart]) {
    let mut gaps: Vec<Range<usize>> = Vec::new();
    let mut last_read = 0;
    for block in (0..read.len()).filter(|&block| read[block]) {
        if block > last_read + 1 {
            gaps.push(last_read + 1..block);
        }
        last_read = block;
    }
    let surplus = (gaps.len() + 1).saturating_sub(MAX_RANGES);
    gaps.sort_by_key(|gap| starts[gap.end].byte - starts[gap.start].byte);
    for gap in gaps.into_iter().take(surplus) {
        read[gap].fill(true);
    }
}
