//! CSV and TSV (RFC 4180).
//!
//! A field keeps the bytes it has in the file, its own quotes included, wherever they mean the same in the
//! output; so columns that stand side by side in both are copied as one run. A field is quoted anew when
//! its text holds the output's delimiter or a quote, and so is the one field of a row that would otherwise
//! be a blank line.

use crate::csv::plan::{Newline, OutputOptions};
use crate::csv::record::Record;
use crate::csv::scanner::Marks;

/// UTF-8's byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Writes delimited rows.
pub(in crate::csv) struct DelimitedWriter {
    delimiter: u8,
    /// Whether the file has the same delimiter, so that raw fields mean the same.
    same_dialect: bool,
    /// The columns, as runs of neighbours: first and last.
    runs: Vec<(usize, usize)>,
    is_single_column: bool,
    /// Whether nothing has been written, so that the next bytes could pass for a byte order mark.
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
            same_dialect: delimiter == input_delimiter,
            runs: runs_of(columns),
            is_single_column: columns.len() == 1,
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
        let may_copy_runs = self.same_dialect
            && !record.marks.has(Marks::STRAY)
            && !record.marks.has(Marks::UNCLOSED)
            && !self.options.spreadsheet_safe;
        if !(may_copy_runs && self.append_runs(record, out)) {
            self.fields_one_by_one(record, start, out);
        }
        if self.is_single_column && out.len() == start {
            out.extend_from_slice(b"\"\"");
        }
        if self.at_start {
            self.at_start = false;
            if out[start..].starts_with(BYTE_ORDER_MARK) {
                quote_first_field(out, start, self.delimiter);
            }
        }
        match self.options.newline {
            Newline::Lf => out.push(b'\n'),
            Newline::Crlf => out.extend_from_slice(b"\r\n"),
        }
    }

    /// Appends the columns as they stand in the record; `false` if it is too short for one of them.
    #[inline(always)]
    fn append_runs(&self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        for (index, &(first, last)) in self.runs.iter().enumerate() {
            // In the record, too, a delimiter stands in front, but for the first column.
            if index > 0 && first == 0 {
                out.push(self.delimiter);
            }
            if !record.append_raw_run(first, last, index > 0 && first > 0, out) {
                return false;
            }
        }
        true
    }

    /// Appends the columns field by field, in place of what was written of the row that starts at `start`.
    #[inline(never)]
    fn fields_one_by_one(&self, record: &Record<'_>, start: usize, out: &mut Vec<u8>) {
        out.truncate(start);
        let columns = self.runs.iter().flat_map(|&(first, last)| first..=last);
        for (index, column) in columns.enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            self.field(record, column, out);
        }
    }

    fn field(&self, record: &Record<'_>, column: usize, out: &mut Vec<u8>) {
        let value = record.value(column);
        if self.options.spreadsheet_safe && reads_as_formula(value) {
            return push_field(b"'", value, self.delimiter, out);
        }
        if record.marks.has(Marks::STRAY) || record.marks.has(Marks::UNCLOSED) {
            return push_field(b"", value, self.delimiter, out);
        }
        let raw = record.raw(column);
        let means_the_same = self.same_dialect || raw.first() == Some(&b'"');
        if means_the_same || memchr::memchr(self.delimiter, raw).is_none() {
            return out.extend_from_slice(raw);
        }
        push_field(b"", raw, self.delimiter, out);
    }
}

fn runs_of(columns: &[usize]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &column in columns {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == column => *last = column,
            _ => runs.push((column, column)),
        }
    }
    runs
}

/// Appends `prefix` and `value` as one field, quoted if it must be.
fn push_field(prefix: &[u8], value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let needs_quotes =
        memchr::memchr2(delimiter, b'"', value).is_some() || memchr::memchr2(b'\r', b'\n', value).is_some();
    if !needs_quotes {
        out.extend_from_slice(prefix);
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    out.extend_from_slice(prefix);
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Quotes the first field of the row at `start`, unquoted text that starts like a byte order mark, so that
/// it is not taken for one when the output is read again.
#[cold]
fn quote_first_field(out: &mut Vec<u8>, start: usize, delimiter: u8) {
    let end = memchr::memchr(delimiter, &out[start..]).map_or(out.len(), |at| start + at);
    out.insert(end, b'"');
    out.insert(start, b'"');
}

/// Whether a spreadsheet would take the cell for a formula (OWASP, "CSV Injection"): it starts with `=`,
/// `+`, `-`, `@`, a tab or a line break, or the full-width form of one of the signs. A plain number is none,
/// signed or not.
fn reads_as_formula(value: &[u8]) -> bool {
    match value {
        [b'=' | b'@' | b'\t' | b'\r' | b'\n', ..] => true,
        [b'+' | b'-', rest @ ..] => !is_unsigned_number(rest),
        // U+FF0B, U+FF0D, U+FF1D, U+FF20
        [0xEF, 0xBC, 0x8B | 0x8D | 0x9D | 0xA0, ..] => true,
        _ => false,
    }
}

/// `(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`
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
    fn neighbours_make_runs() {
        assert_eq!(runs_of(&[0, 1, 2, 4, 3, 3, 4, 9]), [(0, 2), (4, 4), (3, 3), (3, 4), (9, 9)]);
        assert_eq!(runs_of(&[]), []);
    }

    #[test]
    fn fields_are_quoted_only_where_needed() {
        for (value, written) in [
            ("plain", "plain"),
            ("", ""),
            (" blanks ", " blanks "),
            ("a,b", "\"a,b\""),
            ("a\tb", "a\tb"),
            ("12\" x", "\"12\"\" x\""),
            ("\"", "\"\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("lone\rcr", "\"lone\rcr\""),
        ] {
            let mut out = Vec::new();
            push_field(b"", value.as_bytes(), b',', &mut out);
            assert_eq!(String::from_utf8_lossy(&out), written);
        }
    }

    #[test]
    fn formulas_are_told_from_numbers_and_text() {
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
