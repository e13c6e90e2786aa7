//! A record in a buffer, and the values of its fields.
//!
//! The *raw* bytes of a field are its bytes in the text, quotes included. The *value* of a field is the unquoted text:
//! without the quotes around it, and with one quote for each doubled quote. In a row, the value is the cell. A
//! *located* field is a field whose start and end are known.

pub(super) mod reader;
pub(super) mod stream;
pub(super) mod validity;
pub(super) mod value;

use super::cell::Cells;
use super::scanner::walk::Wanted;
use super::scanner::{FoundRecord, Marks, Scanner, start_of_record};
use super::short_cell::ShortCell;
use value::Value;

/// One record, whose bytes are borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The text that contains the record.
    text: &'a [u8],
    /// Start of the record in `text`. If line breaks precede the record, the start of the first line break.
    from: usize,
    /// End of the record in `text`, without its line break.
    end: usize,
    /// Ends of the located fields, counted from `origin`.
    ends: &'a [u32],
    /// Subtract this from an entry of `ends` (wrapping) to get a position in `text`.
    origin: u32,
    /// Number of fields, located or not.
    pub(super) fields: usize,
    pub(super) marks: Marks,
    /// The values of the quoted fields. `None` if the value of each quoted field is the bytes between its quotes.
    values: Option<&'a Values>,
}

impl<'a> Record<'a> {
    /// Creates a record that lies within one piece. Fills `values` if the record has doubled, stray or unclosed
    /// quotes.
    #[inline(always)]
    pub(super) fn in_piece(found: &FoundRecord<'a>, values: &'a mut Values) -> Self {
        let &FoundRecord { from, end, ends, origin, fields, marks, wanted, lines, .. } = found;
        Self { text: lines.piece(), from, end, ends, origin, fields, marks, values: None }
            .with_values(wanted, values)
    }

    /// Creates a record that began in an earlier piece. `bytes` is the whole record.
    #[cold]
    pub(super) fn carried(bytes: &'a [u8], found: &FoundRecord<'a>, values: &'a mut Values) -> Self {
        let &FoundRecord { ends, fields, marks, wanted, .. } = found;
        let end = bytes.len();
        Self { text: bytes, from: 0, end, ends, origin: 0, fields, marks, values: None }
            .with_values(wanted, values)
    }

    #[inline(always)]
    fn with_values(mut self, wanted: &[usize], values: &'a mut Values) -> Self {
        if self.marks.has(Marks::ESCAPES) {
            self.values = Some(values.filled(self, wanted));
        }
        self
    }

    /// Returns the raw bytes of the record, without its line break.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.get(start_of_record(self.text, self.from)..self.end).unwrap_or_default()
    }

    /// Returns the length of the record in bytes, including the line breaks before it.
    #[inline(always)]
    pub(super) fn len_bytes(&self) -> usize {
        self.end - self.from
    }

    /// Returns the start of the field `first` and the end of the field `last` in the text. `None` if the record has too
    /// few fields.
    #[inline(always)]
    fn range_of(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        let end = self.ends.get(last)?.wrapping_sub(self.origin) as usize;
        let start = match first.checked_sub(1) {
            Some(before) => self.ends.get(before)?.wrapping_sub(self.origin) as usize + 1,
            None => start_of_record(self.text, self.from),
        };
        Some((start, end))
    }

    /// Returns the raw bytes of the fields `first..=last`, with the delimiters between them. `None` if the
    /// record has too few fields.
    #[inline(always)]
    pub(super) fn raw_range(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        let (start, end) = self.range_of(first, last)?;
        self.text.get(start..end)
    }

    /// Appends the raw bytes of the fields `first..=last`, as [`Record::raw_range`] returns them. If `with_delimiter`
    /// is set, the appended bytes begin with the delimiter that precedes these fields in the record. In this case,
    /// `first` must not be 0. Returns `false` if the record has too few fields.
    #[inline(always)]
    pub(super) fn append_raw_range(
        &self,
        first: usize,
        last: usize,
        with_delimiter: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        const SHORT_BYTES: usize = 16;
        let Some((start, end)) = self.range_of(first, last) else { return false };
        let start = start - usize::from(with_delimiter);
        let Some(raw) = self.text.get(start..end) else { return false };
        // If the fields are short, this code copies `SHORT_BYTES` bytes and then truncates `out`. A copy of a fixed
        // size needs no function call.
        match self.text[start..].first_chunk::<SHORT_BYTES>() {
            Some(bytes) if raw.len() <= SHORT_BYTES => {
                out.extend_from_slice(bytes);
                out.truncate(out.len() - SHORT_BYTES + raw.len());
            }
            _ => out.extend_from_slice(raw),
        }
        true
    }

    /// Returns the raw bytes of a field. Empty if the record has too few fields.
    #[inline(always)]
    pub(super) fn raw(&self, column: usize) -> &'a [u8] {
        self.raw_range(column, column).unwrap_or_default()
    }

    /// Returns the value of a field. Empty if the record has too few fields.
    #[inline(always)]
    pub(super) fn value(&self, column: usize) -> &'a [u8] {
        match (self.raw(column), self.values) {
            ([b'"', ..], Some(values)) => values.get(column),
            ([b'"', value @ .., b'"'], None) => value,
            (raw, _) => raw,
        }
    }
}

impl<'a> Record<'a> {
    /// Returns the values of the located fields in order.
    #[inline(always)]
    pub(super) fn values(&self) -> FieldValues<'a> {
        FieldValues { record: *self, column: 0, start: start_of_record(self.text, self.from) }
    }
}

/// The values of the located fields of a record, in order.
pub(super) struct FieldValues<'a> {
    record: Record<'a>,
    /// Index of the next field.
    column: usize,
    /// Start of the next field in the text.
    start: usize,
}

impl<'a> FieldValues<'a> {
    /// Returns the next value. Empty after the last located field.
    #[inline(always)]
    pub(super) fn next_value(&mut self) -> Value<'a> {
        let Record { text, ends, origin, values, .. } = self.record;
        let Some(end) = ends.get(self.column) else {
            return Value::EMPTY;
        };
        let (start, end) = (self.start, end.wrapping_sub(origin) as usize);
        let value = match (values, text.get(start)) {
            (Some(values), Some(b'"')) => Value::new(values.get(self.column)),
            (None, Some(b'"')) if is_quoted(text, start, end) => Value::within(text, start + 1, end - 1),
            _ => Value::within(text, start, end),
        };
        (self.start, self.column) = (end + 1, self.column + 1);
        value
    }
}

/// Whether the raw field at `start..end` starts and ends with a quote.
#[inline(always)]
fn is_quoted(bytes: &[u8], start: usize, end: usize) -> bool {
    end >= start + 2 && bytes[start] == b'"' && bytes.get(end - 1) == Some(&b'"')
}

impl Cells for Record<'_> {
    fn cell(&self, column: usize) -> &[u8] {
        self.value(column)
    }

    #[inline(always)]
    fn short_cell(&self, column: usize) -> Option<ShortCell> {
        let (start, end) = self.range_of(column, column)?;
        ShortCell::within(self.text, start..end)
    }
}

/// The values of the quoted fields of a record with doubled, stray or unclosed quotes. The buffers are reused for every
/// record.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    text: Vec<u8>,
    /// For each quoted field, the range of its value in `text`. The entries of unquoted fields are not used. They may
    /// hold ranges of an earlier record.
    places: Vec<(usize, usize)>,
}

impl Values {
    #[cold]
    fn filled(&mut self, record: Record<'_>, wanted: &[usize]) -> &Self {
        self.fill(&record, wanted);
        self
    }

    fn fill(&mut self, record: &Record<'_>, wanted: &[usize]) {
        self.text.clear();
        if self.places.len() < record.ends.len() {
            self.places.resize(record.ends.len(), (0, 0));
        }
        for &field in wanted {
            if let raw @ [b'"', ..] = record.raw(field) {
                let start = self.text.len();
                push_value(raw, &mut self.text);
                self.places[field] = (start, self.text.len());
            }
        }
    }

    /// Frees the memory of the values of a long record.
    pub(super) fn release(&mut self) {
        self.text = Vec::new();
    }

    fn get(&self, field: usize) -> &[u8] {
        self.places.get(field).and_then(|&(start, end)| self.text.get(start..end)).unwrap_or_default()
    }
}

/// Appends the value of a raw field. Only a quote at the start opens a quoted field. After the closing quote,
/// everything is text.
pub(super) fn push_value(raw: &[u8], value: &mut Vec<u8>) {
    let Some((b'"', mut rest)) = raw.split_first() else {
        return value.extend_from_slice(raw);
    };
    while let Some(at) = memchr::memchr(b'"', rest) {
        value.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.split_first() {
            Some((b'"', after)) => {
                value.push(b'"');
                rest = after;
            }
            _ => break,
        }
    }
    value.extend_from_slice(rest);
}

/// A record that owns its bytes: the header, or a long row.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnedRecord {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    marks: Marks,
    values: Values,
}

impl OwnedRecord {
    /// Copies `record` and locates all its fields, not only the wanted ones.
    pub(super) fn copy_locating_all(record: &Record<'_>, delimiter: u8) -> Self {
        let mut scanner = Scanner::new(delimiter, Wanted::first(record.fields));
        // The text is one record without its line break, so no record ends inside the text.
        let _ = scanner
            .feed(record.bytes(), |_| Ok::<_, std::convert::Infallible>(crate::csv::scanner::Flow::Continue));
        let (ends, marks) = scanner.finish(|found| (found.ends.to_vec(), found.marks)).unwrap_or_default();
        let mut owned = Self { bytes: record.bytes().to_vec(), ends, marks, values: Values::default() };
        if marks.has(Marks::ESCAPES) {
            let mut values = Values::default();
            values.fill(&owned.as_record(), &(0..record.fields).collect::<Vec<_>>());
            owned.values = values;
        }
        owned
    }

    /// Copies the record. The same fields are located in the copy.
    pub(super) fn copy_of(record: &Record<'_>) -> Self {
        let start = start_of_record(record.text, record.from);
        let origin = record.origin.wrapping_add(start as u32);
        Self {
            bytes: record.bytes().to_vec(),
            ends: record.ends.iter().map(|end| end.wrapping_sub(origin)).collect(),
            marks: record.marks,
            values: record.values.cloned().unwrap_or_default(),
        }
    }

    /// Creates a record from its cells. A cell is in quotes if it needs them.
    pub(super) fn from_cells(cells: &[String], delimiter: u8) -> Self {
        let mut record = Self::default();
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                record.bytes.push(delimiter);
            }
            let is_special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
            if cell.bytes().any(is_special) {
                record.bytes.push(b'"');
                record.bytes.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
                record.bytes.push(b'"');
            } else {
                record.bytes.extend_from_slice(cell.as_bytes());
            }
            record.ends.push(record.bytes.len() as u32);
        }
        if cells.iter().any(|cell| cell.contains('"')) {
            record.marks.set_if(true, Marks::ESCAPES);
            let mut values = Values::default();
            values.fill(&record.as_record(), &(0..cells.len()).collect::<Vec<_>>());
            record.values = values;
        }
        record
    }

    /// Borrows the record.
    pub(super) fn as_record(&self) -> Record<'_> {
        Record {
            text: &self.bytes,
            from: 0,
            end: self.bytes.len(),
            ends: &self.ends,
            origin: 0,
            fields: self.ends.len(),
            marks: self.marks,
            values: self.marks.has(Marks::ESCAPES).then_some(&self.values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(raw: &str) -> String {
        let mut value = Vec::new();
        push_value(raw.as_bytes(), &mut value);
        String::from_utf8(value).unwrap_or_default()
    }

    #[test]
    fn values_have_no_quotes_around_them_and_keep_all_other_text() {
        for (raw, value) in [
            ("plain", "plain"),
            ("", ""),
            (" spaced ", " spaced "),
            (r#""quoted""#, "quoted"),
            (r#""""#, ""),
            (r#""""""#, "\""),
            (r#""say ""hi""""#, "say \"hi\""),
            (r#"12" x"#, "12\" x"),
            (r#"say ""hi"""#, r#"say ""hi"""#),
            (r#""ab"cd"#, "abcd"),
            (r#""ab"c"d""#, r#"abc"d""#),
            (r#""ab" "cd""#, r#"ab "cd""#),
            (r#""open"#, "open"),
            (r#""open"""#, "open\""),
            (r#"""#, ""),
        ] {
            assert_eq!(value_of(raw), value, "{raw}");
        }
    }
}
