//! A record as it lies in the buffer, and the values of its fields.
//!
//! A field's *raw* bytes are those between two separators, quotes and all; its *value* is what a reader of
//! CSV sees: without the quotes around it, doubled quotes halved.

use super::filter::Cells;
use super::scanner::{Marks, Scanner};

/// One record, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The raw bytes, without the line break.
    pub(super) bytes: &'a [u8],
    /// Where the located fields end in `bytes`.
    pub(super) ends: &'a [u32],
    /// How many fields there are, located or not.
    pub(super) fields: usize,
    pub(super) marks: Marks,
    /// The values, where they are not simply the bytes between the quotes.
    values: Option<&'a Values>,
}

impl<'a> Record<'a> {
    /// A record of these bytes. `values` is filled when the record needs it.
    #[inline(always)]
    pub(super) fn new(
        bytes: &'a [u8],
        ends: &'a [u32],
        fields: usize,
        marks: Marks,
        values: &'a mut Values,
    ) -> Self {
        if !marks.escapes {
            return Self { bytes, ends, fields, marks, values: None };
        }
        values.fill(bytes, ends);
        Self { bytes, ends, fields, marks, values: Some(values) }
    }

    /// The raw bytes of the fields `first..=last`, separators between them included; none when the record
    /// is too short.
    #[inline(always)]
    pub(super) fn raw_run(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(last)? as usize;
        let start = match first.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize + 1,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// The raw bytes of a field; empty when the record is short.
    #[inline(always)]
    pub(super) fn raw(&self, column: usize) -> &'a [u8] {
        self.raw_run(column, column).unwrap_or_default()
    }

    /// The value of a field; empty when the record is short.
    #[inline(always)]
    pub(super) fn value(&self, column: usize) -> &'a [u8] {
        if let Some(values) = self.values {
            return values.get(column);
        }
        match self.raw(column) {
            [b'"', value @ .., b'"'] => value,
            raw => raw,
        }
    }
}

impl Cells for Record<'_> {
    fn cell(&self, column: usize) -> &[u8] {
        self.value(column)
    }
}

/// The values of a record that holds escapes, one after another. Reused from record to record.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Values {
    fn fill(&mut self, bytes: &[u8], ends: &[u32]) {
        self.text.clear();
        self.ends.clear();
        let mut start = 0;
        for &end in ends {
            push_value(&bytes[start..end as usize], &mut self.text);
            self.ends.push(self.text.len());
            start = end as usize + 1;
        }
    }

    fn get(&self, column: usize) -> &[u8] {
        let start = match column.checked_sub(1) {
            Some(before) => self.ends.get(before).copied(),
            None => Some(0),
        };
        match (start, self.ends.get(column)) {
            (Some(start), Some(&end)) => &self.text[start..end],
            _ => &[],
        }
    }
}

/// Appends the value of a raw field. Only a leading quote opens; after the closing one everything is text.
fn push_value(raw: &[u8], value: &mut Vec<u8>) {
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

/// A record that owns its bytes: the header.
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
        let mut scanner = Scanner::new(delimiter, record.fields);
        // One record without its line break: no record ends before the text does.
        let _ =
            scanner.feed(record.bytes, |_| Ok::<_, std::convert::Infallible>(super::scanner::Flow::Continue));
        let (ends, marks) = match scanner.finish() {
            Some(found) => (found.ends.to_vec(), found.marks),
            None => (Vec::new(), Marks::default()),
        };
        let mut values = Values::default();
        if marks.escapes {
            values.fill(record.bytes, &ends);
        }
        Self { bytes: record.bytes.to_vec(), ends, marks, values }
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
            bytes: &self.bytes,
            ends: &self.ends,
            fields: self.ends.len(),
            marks: self.marks,
            values: self.marks.escapes.then_some(&self.values),
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
