//! Finds the lines above the header.
//!
//! | above the header | recognized by |
//! |---|---|
//! | `sep=;` | the first line; it also names the delimiter |
//! | comments | lines that begin with `#` and do not have the width of the table |
//! | titles and notes | records that are narrower than the table, if the first record with the width of the table looks like a header: a blank line stands before it, or a column below it has values (numbers, dates) and the name in the header is none, or the table has at least three columns and the title has several words. Spreadsheets pad titles to the width of the table: such a record has a value in its first field only, and counts as a title if numbers or dates stand below the header, or if an empty record stands above it. Records in which blanks follow the delimiters are sentences, not a table |
//!
//! A header that has one field less than the rows is no title: R writes tables in which the first column has no name.

use super::reading::{Reading, SampleRecord};
use crate::csv::convert::LineSkipper;
use crate::csv::dialect::Delimiter;

/// Maximum number of lines above the header.
const MAX_LINES: u64 = 500;
/// Number of rows below a possible header that are compared with it.
const COMPARED_ROWS: usize = 100;
/// Share of the records from the header on that must have the width of the table, in percent. In a short table, one
/// record may have another width, whatever its share is.
const MIN_SHARE_PERCENT: usize = 80;

/// The lines above the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Preamble {
    /// Number of lines.
    pub(super) lines: u32,
    /// Number of records in these lines.
    pub(super) records: usize,
    /// Number of fields of the header below the lines.
    pub(super) width: usize,
    /// Whether some of the lines are comments.
    pub(super) has_comments: bool,
}

impl Preamble {
    /// Finds the lines above the header in a reading. Without such lines, returns the default. `may_be_comments` says
    /// whether lines with `#` may be comments.
    pub(super) fn of(reading: &Reading, may_be_comments: bool) -> Self {
        let records = &reading.records;
        let comments = if may_be_comments { leading_comments(records) } else { 0 };
        let width = table_width(&records[comments..]);
        let titles = if width < 2 { 0 } else { leading_titles(&records[comments..], width) };
        let above = comments + titles;
        let Some(header) = records.get(above).filter(|_| above > 0) else { return Self::default() };
        let lines = header.line - 1;
        if lines > MAX_LINES {
            return Self::default();
        }
        Self { lines: lines as u32, records: above, width: width.max(1), has_comments: comments > 0 }
    }
}

/// Returns the most frequent number of fields of the records with several fields. If there are no two such records,
/// returns the most frequent number of fields.
fn table_width(records: &[SampleRecord]) -> usize {
    let several: Vec<SampleRecord> = records.iter().filter(|record| record.fields > 1).copied().collect();
    let records = if several.len() > 1 { several } else { records.to_vec() };
    Reading { records }.width()
}

/// Returns the number of records at the start that are comments.
fn leading_comments(records: &[SampleRecord]) -> usize {
    let comments = records.iter().take_while(|record| record.starts_with_hash).count();
    let (Some(last), Some(next)) =
        (comments.checked_sub(1).map(|last| &records[last]), records.get(comments))
    else {
        return 0;
    };
    // The last line with `#` is the header if it has as many fields as the rows, and the next record is no header.
    let is_header = last.fields == next.fields
        && (last.fields > 1 || comments == 1)
        && !looks_like_header(&records[comments..], next.fields);
    if is_header { comments - 1 } else { comments }
}

/// Returns the number of records at the start that are titles of a table with this width.
fn leading_titles(records: &[SampleRecord], width: usize) -> usize {
    let above =
        records.iter().take_while(|record| record.fields < width || is_padded_title(record, width)).count();
    let table = &records[above.min(records.len())..];
    if above == 0 || table.len() < 2 || records[0].fields > width {
        return 0;
    }
    let matching = table.iter().filter(|record| record.fields == width).count();
    // Lines between the rows that begin like comments say nothing about the width of the table.
    let compared = table.iter().filter(|record| record.fields == width || !record.starts_with_hash).count();
    let has_one_other = matching + 1 == compared && matching > 2;
    if matching * 100 < compared * MIN_SHARE_PERCENT && !has_one_other {
        return 0;
    }
    if is_prose(table) {
        return 0;
    }
    let (header, title) = (table[0], records[above - 1]);
    let is_after_blank_line = header.line > title.line + 1;
    // A record with several fields directly above a record with values is the header of rows that are wider.
    if title.fields > 1 && header.values != 0 && !is_after_blank_line {
        return 0;
    }
    let has_evidence = looks_like_header(table, width);
    if records[..above].iter().any(|record| record.fields == width) {
        let is_below_empty = has_only_first(title) && title.empty & 1 != 0;
        let is_filled = header.empty & fields_mask(width) == 0;
        return if is_filled && (has_evidence || is_below_empty) { above } else { 0 };
    }
    if above == 1 && title.fields + 1 == width && title.fields > 1 && !has_evidence {
        return 0;
    }
    let is_title = above > 1 || title.has_words;
    if has_evidence || is_after_blank_line || (width > 2 && is_title) { above } else { 0 }
}

/// Whether the record has the width of a table with at least three columns, but nothing in the fields after the first.
fn is_padded_title(record: &SampleRecord, width: usize) -> bool {
    record.fields == width && width > 2 && has_only_first(*record)
}

/// Whether all fields after the first are empty. Fields after the 64th do not count.
fn has_only_first(record: SampleRecord) -> bool {
    let others = fields_mask(record.fields) & !1;
    record.empty & others == others
}

/// Returns a mask with a bit for each of the first `fields` fields, at most 64.
fn fields_mask(fields: usize) -> u64 {
    if fields < 64 { (1 << fields) - 1 } else { u64::MAX }
}

/// Whether the fields of most records look like parts of sentences: blanks stand after the delimiters.
fn is_prose(table: &[SampleRecord]) -> bool {
    share_after_blank(table) >= 0.9
}

/// Returns the share of the delimiters that a blank follows, from 0 to 1.
pub(super) fn share_after_blank(records: &[SampleRecord]) -> f64 {
    let delimiters: usize = records.iter().map(|record| record.fields.clamp(1, 64) - 1).sum();
    let after_blank: usize = records.iter().map(|record| record.after_blank).sum();
    after_blank as f64 / delimiters.max(1) as f64
}

/// Whether the first record has names above values, in at least as many columns as it has values above values.
fn looks_like_header(table: &[SampleRecord], width: usize) -> bool {
    let Some((header, rows)) = table.split_first() else { return false };
    let rows: Vec<&SampleRecord> =
        rows.iter().filter(|row| row.fields == width).take(COMPARED_ROWS).collect();
    let (mut names, mut values_above) = (0, 0);
    for column in 0..width.min(64) {
        let bit = 1 << column;
        let filled = rows.iter().filter(|row| row.empty & bit == 0).count();
        let values = rows.iter().filter(|row| row.values & bit != 0).count();
        if filled == 0 || values * 10 < filled * 8 || header.empty & bit != 0 {
            continue;
        }
        match header.values & bit {
            0 => names += 1,
            _ => values_above += 1,
        }
    }
    names > 0 && names >= values_above
}

/// Returns the delimiter that a first line such as `sep=;` names. `usual` are the delimiters with which programs pad lines.
pub(super) fn separator_line(sample: &[u8], usual: &[u8]) -> Option<Delimiter> {
    let end = memchr::memchr2(b'\r', b'\n', sample)?;
    let line = &sample[..end];
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, delimiter) = line.split_at_checked(4)?;
    let delimiter = std::str::from_utf8(without_padding(delimiter, usual)).ok()?;
    let is_delimiter = !delimiter.contains(char::is_alphanumeric);
    if is_delimiter && name.eq_ignore_ascii_case(b"sep=") { Delimiter::new(delimiter) } else { None }
}

/// Returns the delimiter of a `sep=` line without what stands behind it: blanks, or the delimiters with which a program
/// has padded the line to the width of the table.
fn without_padding<'a>(text: &'a [u8], usual: &[u8]) -> &'a [u8] {
    let text = match text.trim_ascii_end() {
        [] => text,
        trimmed => trimmed,
    };
    let (first, rest) = text.split_at(text.len().min(1));
    let is_padding = |padding: &u8| rest.iter().all(|byte| byte == padding);
    if rest.len() != 1 && usual.iter().any(is_padding) { first } else { text }
}

/// Returns the sample without its first `lines` lines.
pub(super) fn after_lines(sample: &[u8], lines: u32) -> &[u8] {
    let mut skipper = LineSkipper::new(lines);
    &sample[skipper.skip(sample)..]
}
