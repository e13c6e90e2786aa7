//! A record as it lies in the buffer, and the values of its fields.
//!
//! A field's *raw* bytes are those between two separators, quotes and all; its *value* is what a reader of
//! CSV sees: without the quotes around it, doubled quotes halved.

pub(super) mod reader;
pub(super) mod stream;
pub(super) mod validity;
pub(super) mod value;

use super::cell::Cells;
use super::scanner::walk::Wanted;
use super::scanner::{FoundRecord, Marks, Scanner, start_of_record};
use super::short_cell::ShortCell;
use value::Value;

/// One record, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// Text that holds it.
    text: &'a [u8],
    /// Where it starts there, line breaks in front of it not counted.
    from: usize,
    /// Where it ends there, without its line break.
    end: usize,
    /// Where the located fields end, counted from `origin`.
    ends: &'a [u32],
    /// Where the text starts, counted alike.
    origin: u32,
    /// How many fields there are, located or not.
    pub(super) fields: usize,
    pub(super) marks: Marks,
    /// The values, where they are not simply the bytes between the quotes.
    values: Option<&'a Values>,
}

impl<'a> Record<'a> {
    /// A record that lies whole in the piece it was found in. `values` is filled when the record needs it.
    #[inline(always)]
    pub(super) fn in_piece(found: &FoundRecord<'a>, values: &'a mut Values) -> Self {
        let &FoundRecord { from, end, ends, origin, fields, marks, wanted, lines, .. } = found;
        Self { text: lines.piece(), from, end, ends, origin, fields, marks, values: None }
            .valued(wanted, values)
    }

    /// A record of which the piece had only the end; `bytes` is all of it.
    #[cold]
    pub(super) fn carried(bytes: &'a [u8], found: &FoundRecord<'a>, values: &'a mut Values) -> Self {
        let &FoundRecord { ends, fields, marks, wanted, .. } = found;
        let end = bytes.len();
        Self { text: bytes, from: 0, end, ends, origin: 0, fields, marks, values: None }
            .valued(wanted, values)
    }

    #[inline(always)]
    fn valued(mut self, wanted: &[usize], values: &'a mut Values) -> Self {
        if self.marks.has(Marks::ESCAPES) {
            self.values = Some(values.filled(self, wanted));
        }
        self
    }

    /// The raw bytes, without the line break.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.get(start_of_record(self.text, self.from)..self.end).unwrap_or_default()
    }

    /// How many bytes it has, or a few more: line breaks that stand before it.
    #[inline(always)]
    pub(super) fn len_bytes(&self) -> usize {
        self.end - self.from
    }

    /// Where the fields `first..=last` lie in the text; nowhere when the record is too short.
    #[inline(always)]
    fn place(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        let end = self.ends.get(last)?.wrapping_sub(self.origin) as usize;
        let start = match first.checked_sub(1) {
            Some(before) => self.ends.get(before)?.wrapping_sub(self.origin) as usize + 1,
            None => start_of_record(self.text, self.from),
        };
        Some((start, end))
    }

    /// The raw bytes of the fields `first..=last`, separators between them included; none when the record
    /// is too short.
    #[inline(always)]
    pub(super) fn raw_run(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        let (start, end) = self.place(first, last)?;
        self.text.get(start..end)
    }

    /// Appends the raw bytes of the fields `first..=last`, as [`Record::raw_run`] gives them, and if asked to the
    /// delimiter in front of them, which the first field has not. Whether there are any.
    #[inline(always)]
    pub(super) fn append_raw_run(
        &self,
        first: usize,
        last: usize,
        with_delimiter: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        const SHORT_BYTES: usize = 16;
        let Some((start, end)) = self.place(first, last) else { return false };
        let start = start - usize::from(with_delimiter);
        let Some(raw) = self.text.get(start..end) else { return false };
        // What lies behind is copied along and cut off again: one copy of known size takes no call.
        match self.text[start..].first_chunk::<SHORT_BYTES>() {
            Some(bytes) if raw.len() <= SHORT_BYTES => {
                out.extend_from_slice(bytes);
                out.truncate(out.len() - SHORT_BYTES + raw.len());
            }
            _ => out.extend_from_slice(raw),
        }
        true
    }

    /// The raw bytes of a field; empty when the record is short.
    #[inline(always)]
    pub(super) fn raw(&self, column: usize) -> &'a [u8] {
        self.raw_run(column, column).unwrap_or_default()
    }

    /// The value of a field; empty when the record is short.
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
    /// The values of the fields located, in order.
    #[inline(always)]
    pub(super) fn values(&self) -> FieldValues<'a> {
        FieldValues { record: *self, column: 0, start: start_of_record(self.text, self.from) }
    }
}

/// The values of the fields of a record, one after the other.
pub(super) struct FieldValues<'a> {
    record: Record<'a>,
    /// The next field.
    column: usize,
    /// Where it starts.
    start: usize,
}

impl<'a> FieldValues<'a> {
    /// The next value; empty behind the last field located.
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

/// Whether the raw field at `start..end` begins and ends with a quote.
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
        let (start, end) = self.place(column, column)?;
        ShortCell::within(self.text, start..end)
    }
}

/// The values of the quoted fields of a record that holds escapes. Reused from record to record.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    text: Vec<u8>,
    /// By field: where its value is in the text. Out of date for fields that are not quoted.
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

    /// Gives back the memory that values of a long record took.
    pub(super) fn release(&mut self) {
        self.text = Vec::new();
    }

    fn get(&self, field: usize) -> &[u8] {
        self.places.get(field).and_then(|&(start, end)| self.text.get(start..end)).unwrap_or_default()
    }
}

/// Appends the value of a raw field. Only a leading quote opens; after the closing one everything is text.
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
    /// A copy of the bytes and marks of `record`, with all its fields located, however few were.
    pub(super) fn locating_all(record: &Record<'_>, delimiter: u8) -> Self {
        let mut scanner = Scanner::new(delimiter, Wanted::first(record.fields));
        // One record without its line break: no record ends before the text does.
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

    /// A copy of the record, with the fields located that are.
    pub(super) fn of(record: &Record<'_>) -> Self {
        let start = start_of_record(record.text, record.from);
        let origin = record.origin.wrapping_add(start as u32);
        Self {
            bytes: record.bytes().to_vec(),
            ends: record.ends.iter().map(|end| end.wrapping_sub(origin)).collect(),
            marks: record.marks,
            values: record.values.cloned().unwrap_or_default(),
        }
    }

    /// A record of plain fields: none may hold a quote, a line break or `delimiter`.
    pub(super) fn of_plain(fields: &[String], delimiter: u8) -> Self {
        let mut record = Self::default();
        for field in fields {
            if !record.ends.is_empty() {
                record.bytes.push(delimiter);
            }
            record.bytes.extend_from_slice(field.as_bytes());
            record.ends.push(record.bytes.len() as u32);
        }
        record
    }

    /// The record, borrowed.
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
    fn values_lose_their_quotes_and_keep_everything_else() {
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
