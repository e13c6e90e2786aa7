//! Writes CSV and TSV (RFC 4180).
//!
//! The writer copies the raw bytes of a field, quotes included, if they have the same meaning in the output. Columns
//! that are consecutive in both the file and the output form one range, which the writer copies at once. For any other
//! field, it writes the value. It puts quotes around a value that contains the delimiter of the output, a quote or a
//! line break. If the only field of a row is empty, the writer quotes this field, because the row would otherwise be a
//! blank line.

use super::options::{Newline, OutQuote, OutputOptions};
use super::row_progress::{RowProgress, bytes_that_fit};
use crate::csv::record::Record;
use crate::csv::scanner::Marks;

/// UTF-8's byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Writes delimited rows.
pub(in crate::csv) struct DelimitedWriter {
    delimiter: u8,
    /// Whether the file has the same delimiter as the output. If so, the raw bytes of a field have the same meaning in
    /// both.
    has_same_delimiter: bool,
    columns: Box<[usize]>,
    /// The first and the last column of each range of consecutive columns.
    ranges: Vec<(usize, usize)>,
    is_single_column: bool,
    /// Whether the raw bytes of a field may be copied. Otherwise each cell is looked at.
    may_copy_fields: bool,
    /// Whether nothing has been written yet. If so, a reader could take the next bytes for a byte order mark.
    at_start: bool,
    options: OutputOptions,
}

impl DelimitedWriter {
    pub(in crate::csv) fn new(
        delimiter: u8,
        input_delimiter: u8,
        columns: &[usize],
        options: OutputOptions,
    ) -> Self {
        Self {
            delimiter,
            has_same_delimiter: delimiter == input_delimiter,
            columns: columns.into(),
            ranges: consecutive_ranges(columns),
            is_single_column: columns.len() == 1,
            may_copy_fields: !options.spreadsheet_safe && options.quote == OutQuote::Minimal,
            at_start: !options.bom,
            options,
        }
    }

    pub(in crate::csv) fn begin(&mut self, header: &Record<'_>, out: &mut Vec<u8>) {
        if self.options.bom {
            out.extend_from_slice(BYTE_ORDER_MARK);
        }
        if self.options.header {
            self.row(header, out);
        }
    }

    #[inline]
    pub(in crate::csv) fn row(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let may_copy_ranges = self.may_copy_fields && self.has_same_delimiter && !has_invalid_quotes(record);
        if !(may_copy_ranges && self.append_ranges(record, out)) {
            self.fields_one_by_one(record, start, out);
        }
        if self.is_single_column && out.len() == start {
            out.extend_from_slice(b"\"\"");
        }
        if self.at_start {
            self.at_start = false;
            if starts_with_mark(&out[start..]) {
                quote_first_field(out, start, self.delimiter);
            }
        }
        self.end_row(out);
    }

    /// Does the same as [`DelimitedWriter::row`], but stops when `out` has at least `target_bytes` bytes. Returns
    /// `true` if the row is complete. Otherwise the next call continues at `progress`.
    pub(in crate::csv) fn write_row_part(
        &mut self,
        record: &Record<'_>,
        progress: &mut RowProgress,
        out: &mut Vec<u8>,
        target_bytes: usize,
    ) -> bool {
        while let Some(&column) = self.columns.get(progress.field) {
            if out.len() >= target_bytes {
                return false;
            }
            let (prefix, text) = self.prefix_and_text(record, column);
            if progress.byte == 0 {
                progress.quoted = self.is_quoted(record, column) || self.could_pass_for_mark(progress, text);
                if progress.field > 0 {
                    out.push(self.delimiter);
                }
                if progress.quoted || (self.is_single_column && text.is_empty()) {
                    out.push(b'"');
                }
                out.extend_from_slice(prefix);
            }
            let part = &text[progress.byte..];
            let part = &part[..part.len().min(bytes_that_fit(out, target_bytes, 2))];
            if progress.quoted {
                push_doubling_quotes(part, out);
            } else {
                out.extend_from_slice(part);
            }
            progress.byte += part.len();
            if progress.byte == text.len() {
                if progress.quoted || (self.is_single_column && text.is_empty()) {
                    out.push(b'"');
                }
                *progress = RowProgress { field: progress.field + 1, ..RowProgress::default() };
            }
        }
        self.at_start = false;
        self.end_row(out);
        true
    }

    /// Whether the output would start with a byte order mark if `text` had no quotes around it.
    fn could_pass_for_mark(&self, progress: &RowProgress, text: &[u8]) -> bool {
        self.at_start && progress.field == 0 && starts_with_mark(text)
    }

    /// Returns the minimum number of bytes of a row: the delimiters and a line break of one byte.
    pub(in crate::csv) fn row_overhead_bytes(&self) -> usize {
        self.columns.len()
    }

    fn end_row(&self, out: &mut Vec<u8>) {
        match self.options.newline {
            Newline::Lf => out.push(b'\n'),
            Newline::Crlf => out.extend_from_slice(b"\r\n"),
        }
    }

    /// Appends the columns as raw bytes. Returns `false` if the record has no field for one of the columns.
    #[inline(always)]
    fn append_ranges(&self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        for (index, &(first, last)) in self.ranges.iter().enumerate() {
            // `append_raw_range` copies the delimiter before a field. No delimiter precedes the first field of the
            // record, so this code writes one.
            if index > 0 && first == 0 {
                out.push(self.delimiter);
            }
            if !record.append_raw_range(first, last, index > 0 && first > 0, out) {
                return false;
            }
        }
        true
    }

    /// Appends the columns field by field. First removes all bytes of `out` after `start`: the part of the row that
    /// [`DelimitedWriter::append_ranges`] may have written.
    #[inline(never)]
    fn fields_one_by_one(&self, record: &Record<'_>, start: usize, out: &mut Vec<u8>) {
        out.truncate(start);
        for (index, &column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            let (prefix, text) = self.prefix_and_text(record, column);
            if self.is_quoted(record, column) {
                out.push(b'"');
                out.extend_from_slice(prefix);
                push_doubling_quotes(text, out);
                out.push(b'"');
            } else {
                out.extend_from_slice(prefix);
                out.extend_from_slice(text);
            }
        }
    }

    /// Returns the text to write for a field, and a prefix that comes before it. The text is the raw bytes if they have
    /// the same meaning in the output, else the value. If [`DelimitedWriter::is_quoted`] returns `true`, the caller
    /// writes one pair of quotes around the prefix and the text.
    fn prefix_and_text<'a>(&self, record: &Record<'a>, column: usize) -> (&'static [u8], &'a [u8]) {
        let (raw, value) = (record.raw(column), record.value(column));
        if self.is_formula(value) {
            (b"'", value)
        } else if has_invalid_quotes(record) || self.options.quote != OutQuote::Minimal {
            (b"", value)
        } else {
            (b"", raw)
        }
    }

    /// Whether the caller must put quotes around the result of [`DelimitedWriter::prefix_and_text`].
    fn is_quoted(&self, record: &Record<'_>, column: usize) -> bool {
        let (raw, value) = (record.raw(column), record.value(column));
        match self.options.quote {
            OutQuote::All => return true,
            OutQuote::None => return false,
            OutQuote::Minimal => {}
        }
        if self.is_formula(value) || has_invalid_quotes(record) {
            return needs_quotes(value, self.delimiter);
        }
        let means_the_same = self.has_same_delimiter || raw.first() == Some(&b'"');
        !means_the_same && memchr::memchr(self.delimiter, raw).is_some()
    }

    /// Whether the record has a cell that needs quotes, but the output has no quotes.
    #[inline]
    pub(in crate::csv) fn refuses(&self, record: &Record<'_>) -> bool {
        self.options.quote == OutQuote::None && self.has_unquotable_cell(record)
    }

    /// Whether the result begins with the header.
    pub(in crate::csv) fn writes_header(&self) -> bool {
        self.options.header
    }

    #[cold]
    fn has_unquotable_cell(&self, record: &Record<'_>) -> bool {
        let is_invisible = self.is_single_column && record.value(self.columns[0]).is_empty();
        let is_mark = self.columns.first().is_some_and(|&first| starts_with_mark(record.value(first)));
        is_invisible
            || is_mark
            || self.columns.iter().any(|&column| needs_quotes(record.value(column), self.delimiter))
    }

    fn is_formula(&self, value: &[u8]) -> bool {
        self.options.spreadsheet_safe && reads_as_formula(value)
    }
}

/// Whether a reader would see the first bytes as a byte order mark of any encoding.
fn starts_with_mark(text: &[u8]) -> bool {
    encoding_rs::Encoding::for_bom(text).is_some()
}

/// Whether a record has stray or unclosed quotes.
fn has_invalid_quotes(record: &Record<'_>) -> bool {
    record.marks.has(Marks::STRAY) || record.marks.has(Marks::UNCLOSED)
}

fn consecutive_ranges(columns: &[usize]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &column in columns {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == column => *last = column,
            _ => ranges.push((column, column)),
        }
    }
    ranges
}

fn needs_quotes(value: &[u8], delimiter: u8) -> bool {
    memchr::memchr2(delimiter, b'"', value).is_some() || memchr::memchr2(b'\r', b'\n', value).is_some()
}

pub(super) fn push_doubling_quotes(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Puts quotes around the first field of the row at `start`. This field is unquoted and starts with the bytes of a byte
/// order mark. Without the quotes, a reader would take these bytes for the byte order mark of the output.
#[cold]
fn quote_first_field(out: &mut Vec<u8>, start: usize, delimiter: u8) {
    let end = memchr::memchr(delimiter, &out[start..]).map_or(out.len(), |at| start + at);
    out.insert(end, b'"');
    out.insert(start, b'"');
}

/// Whether a spreadsheet would read the cell as a formula (OWASP, "CSV Injection"): it starts with `=`, `+`, `-`, `@`,
/// a tab, a line break, or the full-width form of one of the four signs. A plain number, signed or not, is not a
/// formula.
pub(super) fn reads_as_formula(value: &[u8]) -> bool {
    match value {
        [b'=' | b'@' | b'\t' | b'\r' | b'\n', ..] => true,
        [b'+' | b'-', rest @ ..] => !is_unsigned_number(rest),
        // U+FF0B, U+FF0D, U+FF1D, U+FF20
        [0xEF, 0xBC, 0x8B | 0x8D | 0x9D | 0xA0, ..] => true,
        _ => false,
    }
}

/// Whether the whole text matches `(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`.
fn is_unsigned_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut fraction = 0;
    if let [b'.', after @ ..] = rest {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_columns_become_one_range() {
        assert_eq!(consecutive_ranges(&[0, 1, 2, 4, 3, 3, 4, 9]), [(0, 2), (4, 4), (3, 3), (3, 4), (9, 9)]);
        assert_eq!(consecutive_ranges(&[]), []);
    }

    #[test]
    fn values_are_quoted_only_if_needed() {
        for plain in ["plain", "", " blanks ", "a\tb"] {
            assert!(!needs_quotes(plain.as_bytes(), b','), "{plain:?}");
        }
        for special in ["a,b", "12\" x", "\"", "two\nlines", "lone\rcr"] {
            assert!(needs_quotes(special.as_bytes(), b','), "{special:?}");
        }
        let mut out = Vec::new();
        push_doubling_quotes(b"12\" x\"\"", &mut out);
        assert_eq!(out, b"12\"\" x\"\"\"\"");
    }

    #[test]
    fn formulas_are_distinguished_from_numbers_and_text() {
        for formula in
            ["=1+1", "@SUM(A1)", "+cmd", "-2+3", "-", "+", "\t=1", "\r=1", "\n=1", "-1e", "＝1", "--1", "-1 "]
        {
            assert!(reads_as_formula(formula.as_bytes()), "{formula:?}");
        }
        for text in ["", "-1", "+49", "-.5", "-1.", "-1.5e-3", "a=1", " =1", "1-2", "（", "ﾊ"] {
            assert!(!reads_as_formula(text.as_bytes()), "{text:?}");
        }
    }
}
