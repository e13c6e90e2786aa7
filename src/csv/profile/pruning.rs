//! Pruning: finds the byte ranges that a cut must read.
//!
//! A zone is skipped only if no row in it can match the filter and every row in it is well-formed. So pruning changes
//! neither the output of a cut nor its counts. The first zone is always read: it holds the header, which is needed to
//! open the file.

use super::{Profile, RowStart, ZoneMaps};
use crate::csv::filter::{Predicate, Span, Spans, ZoneOutcome};
use std::ops::Range;

/// The bytes that a cut reads and skips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    /// The byte ranges to read, ascending, with skipped bytes between them. The first range starts at 0.
    pub ranges: Vec<ScanRange>,
    /// Number of bytes to read.
    pub bytes_scanned: u64,
    /// Number of bytes to skip.
    pub bytes_skipped: u64,
    /// Number of rows to skip.
    pub rows_skipped: u64,
    /// Number of rows to skip after the last range. `rows_skipped` includes them.
    pub rows_skipped_at_end: u64,
}

/// Maximum number of byte ranges that a cut reads. Each range is a call to R2, and one request may make at most 1,000
/// calls.
pub(super) const MAX_RANGES: usize = 256;

/// A byte range to read. The first range starts at the start of the file. Every other range starts at the start of a
/// row. A range ends at the start of a row or at the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanRange {
    /// The first byte of the range.
    pub start_byte: u64,
    /// The byte after the last byte of the range.
    pub end_byte: u64,
    /// Number of rows of the file before the range.
    pub rows_before: u64,
    /// Number of rows skipped between the previous range and this range.
    pub rows_skipped: u64,
    /// The line on which the range starts, from 1.
    pub line: u64,
}

/// The spans of all columns in one entry of the zone maps.
struct EntrySpans<'a> {
    maps: &'a ZoneMaps,
    entry: usize,
}

impl Spans for EntrySpans<'_> {
    fn span(&self, column: usize) -> Option<Span> {
        self.maps.span(self.entry, column)
    }
}

impl Profile {
    /// Plans which bytes a cut with the filter `predicate` reads; `None` if the cut must read all bytes. The filter
    /// must be compiled for the header of this file. The plan is valid only for cuts for which [`Profile::suits`]
    /// returns `true`.
    pub fn scan_plan(&self, predicate: &Predicate) -> Option<ScanPlan> {
        let (index, maps) = (self.index.as_ref()?, self.zones.as_ref()?);
        let zone_predicate = predicate.zone_predicate();
        let may_match: Vec<bool> = (0..maps.len())
            .map(|entry| {
                maps.has_malformed(entry)
                    || zone_predicate.outcome(&EntrySpans { maps, entry }) != ZoneOutcome::Never
            })
            .collect();
        let is_read = |zone: usize| zone == 0 || may_match.get(maps.entry_of(zone)).copied().unwrap_or(true);
        let starts = index.entries();
        let mut read: Vec<bool> = (0..starts.len()).map(is_read).collect();
        if read.iter().all(|&is_read| is_read) {
            return None;
        }
        close_gaps(&mut read, starts);
        Some(self.plan(starts, |zone| read.get(zone).copied().unwrap_or(true)))
    }

    fn plan(&self, starts: &[RowStart], is_read: impl Fn(usize) -> bool) -> ScanPlan {
        let mut plan = ScanPlan {
            ranges: Vec::new(),
            bytes_scanned: 0,
            bytes_skipped: 0,
            rows_skipped: 0,
            rows_skipped_at_end: 0,
        };
        for (zone, start) in starts.iter().enumerate() {
            let (end_byte, end_row) =
                starts.get(zone + 1).map_or((self.size_bytes, self.row_count), |next| (next.byte, next.row));
            if !is_read(zone) {
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

/// Marks the shortest gaps between ranges as read, until at most [`MAX_RANGES`] ranges are left.
fn close_gaps(read: &mut [bool], starts: &[RowStart]) {
    let mut gaps: Vec<Range<usize>> = Vec::new();
    let mut last_read = 0;
    for zone in (0..read.len()).filter(|&zone| read[zone]) {
        if zone > last_read + 1 {
            gaps.push(last_read + 1..zone);
        }
        last_read = zone;
    }
    let surplus = (gaps.len() + 1).saturating_sub(MAX_RANGES);
    gaps.sort_by_key(|gap| starts[gap.end].byte - starts[gap.start].byte);
    for gap in gaps.into_iter().take(surplus) {
        read[gap].fill(true);
    }
}
