//! ZoneSpans maps: what the cells of each column span in each stretch of the file.
//!
//! A zone is one or more blocks of the row index. Zones are as fine as the index while they fit in 64 Ki
//! cells (2.5 MiB), and are merged two by two beyond.

use super::column::BlockColumn;
use super::statistics::ALLOCATION_BYTES;
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Span;
use std::ops::Range;

/// Columns that have zone maps.
pub const MAX_ZONED_COLUMNS: usize = 256;
/// Zones times columns.
const MAX_CELLS: usize = 1 << 16;

/// What the cells of a column span in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ZoneCell {
    least: u64,
    greatest: u64,
    /// The bits of a double or whole seconds.
    low: u64,
    high: u64,
    empties: u32,
    longest_bytes: u8,
    flags: u8,
}

impl ZoneCell {
    const SAVED_BYTES: usize = 4 * 8 + 4 + 2;

    const HAS_NUMBER: u8 = 1;
    const HAS_DATE: u8 = 2;
    const HAS_OTHER: u8 = 4;
    const HAS_ANY: u8 = 7;

    fn of(block: &BlockColumn) -> Self {
        let kinds = block.kinds;
        let has_number = kinds.integer + kinds.decimal + kinds.code > 0;
        let has_date = kinds.date + kinds.datetime > 0;
        let has_other = kinds.text + kinds.boolean > 0;
        let (low, high) = match (has_number, has_date) {
            (true, false) => (block.numbers.0.to_bits(), block.numbers.1.to_bits()),
            (false, true) => (block.seconds.0 as u64, block.seconds.1 as u64),
            _ => (0, 0),
        };
        let has_any = has_number || has_date || has_other;
        Self {
            least: if has_any { block.prefixes.0 } else { 0 },
            greatest: if has_any { block.prefixes.1 } else { 0 },
            low,
            high,
            empties: kinds.empty,
            longest_bytes: u8::try_from(block.longest_bytes).unwrap_or(u8::MAX),
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

/// What the columns span in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ZoneSpans {
    /// Whether some record of it has an unsound form.
    is_uneven: bool,
    /// By column. An allocation each: one for all of them would be moved, and held twice, as it grows.
    cells: Box<[ZoneCell]>,
}

impl ZoneSpans {
    fn merge(&mut self, other: &Self) {
        self.is_uneven |= other.is_uneven;
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

/// What the columns of a file span, zone by zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneMaps {
    columns: usize,
    blocks_per_zone: usize,
    /// Blocks taken in.
    blocks: usize,
    zones: Vec<ZoneSpans>,
    max_cells: usize,
}

impl ZoneMaps {
    /// ZoneSpans maps of the first columns of a file of so many.
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns: columns.min(MAX_ZONED_COLUMNS),
            blocks_per_zone: 1,
            blocks: 0,
            zones: Vec::new(),
            max_cells: MAX_CELLS,
        }
    }

    /// How many columns have them.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many blocks of the index they cover.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// How much memory the zones take, in bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let cells = self.columns * size_of::<ZoneCell>() + ALLOCATION_BYTES;
        self.zones.capacity() * size_of::<ZoneSpans>() + self.zones.len() * cells
    }

    /// How many zones there are.
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// The zone that a block of the index lies in.
    pub(super) fn zone_of(&self, block: usize) -> usize {
        block / self.blocks_per_zone
    }

    /// Whether some record of a zone has an unsound form.
    pub(super) fn is_uneven(&self, zone: usize) -> bool {
        self.zones.get(zone).is_none_or(|zone| zone.is_uneven)
    }

    /// What a column spans in a zone; `None` where that is not known.
    pub(super) fn span(&self, zone: usize, column: usize) -> Option<Span> {
        self.zones.get(zone)?.cells.get(column).map(ZoneCell::span)
    }

    /// Adds the next block of the index. `true` when zones were merged to make room.
    pub(super) fn push<'a>(&mut self, block: impl Iterator<Item = &'a BlockColumn>, is_uneven: bool) -> bool {
        let before = self.blocks_per_zone;
        let zone = self.zone_of(self.blocks);
        self.blocks += 1;
        let new = ZoneSpans { is_uneven, cells: block.take(self.columns).map(ZoneCell::of).collect() };
        match self.zones.get_mut(zone) {
            Some(zone) => zone.merge(&new),
            None => self.zones.push(new),
        }
        while self.len() * self.columns > self.max_cells && self.len() > 1 {
            self.merge_neighbours();
            self.blocks_per_zone *= 2;
        }
        self.blocks_per_zone != before
    }

    /// Takes account of two blocks of the index becoming one, over and over.
    pub(super) fn halve_blocks(&mut self) {
        self.blocks = self.blocks.div_ceil(2);
        if self.blocks_per_zone > 1 {
            self.blocks_per_zone /= 2;
        } else {
            self.merge_neighbours();
        }
    }

    fn merge_neighbours(&mut self) {
        let mut zones = std::mem::take(&mut self.zones).into_iter();
        while let Some(mut zone) = zones.next() {
            if let Some(neighbour) = zones.next() {
                zone.merge(&neighbour);
            }
            self.zones.push(zone);
        }
    }

    /// How many zones no further block is merged into, unless all of them are.
    pub(super) fn settled(&self) -> usize {
        self.blocks / self.blocks_per_zone
    }

    /// Writes them down.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.save_shape(state);
        self.save_zones(0..self.len(), state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut zones = Self::restore_shape(state)?;
        zones.extend(state)?;
        zones.check()?;
        Ok(zones)
    }

    /// Writes down everything but the zones.
    pub(super) fn save_shape(&self, state: &mut StateWriter) {
        for count in [self.columns, self.blocks_per_zone, self.blocks] {
            state.count(count);
        }
    }

    /// ZoneSpans maps without their zones.
    pub(super) fn restore_shape(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (columns, blocks_per_zone, blocks) = (state.size()?, state.size()?, state.size()?);
        let is_sound =
            columns <= MAX_ZONED_COLUMNS && blocks_per_zone.is_power_of_two() && blocks_per_zone < 1 << 30;
        match is_sound {
            true => Ok(Self { columns, blocks_per_zone, blocks, ..Self::new(columns) }),
            false => Err(StateError::Damaged),
        }
    }

    /// Writes some zones down.
    pub(super) fn save_zones(&self, zones: Range<usize>, state: &mut StateWriter) {
        let zones = &self.zones[zones];
        state.reserve(zones.len() * (1 + self.columns * ZoneCell::SAVED_BYTES));
        state.list(zones, |state, zone| state.flag(zone.is_uneven));
        for zone in zones {
            zone.save(state);
        }
    }

    /// Reads the zones that follow those there are.
    pub(super) fn extend(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        for is_uneven in state.list(StateReader::flag)? {
            let cells = (0..self.columns).map(|_| ZoneCell::restore(state)).collect::<Result<_, _>>()?;
            self.zones.push(ZoneSpans { is_uneven, cells });
        }
        Ok(())
    }

    /// Whether the zones are those of all blocks.
    pub(super) fn check(&self) -> Result<(), StateError> {
        match self.len() == self.blocks.div_ceil(self.blocks_per_zone) {
            true => Ok(()),
            false => Err(StateError::Damaged),
        }
    }

    /// ZoneSpans maps of fewer cells, so that a test need not be gigabytes long.
    #[cfg(test)]
    pub(super) fn of_at_most(self, max_cells: usize) -> Self {
        Self { max_cells, ..self }
    }
}
