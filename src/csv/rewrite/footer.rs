//! Leaves out the last records of a text.

use std::collections::VecDeque;

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// Holds back the last records of the text, because the file may end after them.
#[derive(Debug, Clone, Default)]
pub(super) struct Footer {
    /// Number of records to leave out at the end of the file.
    pub(super) records: usize,
    held: Vec<u8>,
    /// Number of bytes of `held` that were looked at.
    seen: usize,
    inside_quotes: bool,
    /// Whether the last byte that was looked at ended a record.
    after_record: bool,
    /// Starts of the records in `held`.
    starts: VecDeque<usize>,
}

impl Footer {
    /// Creates the state at the start of a text whose last `records` records are left out.
    pub(super) fn new(records: u32) -> Self {
        Self { records: records as usize, ..Self::default() }
    }

    /// Returns how many bytes of text are held back.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Copies a piece of text to `out`, except the records that may be the last ones.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if self.records == 0 {
            return out.extend_from_slice(text);
        }
        self.held.extend_from_slice(text);
        self.release(out);
    }

    /// Looks at new text and moves the records that cannot be the last ones to `out`.
    fn release(&mut self, out: &mut Vec<u8>) {
        for at in self.seen..self.held.len() {
            let byte = self.held[at];
            let is_break = matches!(byte, b'\r' | b'\n') && !self.inside_quotes;
            if !is_break && (self.starts.is_empty() || self.after_record) {
                self.starts.push_back(at);
            }
            self.after_record = is_break;
            // Doubled quotes change the state twice.
            self.inside_quotes ^= byte == b'"';
        }
        self.seen = self.held.len();
        // The last record may be unfinished. It counts, because it is a record in any case.
        while self.starts.len() > self.records + 1 {
            self.starts.pop_front();
        }
        let end = self.starts.front().copied().filter(|_| self.starts.len() > self.records).unwrap_or(0);
        if end > 0 {
            out.extend_from_slice(&self.held[..end]);
            self.held.drain(..end);
            self.seen -= end;
            for start in &mut self.starts {
                *start -= end;
            }
        }
    }

    /// Ends the text: leaves out the last records.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.records == 0 {
            return;
        }
        self.release(out);
        if let Some(&end) = self.starts.iter().rev().nth(self.records - 1) {
            out.extend_from_slice(&self.held[..end]);
        }
        *self = Self { records: self.records, ..Self::default() };
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.bytes(&self.held);
        state.count(self.seen);
        state.flag(self.inside_quotes);
        state.flag(self.after_record);
        state.list(&self.starts.iter().copied().collect::<Vec<_>>(), |state, &start| state.count(start));
    }

    pub(super) fn restore(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.held = state.bytes()?.to_vec();
        self.seen = state.size()?;
        self.inside_quotes = state.flag()?;
        self.after_record = state.flag()?;
        self.starts = state.list(StateReader::size)?.into();
        let last = self.starts.back().copied().unwrap_or(0);
        if self.seen > self.held.len() || last > self.held.len() {
            return Err(StateError::Damaged);
        }
        Ok(())
    }
}
