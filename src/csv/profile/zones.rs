//! Zone maps: the [`Span`] of each column in each zone.
//!
//! An entry of the zone maps covers one or more neighbouring zones of the row index. At first, each zone has its own
//! entry. If all entries together have more than 64 Ki spans (2.5 MiB), [`ZoneMaps::push`] merges neighbouring entries
//! in pairs.

use super::column::ZoneColumn;
use super::statistics::ALLOCATION_BYTES;
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Span;
use std::ops::Range;

/// Maximum number of columns with zone maps.
pub const MAX_ZONED_COLUMNS: usize = 256;
/// Maximum number of spans: entries × columns.
const MAX_CELLS: usize = 1 << 16;

/// The span of a column in one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ZoneMapCell {
    /// The first eight bytes of the smallest non-empty cell, as a big-endian number.
    least: u64,
    /// The first eight bytes of the greatest cell, in the form of `least`.
    greatest: u64,
    /// In zones with numbers and without dates: the smallest number, as the bits of an `f64`. In zones with dates and
    /// without numbers: the earliest date, in whole seconds. Otherwise 0.
    low: u64,
    /// The greatest number or the latest date, in the form of `low`.
    high: u64,
    empties: u32,
    longest_bytes: u8,
    flags: u8,
}

impl ZoneMapCell {
    const SAVED_BYTES: usize = 4 * 8 + 4 + 2;

    const HAS_NUMBER: u8 = 1;
    const HAS_DATE: u8 = 2;
    const HAS_OTHER: u8 = 4;
    const HAS_ANY: u8 = 7;

    fn of(zone: &ZoneColumn) -> Self {
        let kinds = zone.kinds;
        let has_number = kinds.integer + kinds.decimal + kinds.code > 0;
        let has_date = kinds.date + kinds.datetime > 0;
        let has_other = kinds.text + kinds.boolean + kinds.missing > 0;
        let (low, high) = match (has_number, has_date) {
            (true, false) => (zone.numbers.0.to_bits(), zone.numbers.1.to_bits()),
            (false, true) => (zone.seconds.0 as u64, zone.seconds.1 as u64),
            _ => (0, 0),
        };
        let has_any = has_number || has_date || has_other;
        Self {
            least: if has_any { zone.prefixes.0 } else { 0 },
            greatest: if has_any { zone.prefixes.1 } else { 0 },
            low,
            high,
            empties: kinds.empty,
            longest_bytes: u8::try_from(zone.longest_bytes).unwrap_or(u8::MAX),
            flags: [(has_number, Self::HAS_NUMBER), (has_date, Self::HAS_DATE), (has_other, Self::HAS_OTHER)]
                .into_iter()
                .filter(|(has, _)| *has)
                .fold(0, |flags, (_, flag)| flags | flag),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn numbers(&self) -> Option<(f64, f64)> {
        let is_known = self.has(Self::HAS_NUMBER) && !self.has(Self::HAS_DATE);
        is_known.then(|| (f64::from_bits(self.low), f64::from_bits(self.high)))
    }

    fn seconds(&self) -> Option<(i64, i64)> {
        let is_known = self.has(Self::HAS_DATE) && !self.has(Self::HAS_NUMBER);
        is_known.then_some((self.low as i64, self.high as i64))
    }

    fn span(&self) -> Span {
        Span {
            has_empty: self.empties > 0,
            has_number: self.has(Self::HAS_NUMBER),
            has_date: self.has(Self::HAS_DATE),
            has_other: self.has(Self::HAS_OTHER),
            numbers: self.numbers(),
            seconds: self.seconds(),
            prefixes: (self.least, self.greatest),
            longest_bytes: self.longest_bytes,
        }
    }

    fn merge(&mut self, other: &Self) {
        let flags = self.flags | other.flags;
        let is_mixed = flags & Self::HAS_NUMBER != 0 && flags & Self::HAS_DATE != 0;
        (self.low, self.high) = if is_mixed {
            (0, 0)
        } else if !other.has(Self::HAS_NUMBER | Self::HAS_DATE) {
            (self.low, self.high)
        } else if !self.has(Self::HAS_NUMBER | Self::HAS_DATE) {
            (other.low, other.high)
        } else if flags & Self::HAS_NUMBER != 0 {
            let [low, other_low] = [self.low, other.low].map(f64::from_bits);
            let [high, other_high] = [self.high, other.high].map(f64::from_bits);
            (
                if other_low < low { other.low } else { self.low },
                if other_high > high { other.high } else { self.high },
            )
        } else {
            ((self.low as i64).min(other.low as i64) as u64, (self.high as i64).max(other.high as i64) as u64)
        };
        if other.has(Self::HAS_ANY) {
            let is_first = !self.has(Self::HAS_ANY);
            self.least = if is_first { other.least } else { self.least.min(other.least) };
            self.greatest = self.greatest.max(other.greatest);
        }
        self.empties = self.empties.saturating_add(other.empties);
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.flags = flags;
    }

    fn save(&self, state: &mut StateWriter) {
        for word in [self.least, self.greatest, self.low, self.high] {
            state.word(word);
        }
        state.raw(&self.empties.to_le_bytes());
        state.byte(self.longest_bytes);
        state.byte(self.flags);
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            least: state.word()?,
            greatest: state.word()?,
            low: state.word()?,
            high: state.word()?,
            empties: u32::from_le_bytes(state.array()?),
            longest_bytes: state.byte()?,
            flags: state.byte()?,
        })
    }
}

/// The spans of all columns in one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ZoneMapEntry {
    /// Whether a record in the zones of the entry is malformed.
    has_malformed: bool,
    /// Indexed by column. Each entry has its own allocation. A single buffer for all entries would be copied to a
    /// larger buffer when it is full. During the copy, both buffers would take memory.
    cells: Box<[ZoneMapCell]>,
}

impl ZoneMapEntry {
    fn merge(&mut self, other: &Self) {
        self.has_malformed |= other.has_malformed;
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            cell.merge(more);
        }
    }

    fn save(&self, state: &mut StateWriter) {
        for cell in &self.cells {
            cell.save(state);
        }
    }
}

/// The zone maps of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneMaps {
    columns: usize,
    zones_per_entry: usize,
    /// Number of zones of the row index that the entries cover.
    zones: usize,
    entries: Vec<ZoneMapEntry>,
    max_cells: usize,
}

impl ZoneMaps {
    /// Creates empty zone maps for the first [`MAX_ZONED_COLUMNS`] of `columns` columns.
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns: columns.min(MAX_ZONED_COLUMNS),
            zones_per_entry: 1,
            zones: 0,
            entries: Vec::new(),
            max_cells: MAX_CELLS,
        }
    }

    /// Returns the number of columns with zone maps.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the number of zones of the row index that the entries cover.
    pub(super) fn zone_count(&self) -> usize {
        self.zones
    }

    /// Returns the approximate memory of the entries, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let cells = self.columns * size_of::<ZoneMapCell>() + ALLOCATION_BYTES;
        self.entries.capacity() * size_of::<ZoneMapEntry>() + self.entries.len() * cells
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the position of the entry that covers a zone of the row index.
    pub(super) fn entry_of(&self, zone: usize) -> usize {
        zone / self.zones_per_entry
    }

    /// Whether a record in the zones of an entry is malformed. `true` if there is no entry at this position.
    pub(super) fn has_malformed(&self, entry: usize) -> bool {
        self.entries.get(entry).is_none_or(|entry| entry.has_malformed)
    }

    /// Returns the span of a column in an entry; `None` if the entry or its column does not exist.
    pub(super) fn span(&self, entry: usize, column: usize) -> Option<Span> {
        self.entries.get(entry)?.cells.get(column).map(ZoneMapCell::span)
    }

    /// Adds the next zone of the row index. Returns `true` if it merged entries to make room.
    pub(super) fn push<'a>(
        &mut self,
        zone_columns: impl Iterator<Item = &'a ZoneColumn>,
        has_malformed: bool,
    ) -> bool {
        let before = self.zones_per_entry;
        let entry = self.entry_of(self.zones);
        self.zones += 1;
        let new = ZoneMapEntry {
            has_malformed,
            cells: zone_columns.take(self.columns).map(ZoneMapCell::of).collect(),
        };
        match self.entries.get_mut(entry) {
            Some(entry) => entry.merge(&new),
            None => self.entries.push(new),
        }
        while self.len() * self.columns > self.max_cells && self.len() > 1 {
            self.merge_neighbours();
            self.zones_per_entry *= 2;
        }
        self.zones_per_entry != before
    }

    /// Merges the zones in pairs. Must be called when the row index drops every second entry.
    pub(super) fn halve_zones(&mut self) {
        self.zones = self.zones.div_ceil(2);
        if self.zones_per_entry > 1 {
            self.zones_per_entry /= 2;
        } else {
            self.merge_neighbours();
        }
    }

    fn merge_neighbours(&mut self) {
        let mut entries = std::mem::take(&mut self.entries).into_iter();
        while let Some(mut entry) = entries.next() {
            if let Some(neighbour) = entries.next() {
                entry.merge(&neighbour);
            }
            self.entries.push(entry);
        }
    }

    /// Returns the number of entries that cover `zones_per_entry` zones. [`ZoneMaps::push`] changes these entries only
    /// when it merges entries.
    pub(super) fn complete_entries(&self) -> usize {
        self.zones / self.zones_per_entry
    }

    /// Writes the zone maps.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.save_shape(state);
        self.save_entries(0..self.len(), state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut maps = Self::restore_shape(state)?;
        maps.extend(state)?;
        maps.check()?;
        Ok(maps)
    }

    /// Writes everything except the entries.
    pub(super) fn save_shape(&self, state: &mut StateWriter) {
        for count in [self.columns, self.zones_per_entry, self.zones] {
            state.count(count);
        }
    }

    /// Reads zone maps without their entries.
    pub(super) fn restore_shape(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (columns, zones_per_entry, zones) = (state.size()?, state.size()?, state.size()?);
        let is_consistent =
            columns <= MAX_ZONED_COLUMNS && zones_per_entry.is_power_of_two() && zones_per_entry < 1 << 30;
        match is_consistent {
            true => Ok(Self { columns, zones_per_entry, zones, ..Self::new(columns) }),
            false => Err(StateError::Damaged),
        }
    }

    /// Writes the entries in a range of positions.
    pub(super) fn save_entries(&self, entries: Range<usize>, state: &mut StateWriter) {
        let entries = &self.entries[entries];
        state.reserve(entries.len() * (1 + self.columns * ZoneMapCell::SAVED_BYTES));
        state.list(entries, |state, entry| state.flag(entry.has_malformed));
        for entry in entries {
            entry.save(state);
        }
    }

    /// Reads entries and appends them.
    pub(super) fn extend(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        for has_malformed in state.list(StateReader::flag)? {
            let cells = (0..self.columns).map(|_| ZoneMapCell::restore(state)).collect::<Result<_, _>>()?;
            self.entries.push(ZoneMapEntry { has_malformed, cells });
        }
        Ok(())
    }

    /// Checks that the entries cover all zones.
    pub(super) fn check(&self) -> Result<(), StateError> {
        match self.len() == self.zones.div_ceil(self.zones_per_entry) {
            true => Ok(()),
            false => Err(StateError::Damaged),
        }
    }

    /// Sets a small maximum number of spans, so that a small test file reaches it.
    #[cfg(test)]
    pub(super) fn with_max_cells(self, max_cells: usize) -> Self {
        Self { max_cells, ..self }
    }
}
