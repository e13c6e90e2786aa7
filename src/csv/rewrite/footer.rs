//! Leaves out the last records of a text.

use std::collections::VecDeque;

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// Maximum number of bytes that are held back. A footer is short; without this limit, a quote that is never closed would
/// hold back the whole file. Longer text is copied to the output.
const MAX_HELD_BYTES: usize = 256 * 1024;

/// Holds back the last records of the text, because the file may end after them. The header is never left out. Lines
/// that have only blanks or the end mark of DOS are no records.
#[derive(Debug, Clone, Default)]
pub(super) struct Footer {
    /// Number of records to leave out at the end of the file.
    pub(super) records: usize,
    /// Whether the next record is the header.
    before_header: bool,
    held: Vec<u8>,
    /// Start of the current line in `held`. `None` before its first byte, and after its record was counted.
    line_start: Option<usize>,
    /// Whether the next byte begins a line.
    at_line_start: bool,
    /// Starts of the records in `held`.
    starts: VecDeque<usize>,
}

impl Footer {
    /// Creates the state at the start of a text whose last `records` records are left out.
    pub(super) fn new(records: u32, has_header: bool) -> Self {
        Self { records: records as usize, before_header: has_header, at_line_start: true, ..Self::default() }
    }

    /// Returns how many bytes of text are held back.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Copies a piece of text to `out`, except the records that may be the last ones. `breaks` are the positions of the
    /// line breaks between records.
    pub(super) fn push(&mut self, text: &[u8], breaks: &[usize], out: &mut Vec<u8>) {
        if self.records == 0 {
            return out.extend_from_slice(text);
        }
        let mut breaks = breaks.iter().peekable();
        for (position, &byte) in text.iter().enumerate() {
            let at = self.held.len();
            self.held.push(byte);
            if breaks.next_if(|&&next| next == position).is_some() {
                (self.line_start, self.at_line_start) = (None, true);
                continue;
            }
            if std::mem::take(&mut self.at_line_start) {
                self.line_start = Some(at);
            }
            if !matches!(byte, b' ' | b'\t' | 0x1A)
                && let Some(start) = self.line_start.take()
                && !std::mem::take(&mut self.before_header)
            {
                self.starts.push_back(start);
            }
        }
        self.release(out);
    }

    /// Moves the records that cannot be the last ones to `out`.
    fn release(&mut self, out: &mut Vec<u8>) {
        // The last record may be unfinished. It counts, because it is a record in any case.
        while self.starts.len() > self.records + 1 {
            self.starts.pop_front();
        }
        let end = self.starts.front().copied().filter(|_| self.starts.len() > self.records).unwrap_or(0);
        if end > 0 {
            out.extend_from_slice(&self.held[..end]);
            self.held.drain(..end);
            for start in self.starts.iter_mut().chain(&mut self.line_start) {
                *start -= end;
            }
        }
        if self.held.len() > MAX_HELD_BYTES {
            out.append(&mut self.held);
            self.starts.clear();
            self.line_start = None;
        }
    }

    /// Ends the text: leaves out the last records.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.records == 0 {
            return;
        }
        let last = self.starts.iter().rev().nth(self.records - 1).or(self.starts.front());
        out.extend_from_slice(&self.held[..last.copied().unwrap_or(self.held.len())]);
        self.held.clear();
        self.starts.clear();
        self.line_start = None;
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.flag(self.before_header);
        state.bytes(&self.held);
        state.option(self.line_start, StateWriter::count);
        state.flag(self.at_line_start);
        state.list(&self.starts.iter().copied().collect::<Vec<_>>(), |state, &start| state.count(start));
    }

    pub(super) fn restore(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.before_header = state.flag()?;
        self.held = state.bytes()?.to_vec();
        self.line_start = state.option(StateReader::size)?;
        self.at_line_start = state.flag()?;
        self.starts = state.list(StateReader::size)?.into();
        let last = self.starts.back().copied().max(self.line_start).unwrap_or(0);
        if last > self.held.len() { Err(StateError::Damaged) } else { Ok(()) }
    }
}
