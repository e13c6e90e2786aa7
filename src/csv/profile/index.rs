//! The row index: the start of one row for about every mebibyte of the file.
//!
//! Each entry is the start of the first row at or after a multiple of the stride. A reader can begin at any entry: a
//! row certainly starts there, so the reader need not guess whether this position is inside quotes. The stride is 1 MiB
//! for files of up to 64 GiB. For a larger file, the stride doubles each time the index is full.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// The stride for files of up to 64 GiB, in bytes.
pub const INDEX_STRIDE_BYTES: u64 = 1 << 20;
/// Maximum number of entries: 1.5 MiB at 24 bytes each. The number is even, because a full index drops every second
/// entry.
const MAX_ENTRIES: usize = 1 << 16;

/// The start of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowStart {
    /// Position of the first byte of the row, from 0.
    pub byte: u64,
    /// Number of rows before this row; the header is not a row.
    pub row: u64,
    /// The line on which the row starts, from 1.
    pub line: u64,
}

impl RowStart {
    /// The first entry is saved as its distance from this start.
    const ORIGIN: Self = Self { byte: 0, row: 0, line: 0 };
}

/// The row index of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowIndex {
    entries: Vec<RowStart>,
    stride_bytes: u64,
    max_entries: usize,
}

impl Default for RowIndex {
    fn default() -> Self {
        Self { entries: Vec::new(), stride_bytes: INDEX_STRIDE_BYTES, max_entries: MAX_ENTRIES }
    }
}

impl RowIndex {
    /// Returns the entries, ascending. The first entry is the start of the first row.
    pub fn entries(&self) -> &[RowStart] {
        &self.entries
    }

    /// Returns the last entry at or before a row (from 0); `None` if the file has no rows.
    pub fn locate(&self, row: u64) -> Option<RowStart> {
        let count = self.entries.partition_point(|entry| entry.row <= row);
        self.entries.get(count.checked_sub(1)?).copied()
    }

    /// Returns the memory of the entries, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<RowStart>()
    }

    /// Returns the byte at or after which the next entry must start.
    pub(super) fn next_due(&self) -> u64 {
        match self.entries.last() {
            Some(last) => (last.byte / self.stride_bytes + 1) * self.stride_bytes,
            None => 0,
        }
    }

    /// Adds an entry. If the index is full, first drops every second entry and doubles the stride. Returns whether the
    /// index was full.
    pub(super) fn push(&mut self, start: RowStart) -> bool {
        let is_full = self.entries.len() >= self.max_entries;
        if is_full {
            let mut at = 0;
            self.entries.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride_bytes *= 2;
        }
        self.entries.push(start);
        is_full
    }

    /// Writes the index.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.save_stride(state);
        self.save_since(0, state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut index = Self::restore_stride(state)?;
        index.extend(state)?;
        Ok(index)
    }

    /// Writes everything except the entries.
    pub(super) fn save_stride(&self, state: &mut StateWriter) {
        state.number(self.stride_bytes);
    }

    /// Reads an index without its entries.
    pub(super) fn restore_stride(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let stride_bytes = state.number()?;
        if !stride_bytes.is_power_of_two() || !(INDEX_STRIDE_BYTES..1 << 56).contains(&stride_bytes) {
            return Err(StateError::Damaged);
        }
        Ok(Self { stride_bytes, ..Self::default() })
    }

    /// Writes all entries except the first `saved` entries. Each entry is written as its distance from the previous
    /// entry.
    pub(super) fn save_since(&self, saved: usize, state: &mut StateWriter) {
        let (before, unsaved) = self.entries.split_at(saved.min(self.entries.len()));
        let mut before = before.last().copied().unwrap_or(RowStart::ORIGIN);
        state.list(unsaved, |state, &entry| {
            state.number(entry.byte.saturating_sub(before.byte));
            state.number(entry.row.saturating_sub(before.row));
            state.number(entry.line.saturating_sub(before.line));
            before = entry;
        });
    }

    /// Reads the entries that [`RowIndex::save_since`] wrote and appends them.
    pub(super) fn extend(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut before = self.entries.last().copied().unwrap_or(RowStart::ORIGIN);
        let entries = state.list(|state| {
            let mut add = |value: u64| {
                let sum = value + state.total()?;
                if sum < 1 << 60 { Ok(sum) } else { Err(StateError::Damaged) }
            };
            before = RowStart { byte: add(before.byte)?, row: add(before.row)?, line: add(before.line)? };
            Ok(before)
        })?;
        self.entries.extend(entries);
        Ok(())
    }

    /// Creates an index with small bounds, so that a small test file fills the index.
    #[cfg(test)]
    pub(super) fn with_bounds(max_entries: usize, stride_bytes: u64) -> Self {
        Self { max_entries, stride_bytes, ..Self::default() }
    }
}
