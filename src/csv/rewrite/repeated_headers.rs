//! Leaves out the records that repeat the header.
//!
//! Programs that join files often copy the header of each file. A record repeats the header if both have the same
//! values, in quotes or not.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// A longer header is not compared, so no record repeats it.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Copies converted text, without the records that repeat the header.
#[derive(Debug, Clone)]
pub(super) struct HeaderFilter {
    delimiter: u8,
    /// The values of the header ([`values_of`]); `None` until the header has ended.
    header: Option<Vec<u8>>,
    /// Length of the longest record that may repeat the header, in bytes.
    longest: usize,
    /// The start of the current record, as long as it may repeat the header.
    record: Vec<u8>,
    /// Whether the current record does not repeat the header. Its bytes are then copied at once.
    is_other: bool,
}

impl HeaderFilter {
    /// Creates the state at the start of a text with this delimiter.
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, header: None, longest: MAX_HEADER_BYTES, record: Vec::new(), is_other: false }
    }

    /// Returns how many bytes of text the filter holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.record.len()
    }

    /// Copies a piece of text to `out`. `breaks` are the positions of the line breaks between records, and `breaks_out`
    /// gets their positions in `out`.
    pub(super) fn push(
        &mut self,
        text: &[u8],
        breaks: &[usize],
        out: &mut Vec<u8>,
        breaks_out: &mut Vec<usize>,
    ) {
        let mut breaks = breaks.iter().peekable();
        for (position, &byte) in text.iter().enumerate() {
            if breaks.next_if(|&&next| next == position).is_some() {
                self.end_record(out);
                breaks_out.push(out.len());
                out.push(byte);
                continue;
            }
            if self.is_other {
                out.push(byte);
                continue;
            }
            self.record.push(byte);
            if self.record.len() > self.longest {
                if self.header.is_none() {
                    (self.header, self.longest) = (Some(Vec::new()), 0);
                }
                out.append(&mut self.record);
                self.is_other = true;
            }
        }
    }

    /// Ends the text. A second call appends nothing.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_record(out);
    }

    fn end_record(&mut self, out: &mut Vec<u8>) {
        if self.header.is_none() && !self.record.is_empty() {
            let values = values_of(&self.record, self.delimiter);
            // Quotes may stand around each value.
            let fields = 1 + values.iter().filter(|&&byte| byte == VALUE_END).count();
            self.longest = self.record.len() + 2 * fields;
            self.header = Some(values);
            out.extend_from_slice(&self.record);
        } else if self.record.is_empty() || self.header != Some(values_of(&self.record, self.delimiter)) {
            out.extend_from_slice(&self.record);
        }
        self.record.clear();
        self.is_other = false;
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.option(self.header.as_deref(), StateWriter::bytes);
        state.count(self.longest);
        state.bytes(&self.record);
        state.flag(self.is_other);
    }

    pub(super) fn restore(state: &mut StateReader<'_>, delimiter: u8) -> Result<Self, StateError> {
        Ok(Self {
            delimiter,
            header: state.option(|state| state.bytes().map(<[u8]>::to_vec))?,
            longest: state.size()?,
            record: state.bytes()?.to_vec(),
            is_other: state.flag()?,
        })
    }
}

/// Ends a value in [`values_of`]. It occurs in no text that is UTF-8.
const VALUE_END: u8 = 0xFF;

/// Returns the values of a record, each but the last followed by [`VALUE_END`].
fn values_of(record: &[u8], delimiter: u8) -> Vec<u8> {
    let mut values = Vec::with_capacity(record.len());
    let mut inside_quotes = false;
    for (position, &byte) in record.iter().enumerate() {
        match byte {
            b'"' => {
                // The second quote of a doubled quote is a part of the value.
                if !inside_quotes
                    && position > 0
                    && record[position - 1] == b'"'
                    && values.last() != Some(&VALUE_END)
                {
                    values.push(b'"');
                }
                inside_quotes = !inside_quotes;
            }
            _ if byte == delimiter && !inside_quotes => values.push(VALUE_END),
            _ => values.push(byte),
        }
    }
    values
}
