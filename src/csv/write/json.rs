//! Writes JSON (RFC 8259) and NDJSON.
//!
//! A row is an object. The names of the members are encoded once per cut. Without `typed`, all values are strings. With
//! `typed`, the [`ValueKind`] of a column decides whether its cells can become numbers or booleans. A cell becomes a
//! number only if every common JSON reader reads the number without losing a digit.

use super::options::ValueKind;
use super::row_progress::{RowProgress, bytes_that_fit};
use crate::csv::open::header::Header;
use crate::csv::record::Record;

/// Writes rows as JSON objects.
pub(in crate::csv) struct JsonWriter {
    columns: Vec<JsonColumn>,
    framing: Framing,
    typed: bool,
    rows: u64,
    invalid_utf8: u64,
}

struct JsonColumn {
    position: usize,
    kind: ValueKind,
    /// The bytes before the value: `{` or `,`, then the name, then `:`.
    lead: Vec<u8>,
}

/// The bytes around the objects of a document.
struct Framing {
    begin: &'static [u8],
    /// The bytes before every row except the first.
    between: &'static [u8],
    after_row: &'static [u8],
    end: &'static [u8],
}

const ARRAY: Framing = Framing { begin: b"[", between: b",\n", after_row: b"", end: b"]\n" };
/// Maximum number of bytes in the escape of one byte: `\u0000`.
const ESCAPED_BYTES: usize = 6;
const LINES: Framing = Framing { begin: b"", between: b"", after_row: b"\n", end: b"" };

impl JsonWriter {
    /// Creates a writer of one array of objects. `kinds` is `None` without `typed`. With `typed`, `kinds` has the kinds
    /// of the file's columns. A column that is not in `kinds` has the kind [`ValueKind::ByCell`].
    pub(in crate::csv) fn array(header: &Header, columns: &[usize], kinds: Option<&[ValueKind]>) -> Self {
        Self::new(header, columns, kinds, ARRAY)
    }

    /// Creates a writer of one object per line. `kinds` is described at [`JsonWriter::array`].
    pub(in crate::csv) fn lines(header: &Header, columns: &[usize], kinds: Option<&[ValueKind]>) -> Self {
        Self::new(header, columns, kinds, LINES)
    }

    fn new(header: &Header, columns: &[usize], kinds: Option<&[ValueKind]>, framing: Framing) -> Self {
        let names = header.unique_names(columns);
        let columns = columns
            .iter()
            .zip(names)
            .enumerate()
            .map(|(index, (&position, name))| {
                let mut lead = vec![if index == 0 { b'{' } else { b',' }];
                push_string(name.as_bytes(), &mut lead);
                lead.push(b':');
                let kind = kinds.and_then(|kinds| kinds.get(position)).copied().unwrap_or(ValueKind::ByCell);
                JsonColumn { position, kind, lead }
            })
            .collect();
        Self { columns, framing, typed: kinds.is_some(), rows: 0, invalid_utf8: 0 }
    }

    pub(in crate::csv) fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.framing.begin);
    }

    pub(in crate::csv) fn row(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        if self.rows > 0 {
            out.extend_from_slice(self.framing.between);
        }
        self.rows += 1;
        for column in &self.columns {
            out.extend_from_slice(&column.lead);
            let value = record.value(column.position);
            match literal(value, column.kind).filter(|_| self.typed) {
                Some(literal) => out.extend_from_slice(literal),
                None => self.invalid_utf8 += push_string(value, out),
            }
        }
        self.end_row(out);
    }

    /// Does the same as [`JsonWriter::row`], but stops when `out` has at least `target_bytes` bytes. Returns `true` if
    /// the row is complete. Otherwise the next call continues at `progress`.
    pub(in crate::csv) fn write_row_part(
        &mut self,
        record: &Record<'_>,
        progress: &mut RowProgress,
        out: &mut Vec<u8>,
        target_bytes: usize,
    ) -> bool {
        while let Some(column) = self.columns.get(progress.field) {
            if out.len() >= target_bytes {
                return false;
            }
            let value = record.value(column.position);
            if progress.byte == 0 {
                if progress.field == 0 && self.rows > 0 {
                    out.extend_from_slice(self.framing.between);
                }
                out.extend_from_slice(&column.lead);
                if let Some(literal) = literal(value, column.kind).filter(|_| self.typed) {
                    out.extend_from_slice(literal);
                    progress.field += 1;
                    continue;
                }
                out.push(b'"');
            }
            let part =
                first_characters(&value[progress.byte..], bytes_that_fit(out, target_bytes, ESCAPED_BYTES));
            self.invalid_utf8 += push_text(part, out);
            progress.byte += part.len();
            if progress.byte == value.len() {
                out.push(b'"');
                *progress = RowProgress { field: progress.field + 1, ..RowProgress::default() };
            }
        }
        if self.columns.is_empty() && self.rows > 0 {
            out.extend_from_slice(self.framing.between);
        }
        self.rows += 1;
        self.end_row(out);
        true
    }

    fn end_row(&self, out: &mut Vec<u8>) {
        if self.columns.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        out.extend_from_slice(self.framing.after_row);
    }

    pub(in crate::csv) fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.framing.end);
    }

    /// Returns the minimum number of bytes of a row: the member names with their punctuation, and the shortest values.
    /// With `typed`, the shortest value is a single digit. Without `typed`, it is the two quotes of an empty string.
    pub(in crate::csv) fn row_overhead_bytes(&self) -> usize {
        let shortest_value = if self.typed { 1 } else { 2 };
        self.columns.iter().map(|column| column.lead.len() + shortest_value).sum()
    }

    pub(in crate::csv) fn invalid_utf8(&self) -> u64 {
        self.invalid_utf8
    }
}

/// Returns the JSON literal for a typed cell: `null` for an empty cell, `true` or `false` for these words in upper or
/// lower case, or the number. `None` if the cell is text, or if it is not of the column's kind.
fn literal(value: &[u8], kind: ValueKind) -> Option<&[u8]> {
    let has_booleans = matches!(kind, ValueKind::ByCell | ValueKind::Boolean);
    let has_numbers = matches!(kind, ValueKind::ByCell | ValueKind::Number);
    match value {
        b"" => Some(b"null"),
        value if has_booleans && value.eq_ignore_ascii_case(b"true") => Some(b"true"),
        value if has_booleans && value.eq_ignore_ascii_case(b"false") => Some(b"false"),
        value => (has_numbers && is_exact_number(value)).then_some(value),
    }
}

/// Whether `text` is a JSON number (no leading zeros or `+`, so `007` and `+49` are text) with at most 15 digits and an
/// exponent of at most two digits. An `f64` can represent such a number without losing a digit.
fn is_exact_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let (mut rest, mut fraction) = (&text[whole..], 0);
    if let [b'.', after @ ..] = rest {
        fraction = digits(after);
        if fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    }
    let exponent_is_valid = match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            (1..=2).contains(&exponent.len()) && digits(exponent) == exponent.len()
        }
        _ => false,
    };
    exponent_is_valid && whole + fraction <= 15
}

/// Appends `value` as a JSON string. Returns how many byte sequences were not UTF-8 and became U+FFFD.
fn push_string(value: &[u8], out: &mut Vec<u8>) -> u64 {
    out.push(b'"');
    let invalid = push_text(value, out);
    out.push(b'"');
    invalid
}

/// Does the same as [`push_string`], without the quotes.
fn push_text(value: &[u8], out: &mut Vec<u8>) -> u64 {
    let mut invalid = 0;
    if value.is_ascii() {
        push_escaped(value, out);
    } else {
        for chunk in value.utf8_chunks() {
            push_escaped(chunk.valid().as_bytes(), out);
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{FFFD}".as_bytes());
                invalid += 1;
            }
        }
    }
    invalid
}

/// Returns the first `about_bytes` bytes of a text, and up to three more bytes so that no UTF-8 sequence is split.
fn first_characters(text: &[u8], about_bytes: usize) -> &[u8] {
    const LONGEST_SEQUENCE: usize = 4;
    let continues = |&at: &usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let ends = about_bytes..about_bytes + LONGEST_SEQUENCE;
    // A valid sequence that starts before `about_bytes` ends within this range. Further continuation bytes are invalid
    // UTF-8, so the text may be split between them.
    let end = ends.into_iter().find(|at| !continues(at)).unwrap_or(about_bytes + LONGEST_SEQUENCE - 1);
    &text[..end.min(text.len())]
}

fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = find_to_escape(rest) {
        out.extend_from_slice(&rest[..at]);
        push_escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Returns the position of the first byte that JSON must escape: `"`, `\` or below 0x20. Searches eight bytes
/// at a time.
#[inline]
fn find_to_escape(text: &[u8]) -> Option<usize> {
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = to_escape(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
    Some(words.len() * 8 + at)
}

/// Returns a word in which the high bit of a byte is set if that byte of `word` must be escaped. Only the lowest set
/// bit is exact, because the borrow of a subtraction may set higher bits.
#[inline(always)]
fn to_escape(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let is_zero = |word: u64| below(word, 1);
    (below(word, 0x20) | is_zero(word ^ (ONES * u64::from(b'"'))) | is_zero(word ^ (ONES * u64::from(b'\\'))))
        & HIGH_BITS
}

#[cold]
fn push_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(value: &[u8]) -> (String, u64) {
        let mut out = Vec::new();
        let invalid = push_string(value, &mut out);
        (String::from_utf8_lossy(&out).into_owned(), invalid)
    }

    #[test]
    fn invalid_utf8_becomes_replacement_characters_and_is_counted() {
        assert_eq!(string(b"caf\xE9 \xFF\xFE!"), ("\"caf\u{FFFD} \u{FFFD}\u{FFFD}!\"".to_owned(), 3));
        assert_eq!(string("Zoë".as_bytes()), ("\"Zoë\"".to_owned(), 0));
    }

    #[test]
    fn writing_a_text_in_parts_does_not_change_the_output() {
        let texts = [
            &b"\xC3\xA9\x80\x80\x80"[..],
            "aé日😀\"\u{1}".as_bytes(),
            b"\xF0\x9F\x98\x80\x80\xE6\x97\x80\x80\x80\x80\xC3",
        ];
        for text in texts {
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            let invalid = push_text(text, &mut whole);
            for about_bytes in 1..=text.len() {
                parts.clear();
                let (mut rest, mut invalid_in_parts) = (text, 0);
                while !rest.is_empty() {
                    let part = first_characters(rest, about_bytes);
                    invalid_in_parts += push_text(part, &mut parts);
                    rest = &rest[part.len()..];
                }
                assert_eq!((&parts, invalid_in_parts), (&whole, invalid), "{text:?} {about_bytes}");
            }
        }
    }

    #[test]
    fn only_empty_cells_booleans_and_exact_numbers_have_a_literal() {
        for (cell, typed) in [
            ("", Some("null")),
            ("TRUE", Some("true")),
            ("false", Some("false")),
            ("0", Some("0")),
            ("-12.50", Some("-12.50")),
            ("1e9", Some("1e9")),
            ("123456789012345", Some("123456789012345")),
            ("1234567890123456", None),
            ("007", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1e999", None),
            ("1,5", None),
            ("0x10", None),
            ("NaN", None),
            ("null", None),
            (" 1", None),
            ("-", None),
            ("1e", None),
            ("2024-01-01", None),
        ] {
            assert_eq!(literal(cell.as_bytes(), ValueKind::ByCell), typed.map(str::as_bytes), "{cell:?}");
        }
    }

    #[test]
    fn only_cells_of_the_kind_of_the_column_have_a_literal() {
        use ValueKind::{Boolean, Number, Text};
        for (kind, cell, typed) in [
            (Number, "12", Some("12")),
            (Number, "", Some("null")),
            (Number, "true", None),
            (Number, "NA", None),
            (Boolean, "TRUE", Some("true")),
            (Boolean, "1", None),
            (Boolean, "", Some("null")),
            (Text, "12E5", None),
            (Text, "true", None),
            (Text, "", Some("null")),
        ] {
            assert_eq!(literal(cell.as_bytes(), kind), typed.map(str::as_bytes), "{kind:?} {cell:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_byte_to_escape_is_found_at_every_position(
            text in proptest::collection::vec(
                prop_oneof![8 => 0x20u8..=0xFF, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => 0u8..0x22], 0..40),
        ) {
            let first = text.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            prop_assert_eq!(find_to_escape(&text), first);
        }

        #[test]
        fn a_json_reader_reads_back_every_string(value in any::<String>()) {
            let (written, invalid) = string(value.as_bytes());
            prop_assert_eq!(serde_json::from_str::<String>(&written).ok(), Some(value));
            prop_assert_eq!(invalid, 0);
        }

        #[test]
        fn a_json_reader_reads_every_exact_number(value in "-?[0-9]{1,16}(\\.[0-9]{0,4})?([eE][+-]?[0-9]{0,3})?") {
            if is_exact_number(value.as_bytes()) {
                prop_assert!(serde_json::from_str::<f64>(&value).is_ok_and(f64::is_finite));
            }
        }
    }
}
