//! The sample of a file, read as a table with one candidate dialect.

use crate::csv::dialect::{Delimiter, RecordEnd, TableDialect};
use crate::csv::record::stream::END_MARK;
use crate::csv::rewrite::Rewriter;
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, FoundRecord, Marks, Scanner};
use std::convert::Infallible;

/// Maximum number of records that are read. More records would rarely change the result.
const SAMPLE_RECORDS: usize = 1000;
/// Number of fields of a record that are looked at.
const SAMPLE_FIELDS: usize = 64;

/// What is known about one record of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SampleRecord {
    /// Line on which the record starts, from 1.
    pub(super) line: u64,
    pub(super) fields: usize,
    pub(super) is_malformed: bool,
    /// A bit for each of the first 64 fields that looks like a number or a date.
    pub(super) values: u64,
    /// A bit for each of the first 64 fields that is empty or a word for a missing value.
    pub(super) empty: u64,
    /// Number of the first 64 fields, after the first one, that begin with a blank.
    pub(super) after_blank: usize,
    /// Whether the first field has several words.
    pub(super) has_words: bool,
    pub(super) starts_with_hash: bool,
}

/// The sample, read with one candidate.
pub(super) struct Reading {
    pub(super) records: Vec<SampleRecord>,
}

impl Reading {
    pub(super) fn of(sample: &[u8], whole: bool, table: &TableDialect) -> Self {
        let sample = sample.strip_suffix(&[END_MARK]).unwrap_or(sample);
        let converted;
        let text = if table.is_plain() {
            sample
        } else {
            converted = converted_sample(sample, whole, table);
            &converted
        };
        let mut records = Vec::new();
        let mut scanner = Scanner::new(table.scanned_delimiter(), Wanted::first(SAMPLE_FIELDS));
        let fed = scanner.feed(text, |found| {
            records.push(SampleRecord::of(&found, found.lines.piece(), found.from));
            Ok::<_, Infallible>(if records.len() < SAMPLE_RECORDS { Flow::Continue } else { Flow::Pause })
        });
        let Ok(fed) = fed;
        let has_unfinished = !fed.paused && scanner.open_bytes() > 0;
        if has_unfinished && (whole || records.is_empty()) {
            let unfinished = &text[text.len() - scanner.open_bytes()..];
            if let Some(mut record) = scanner.finish(|found| SampleRecord::of(&found, unfinished, 0)) {
                record.is_malformed &= whole;
                records.push(record);
            }
        }
        Self { records }
    }

    /// Returns the most frequent number of fields; the greater one if two are equally frequent. 0 without records.
    pub(super) fn width(&self) -> usize {
        let mut widths: Vec<usize> = self.records.iter().map(|record| record.fields).collect();
        widths.sort_unstable();
        let mut best = (0, 0);
        for equal in widths.chunk_by(|one, other| one == other) {
            if equal.len() >= best.0 {
                best = (equal.len(), equal[0]);
            }
        }
        best.1
    }

    /// Whether records after the first `skipped` ones begin like comments, and none of them has the width of the table.
    pub(super) fn has_comments_after(&self, skipped: usize) -> bool {
        let width = self.width();
        let mut hashed =
            self.records.iter().skip(skipped + 1).filter(|record| record.starts_with_hash).peekable();
        hashed.peek().is_some() && hashed.all(|record| record.fields != width)
    }

    /// Leaves out the records that begin like comments, except among the first `skipped` ones.
    pub(super) fn leave_out_comments_after(&mut self, skipped: usize) {
        let mut number = 0;
        self.records.retain(|record| {
            number += 1;
            number <= skipped || !record.starts_with_hash
        });
    }

    /// Returns the number of fields of all records.
    pub(super) fn fields(&self) -> usize {
        self.records.iter().map(|record| record.fields).sum()
    }
}

/// Converts the sample. If it is not the whole file, the unfinished last record is left out.
fn converted_sample(sample: &[u8], whole: bool, table: &TableDialect) -> Vec<u8> {
    let mut rewriter = Rewriter::new(TableDialect { skip_footer: 0, ..table.clone() });
    let mut text = Vec::new();
    rewriter.push(sample, &mut text);
    if whole {
        rewriter.finish(&mut text);
    }
    text
}

impl SampleRecord {
    fn of(found: &FoundRecord<'_>, text: &[u8], from: usize) -> Self {
        let mut start = from
            + text[from.min(text.len())..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let mut record = Self {
            line: found.lines.line_of(found.carried, found.from),
            fields: found.fields,
            is_malformed: found.marks.has(Marks::STRAY) || found.marks.has(Marks::UNCLOSED),
            starts_with_hash: text.get(start) == Some(&b'#'),
            ..Self::default()
        };
        for (field, end) in found.ends.iter().take(SAMPLE_FIELDS).enumerate() {
            let end = end.wrapping_sub(found.origin) as usize;
            let end = if found.carried > 0 { end + found.carried } else { end };
            let raw = text.get(start..end).unwrap_or_default();
            let value = match raw {
                [b'"', value @ .., b'"'] => value,
                raw => raw,
            };
            let bit = 1 << field;
            record.values |= if looks_like_value(value) { bit } else { 0 };
            record.empty |= if is_missing(value.trim_ascii()) { bit } else { 0 };
            record.after_blank += usize::from(field > 0 && matches!(raw, [b' ', ..]));
            record.has_words |= field == 0 && value.trim_ascii().contains(&b' ');
            start = end + 1;
        }
        record
    }
}

/// Whether a cell looks like a number, a date, a time or an amount: it has digits, and not more letters than digits.
fn looks_like_value(cell: &[u8]) -> bool {
    let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = cell.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    let starts_like_value =
        cell.trim_ascii().first().is_some_and(|byte| byte.is_ascii_digit() || b"+-.,$(".contains(byte));
    digits > 0 && letters <= digits && (starts_like_value || letters == 0 || !cell[0].is_ascii())
}

/// Whether a cell is empty or a word for a missing value.
fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] =
        [b"na", b"n/a", b"n.a.", b"nan", b"null", b"none", b"-", b".", b"?", b"#n/a", b"\\n"];
    cell.is_empty() || WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// Returns how many fields begin and end with `quote`. Looks only at the characters beside delimiters and line breaks.
pub(super) fn fields_in(quote: u8, sample: &[u8], delimiter: Option<u8>) -> usize {
    let is_end =
        |byte: Option<&u8>| byte.is_none_or(|&byte| Some(byte) == delimiter || matches!(byte, b'\r' | b'\n'));
    let start = &sample[..sample.len().min(64 * 1024)];
    let (mut opening, mut closing) = (0, 0);
    for at in memchr::memchr_iter(quote, start) {
        opening += usize::from(is_end(at.checked_sub(1).and_then(|at| start.get(at))));
        closing += usize::from(is_end(start.get(at + 1)));
    }
    opening.min(closing)
}

/// Whether a field seems to begin with `'`.
pub(super) fn has_single_quoted_fields(sample: &[u8]) -> bool {
    let start = &sample[..sample.len().min(64 * 1024)];
    start.first() == Some(&b'\'')
        || start
            .windows(2)
            .any(|pair| pair[1] == b'\'' && matches!(pair[0], b',' | b';' | b'\t' | b'|' | b'\n' | b'\r'))
}

/// Whether blanks stand before the opening quotes of fields after the first one, and no such quote stands without blanks.
pub(super) fn has_blanks_before_all_quotes(sample: &[u8], table: &TableDialect) -> bool {
    let (Some(delimiter), Some(quote)) = (table.delimiter.single(), table.quote.byte()) else { return false };
    let start = &sample[..sample.len().min(64 * 1024)];
    let mut rest = start.iter().copied().peekable();
    let (mut found, mut is_first, mut blanks, mut at_start) = (false, true, 0, true);
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' | b'\n' => (is_first, blanks, at_start) = (true, 0, true),
            _ if byte == delimiter => (is_first, blanks, at_start) = (false, 0, true),
            b' ' if at_start => blanks += 1,
            _ if byte == quote && at_start => {
                if !is_first && blanks == 0 {
                    return false;
                }
                found |= !is_first;
                at_start = false;
                // The field ends at a quote that is not doubled.
                while let Some(byte) = rest.next() {
                    if byte == quote && rest.next_if_eq(&quote).is_none() {
                        break;
                    }
                }
            }
            _ => at_start = false,
        }
    }
    found
}

/// Delimiters that are rare, and that rarely stand in the cells of a list with one column.
const UNLISTED_DELIMITERS: [&str; 19] = [
    "~", "^", "#", "!", "*", "=", "\x1F", "\x01", "<>", "@@", "::", ":", "/", "@", "¦", "，", "；", "、",
    "  ",
];
/// Maximum length of the text between two delimiters that belong together, such as the `~` of `|~|`.
const MAX_BETWEEN: usize = 2;
/// Number of lines in which a rare delimiter is looked for.
const UNLISTED_LINES: usize = 100;

/// Returns the first lines of the sample that are not empty. The sample is the whole file if `whole` is set.
fn first_lines(sample: &[u8], whole: bool) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = sample
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .filter(|line| !line.is_empty())
        .take(UNLISTED_LINES + 1)
        .collect();
    if !whole || lines.len() > UNLISTED_LINES {
        lines.pop();
    }
    lines
}

/// Whether a text occurs in each line, and equally often in each. `times` counts it in one line.
fn occurs_equally(lines: &[&[u8]], times: impl Fn(&[u8]) -> usize) -> bool {
    let Some((first, others)) = lines.split_first().filter(|(_, others)| !others.is_empty()) else {
        return false;
    };
    let wanted = times(first);
    wanted > 0 && others.iter().all(|line| times(line) == wanted)
}

/// Returns a rare delimiter that occurs in each line of the sample, and equally often in each.
pub(super) fn unlisted_delimiter(sample: &[u8], whole: bool) -> Option<Delimiter> {
    let lines = first_lines(sample, whole);
    let times = |line: &[u8], text: &str| memchr::memmem::find_iter(line, text).count();
    let found = UNLISTED_DELIMITERS.into_iter().find(|text| occurs_equally(&lines, |line| times(line, text)));
    found.and_then(Delimiter::new)
}

/// If every second field has the same short text in each line of the sample, returns the delimiter that may be meant:
/// two times `delimiter` with this text between them, such as `;;` or `|~|`.
pub(super) fn longer_delimiter(sample: &[u8], whole: bool, delimiter: u8) -> Option<Delimiter> {
    let lines = first_lines(sample, whole);
    let between = |line: &&[u8]| -> Option<Vec<u8>> {
        let mut fields = line.split(|&byte| byte == delimiter).skip(1).step_by(2);
        let text = fields.next()?.to_vec();
        let is_short = text.len() <= MAX_BETWEEN && !text.iter().any(u8::is_ascii_alphanumeric);
        let is_inside = line.split(|&byte| byte == delimiter).count() % 2 == 1;
        (is_short && is_inside && fields.all(|field| field == text)).then_some(text)
    };
    let first = lines.first().and_then(between).filter(|_| lines.len() > 1)?;
    if lines.iter().any(|line| between(line).as_ref() != Some(&first)) {
        return None;
    }
    let whole_text = [&[delimiter], first.as_slice(), &[delimiter]].concat();
    Delimiter::new(std::str::from_utf8(&whole_text).ok()?)
}

/// If every delimiter in the first lines stands between two blanks, returns the delimiter with its blanks, such as ` | `.
pub(super) fn spaced_delimiter(sample: &[u8], whole: bool, delimiter: u8) -> Option<Delimiter> {
    let lines = first_lines(sample, whole);
    let spaced = [b' ', delimiter, b' '];
    let is_spaced = |line: &&[u8]| {
        let delimiters = memchr::memchr_iter(delimiter, line).count();
        delimiters > 0 && memchr::memmem::find_iter(line, &spaced).count() == delimiters
    };
    let all = lines.len() > 1 && lines.iter().all(is_spaced);
    Delimiter::new(std::str::from_utf8(&spaced).ok().filter(|_| all)?)
}

/// Returns the record ends in the start of the sample.
pub(super) fn record_end(sample: &[u8]) -> RecordEnd {
    let start = &sample[..sample.len().min(64 * 1024)];
    let (mut lf, mut crlf, mut cr) = (false, false, false);
    for at in memchr::memchr2_iter(b'\r', b'\n', start) {
        match (start[at], at.checked_sub(1).map(|before| start[before]), start.get(at + 1)) {
            (b'\n', Some(b'\r'), _) => crlf = true,
            (b'\n', _, _) => lf = true,
            (_, _, Some(b'\n') | None) => {}
            _ => cr = true,
        }
    }
    match (lf, crlf, cr) {
        (_, false, false) => RecordEnd::Lf,
        (false, true, false) => RecordEnd::Crlf,
        (false, false, true) => RecordEnd::Cr,
        _ => RecordEnd::Mixed,
    }
}
