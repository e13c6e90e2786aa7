//! The row index: where rows start, about every mebibyte.
//!
//! An entry is the first row that starts at or behind a multiple of the stride, so that reading can begin at a
//! true start of a record anywhere in the file without a guess about quotes. The stride is 1 MiB up to 64 GiB
//! and doubles beyond.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// The stride of a file of up to 64 GiB.
pub const INDEX_STRIDE_BYTES: u64 = 1 << 20;
/// Entries of an index: 1.5 MiB at 24 bytes each. Even, because they are halved.
const MAX_ENTRIES: usize = 1 << 16;

/// Where a row starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowStart {
    /// Its first byte, from 0.
    pub byte: u64,
    /// How many rows come before it; the header is none.
    pub row: u64,
    /// The line it starts on, from 1.
    pub line: u64,
}

impl RowStart {
    /// What the distance of the first entry is counted from.
    const NOWHERE: Self = Self { byte: 0, row: 0, line: 0 };
}

/// Where rows start.
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
    /// The starts of rows, ascending; the first is that of the first row.
    pub fn entries(&self) -> &[RowStart] {
        &self.entries
    }

    /// The last entry at or before a row (from 0); `None` where the file has no rows.
    pub fn locate(&self, row: u64) -> Option<RowStart> {
        let behind = self.entries.partition_point(|entry| entry.row <= row);
        self.entries.get(behind.checked_sub(1)?).copied()
    }

    /// How much memory its entries take, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<RowStart>()
    }

    /// The first byte at which the next entry is due.
    pub(super) fn next_due(&self) -> u64 {
        match self.entries.last() {
            Some(last) => (last.byte / self.stride_bytes + 1) * self.stride_bytes,
            None => 0,
        }
    }

    /// Adds an entry. `true` when every second one was left out to make room.
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

    /// Writes it down.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.save_stride(state);
        self.save_behind(0, state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut index = Self::restore_stride(state)?;
        index.extend(state)?;
        Ok(index)
    }

    /// Writes down everything but the entries.
    pub(super) fn save_stride(&self, state: &mut StateWriter) {
        state.number(self.stride_bytes);
    }

    /// The index without its entries.
    pub(super) fn restore_stride(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let stride_bytes = state.number()?;
        if !stride_bytes.is_power_of_two() || !(INDEX_STRIDE_BYTES..1 << 56).contains(&stride_bytes) {
            return Err(StateError::Damaged);
        }
        Ok(Self { stride_bytes, ..Self::default() })
    }

    /// Writes down the entries behind the first `saved`, each as its distance from the one before.
    pub(super) fn save_behind(&self, saved: usize, state: &mut StateWriter) {
        let (before, behind) = self.entries.split_at(saved.min(self.entries.len()));
        let mut before = before.last().copied().unwrap_or(RowStart::NOWHERE);
        state.list(behind, |state, &entry| {
            state.number(entry.byte.saturating_sub(before.byte));
            state.number(entry.row.saturating_sub(before.row));
            state.number(entry.line.saturating_sub(before.line));
            before = entry;
        });
    }

    /// Reads the entries that follow those there are.
    pub(super) fn extend(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut before = self.entries.last().copied().unwrap_or(RowStart::NOWHERE);
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

    /// An index of fewer entries, so that a test need not be 64 GiB long.
    #[cfg(test)]
    pub(super) fn of_at_most(max_entries: usize, stride_bytes: u64) -> Self {
        Self { max_entries, stride_bytes, ..Self::default() }
    }
}
