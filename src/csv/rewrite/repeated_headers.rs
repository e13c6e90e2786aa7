//! Leaves out the records that repeat the header.
//!
//! Programs that join files often copy the header of each file. A record repeats the header if both have the same
//! converted text.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// A longer header is not compared, so no record repeats it.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Copies converted text, without the records that repeat the header.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderFilter {
    /// The text of the header; `None` until the header has ended.
    header: Option<Vec<u8>>,
    /// The start of the current record, as long as it may repeat the header.
    record: Vec<u8>,
    /// Whether the current record does not repeat the header. Its bytes are then copied at once.
    is_other: bool,
    inside_quotes: bool,
}

impl HeaderFilter {
    /// Returns how many bytes of text the filter holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.record.len()
    }

    /// Copies a piece of text to `out`.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for &byte in text {
            if matches!(byte, b'\r' | b'\n') && !self.inside_quotes {
                self.end_record(out);
                out.push(byte);
                continue;
            }
            // Doubled quotes change the state twice.
            self.inside_quotes ^= byte == b'"';
            if self.is_other {
                out.push(byte);
                continue;
            }
            self.record.push(byte);
            let longest = self.header.as_ref().map_or(MAX_HEADER_BYTES, Vec::len);
            if self.record.len() > longest {
                self.header.get_or_insert_default();
                out.append(&mut self.record);
                self.is_other = true;
            }
        }
    }

    /// Ends the text. A second call appends nothing.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_record(out);
        self.inside_quotes = false;
    }

    fn end_record(&mut self, out: &mut Vec<u8>) {
        match &self.header {
            Some(header) if *header == self.record => {}
            None if !self.record.is_empty() => {
                out.extend_from_slice(&self.record);
                self.header = Some(std::mem::take(&mut self.record));
            }
            _ => out.extend_from_slice(&self.record),
        }
        self.record.clear();
        self.is_other = false;
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.option(self.header.as_deref(), StateWriter::bytes);
        state.bytes(&self.record);
        state.flag(self.is_other);
        state.flag(self.inside_quotes);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            header: state.option(|state| state.bytes().map(<[u8]>::to_vec))?,
            record: state.bytes()?.to_vec(),
            is_other: state.flag()?,
            inside_quotes: state.flag()?,
        })
    }
}
