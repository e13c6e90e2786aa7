//! Where the rows that a filter keeps begin: the start of every n-th matching row.
//!
//! A count notes the marks while it reads the file. A page of matching rows then begins to read at the last mark before
//! the page.

use crate::csv::checkpoint::{Seal, StateError, StateReader, StateWriter};
use crate::csv::profile::RowStart;

/// Maximum number of marks: 192 KiB at 24 bytes each. The number is even, because full marks lose every second mark.
const MAX_MARKS: usize = 8_192;

const MARKS: Seal = Seal { magic: *b"CUTm", version: 1 };

/// The starts of every n-th matching row. Matching rows are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchMarks {
    /// Number of matching rows from one mark to the next.
    stride: u64,
    starts: Vec<RowStart>,
}

impl Default for MatchMarks {
    fn default() -> Self {
        Self { stride: 1, starts: Vec::new() }
    }
}

impl MatchMarks {
    /// Returns the number of the next matching row to mark.
    pub(super) fn next_due(&self) -> u64 {
        self.stride * self.starts.len() as u64
    }

    /// Marks the start of the matching row with the number [`MatchMarks::next_due`].
    pub(super) fn push(&mut self, start: RowStart) {
        self.starts.push(start);
        if self.starts.len() == MAX_MARKS {
            let mut at = 0;
            self.starts.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// Returns the last mark at or before the matching row `number`: the number of its row, and the start of this row.
    /// `None` if there are no marks.
    pub fn before(&self, number: u64) -> Option<(u64, RowStart)> {
        let last = (self.starts.len() as u64).checked_sub(1)?;
        let mark = (number / self.stride).min(last);
        let start = self.starts.get(usize::try_from(mark).ok()?)?;
        Some((mark * self.stride, *start))
    }

    /// Returns the byte of the first mark at or after the matching row `number`. `None` if there is no such mark.
    pub fn byte_after(&self, number: u64) -> Option<u64> {
        let mark = usize::try_from(number.div_ceil(self.stride)).ok()?;
        self.starts.get(mark).map(|start| start.byte)
    }

    /// Encodes the marks. `key` says what they are marks of.
    pub fn encode(&self, key: &str) -> Vec<u8> {
        let mut state = MARKS.writer();
        state.text(key);
        state.number(self.stride);
        let mut before = RowStart { byte: 0, row: 0, line: 0 };
        state.list(&self.starts, |state: &mut StateWriter, &start| {
            state.number(start.byte - before.byte);
            state.number(start.row - before.row);
            state.number(start.line - before.line);
            before = start;
        });
        state.sealed()
    }

    /// Decodes the marks that [`MatchMarks::encode`] wrote for the same key. Returns `None` for other bytes.
    pub fn decode(bytes: &[u8], key: &str) -> Option<Self> {
        Self::restore(bytes, key).ok()
    }

    fn restore(bytes: &[u8], key: &str) -> Result<Self, StateError> {
        let mut state = MARKS.open(bytes)?;
        if state.text()? != key {
            return Err(StateError::Damaged);
        }
        let stride = state.number()?;
        let mut before = RowStart { byte: 0, row: 0, line: 0 };
        let starts = state.list(|state: &mut StateReader<'_>| {
            let start = RowStart {
                byte: before.byte.saturating_add(state.total()?),
                row: before.row.saturating_add(state.total()?),
                line: before.line.saturating_add(state.total()?),
            };
            before = start;
            Ok(start)
        })?;
        state.end()?;
        if !stride.is_power_of_two() || starts.len() >= MAX_MARKS {
            return Err(StateError::Damaged);
        }
        Ok(Self { stride, starts })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn marked(rows: u64) -> MatchMarks {
        let mut marks = MatchMarks::default();
        for row in 0..rows {
            if row == marks.next_due() {
                marks.push(RowStart { byte: 10 + 3 * row, row, line: row + 2 });
            }
        }
        marks
    }

    #[test]
    fn marks_lead_to_the_last_marked_row_before_a_page() {
        for rows in [1, 5, 8_191, 8_192, 8_193, 100_000, 1_000_001] {
            let marks = marked(rows);
            assert!(marks.starts.len() < MAX_MARKS && marks.starts.len() as u64 >= rows.min(4_096));
            for number in [0, 1, rows / 3, rows / 2, rows - 1, rows, 2 * rows] {
                let (mark, start) = marks.before(number).unwrap();
                assert_eq!(start, RowStart { byte: 10 + 3 * mark, row: mark, line: mark + 2 });
                assert!(mark <= number && (number >= rows || number - mark < marks.stride));
                match marks.byte_after(number) {
                    Some(byte) => {
                        assert!((byte - 10) / 3 >= number && (byte - 10) / 3 < number + marks.stride)
                    }
                    None => assert!(number + marks.stride >= rows),
                }
            }
        }
        assert_eq!(MatchMarks::default().before(0), None);
    }

    #[test]
    fn stored_marks_are_read_only_for_their_key() {
        let marks = marked(20_000);
        let bytes = marks.encode("key");
        assert!(bytes.len() < 8 * marks.starts.len());
        assert_eq!(MatchMarks::decode(&bytes, "key"), Some(marks));
        assert_eq!(MatchMarks::decode(&bytes, "other"), None);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(MatchMarks::decode(&damaged, "key"), None, "byte {at}");
        }
    }
}
