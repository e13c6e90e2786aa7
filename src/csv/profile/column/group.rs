//! Adds many cells of a column at once: the cells in the rows of a record group. This is faster than adding each cell
//! separately with [`HotColumn::add`], because many checks are made once for all cells. Both ways compute the same
//! profile.

use super::{ColumnProfiler, HotColumn};
use crate::csv::profile::cell::{
    Cell, Numeral, is_boolean, is_missing, may_be_boolean, may_be_missing, short_number,
};
use crate::csv::profile::cells::{ColumnCells, KindHints};
use crate::csv::profile::distinct::Insertion;
use crate::csv::profile::hash::hash_of;
use crate::csv::profile::small_integers::SMALL;
use crate::csv::record::value::{Value, WORD_BYTES};

/// After [`HotColumn::try_add_integers`] has returned `false`, it is not called for this number of record groups. The
/// column probably has decimals, so more calls would waste time.
const DECIMAL_GROUPS: u8 = 32;

impl HotColumn {
    /// Adds the cells of a record group. `piece` is the piece that contains the record group.
    pub(in crate::csv::profile) fn add_all(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
    ) {
        let zone = &mut self.zone;
        zone.kinds.empty += cells.empties();
        if cells.len() == 0 {
            return;
        }
        let (least, greatest) = cells.prefixes();
        zone.prefixes = (zone.prefixes.0.min(least), zone.prefixes.1.max(greatest));
        zone.longest_bytes = zone.longest_bytes.max(cells.longest_bytes());
        let greatest_integer = self.add_kinds(cells, piece, column);
        let are_small = greatest_integer.is_some_and(|integer| integer < SMALL) && column.counts_values;
        let has_new_values = self.add_values(cells, piece, column, are_small);
        if has_new_values && (least <= self.texts.0 || greatest >= self.texts.1) {
            self.add_extreme_texts(cells, piece, column, [least, greatest]);
        }
    }

    /// Counts the cells of each kind. If [`ColumnCells::integers`] parsed all cells, returns the greatest integer.
    fn add_kinds(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
    ) -> Option<u64> {
        let hints = cells.kind_hints();
        if hints.has(KindHints::BLANK) {
            self.add_each_kind(cells, piece, column);
            return None;
        }
        match (hints.has(KindHints::NUMERIC), hints.has(KindHints::WORD) || hints.has(KindHints::OTHER)) {
            (true, false) => return self.add_numbers(cells, piece, column),
            (true, true) => self.add_each_kind(cells, piece, column),
            (false, _) if hints.has(KindHints::WORD) => self.add_words(cells, piece),
            (false, _) => self.zone.kinds.text += cells.len() as u32,
        }
        None
    }

    #[inline(never)]
    fn add_each_kind(&mut self, cells: &ColumnCells, piece: &[u8], column: &mut ColumnProfiler) {
        (0..cells.len()).for_each(|at| self.add_kind(cells.value(at, piece), column));
    }

    /// Counts cells that are booleans, words for missing values, or texts.
    #[inline(never)]
    fn add_words(&mut self, cells: &ColumnCells, piece: &[u8]) {
        // Many texts start with the same letter as `true`, `false` or `null`. This loop compares the first four letters
        // of all cells without a branch. Usually no cell starts like one of the words. Then no cell needs to be
        // compared as a whole.
        let may_be_word = |any: bool, &head: &u64| any | may_be_boolean(head) | may_be_missing(head);
        let count = |is_word: fn(Value<'_>) -> bool| {
            (0..cells.len()).filter(|&at| is_word(cells.value(at, piece))).count() as u32
        };
        let (booleans, missing) = match cells.heads().iter().fold(false, may_be_word) {
            true => (count(is_boolean), count(is_missing)),
            false => (0, 0),
        };
        self.zone.kinds.boolean += booleans;
        self.zone.kinds.missing += missing;
        self.zone.kinds.text += cells.len() as u32 - booleans - missing;
    }

    /// Adds cells that all start like a number. If [`ColumnCells::integers`] parsed all cells, returns the greatest
    /// integer.
    #[inline(never)]
    fn add_numbers(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
    ) -> Option<u64> {
        if self.decimal_groups > 0 {
            self.decimal_groups -= 1;
        } else if let Some(greatest) = self.try_add_integers(cells, piece, column) {
            return Some(greatest);
        } else {
            self.decimal_groups = DECIMAL_GROUPS;
        }
        for (at, (&head, &len)) in cells.heads().iter().zip(cells.lens()).enumerate() {
            let cell = if len as usize <= WORD_BYTES { short_number(head, len) } else { None };
            match cell {
                Some(Cell::Number(number, numeral)) if numeral != Numeral::Code => {
                    self.zone.add_number(number, numeral);
                    if let Some(bins) = &mut column.bins {
                        bins.numbers.add(number);
                    }
                    if number < self.numbers.0 || number > self.numbers.1 {
                        self.numbers = column.update_numbers(number, cells.value(at, piece));
                    }
                }
                _ => self.add_other_number(cells.value(at, piece), column),
            }
        }
        None
    }

    #[inline(never)]
    fn add_other_number(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        self.add_kind(value, column);
    }

    /// If [`ColumnCells::integers`] can parse all cells, adds the cells and returns the greatest integer. Otherwise adds
    /// nothing and returns `None`.
    #[inline(always)]
    fn try_add_integers(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
    ) -> Option<u64> {
        let integers = cells.integers(piece)?;
        let zone = &mut self.zone;
        zone.kinds.integer += cells.len() as u32;
        zone.sum = match exact_sum(zone.sum, integers.sum) {
            Some(sum) => sum,
            None => cells.as_integers().iter().fold(zone.sum, |sum, &integer| sum + integer as f64),
        };
        if let Some(bins) = &mut column.bins {
            bins.numbers.add_all(cells.as_integers());
        }
        let (low, high) = (integers.low as f64, integers.high as f64);
        if low < zone.numbers.0 || high > zone.numbers.1 {
            zone.widen(low);
            zone.widen(high);
        }
        // If several cells have this number, `position` finds the first of them. The column would keep the same cell if
        // the cells were added one by one.
        for (number, integer) in [(low, integers.low), (high, integers.high)] {
            if (number < self.numbers.0 || number > self.numbers.1)
                && let Some(at) = cells.position(integer)
            {
                self.numbers = column.update_numbers(number, cells.value(at, piece));
            }
        }
        Some(integers.high)
    }

    /// Adds the cells to the distinct values of the column. Returns whether there are new values, and the number of cells
    /// that were added: all of them, unless the exact count of the values has ended.
    #[inline(never)]
    fn add_small_integers(cells: &ColumnCells, piece: &[u8], column: &mut ColumnProfiler) -> (bool, usize) {
        let mut has_new = false;
        for (at, &integer) in cells.as_integers().iter().enumerate() {
            if column.distinct.insert_small(integer) {
                continue;
            }
            let value = cells.value(at, piece);
            let hash = hash_of(value);
            match column.distinct.insert(hash) {
                Insertion::Known => {}
                Insertion::New => {
                    column.keep_new(value.bytes);
                    has_new = true;
                }
                Insertion::Full | Insertion::Uncounted => {
                    column.end_exact((at..cells.len()).map(|at| cells.value(at, piece)));
                    return (true, at + 1);
                }
            }
            column.distinct.begin_small(integer, hash);
        }
        (has_new, cells.len())
    }

    /// Adds the cells to the distinct values of the column. `are_small` says that [`ColumnCells::as_integers`] returns
    /// small integers. Returns `false` only if the value of every cell was already known.
    #[inline(always)]
    fn add_values(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
        are_small: bool,
    ) -> bool {
        let (mut has_new, mut many_from) = (false, 0);
        if are_small && column.distinct.exact_count().is_some() {
            (has_new, many_from) = Self::add_small_integers(cells, piece, column);
            if column.distinct.exact_count().is_some() {
                return has_new;
            }
        }
        cells.compute_hashes(piece);
        if column.distinct.exact_count().is_some() {
            many_from = cells.len();
            for (at, &hash) in cells.hashes().iter().enumerate() {
                match column.distinct.insert(hash) {
                    Insertion::Known => {}
                    Insertion::New => {
                        column.keep_new(cells.value(at, piece).bytes);
                        has_new = true;
                    }
                    Insertion::Full | Insertion::Uncounted => {
                        column.end_exact((at..cells.len()).map(|at| cells.value(at, piece)));
                        many_from = at + 1;
                        break;
                    }
                }
            }
            if column.distinct.exact_count().is_some() {
                return has_new;
            }
        }
        if let Some(counts) = column.distinct.sampling() {
            let hashes = cells.hashes();
            for at in counts.sample_of(hashes.len() - many_from).map(|at| at + many_from) {
                counts.add_sampled(hashes[at].max(1), cells.value(at, piece).bytes);
            }
        }
        let (hashes, room) = cells.hashes_and_room();
        column.distinct.insert_many(&hashes[many_from..], self.novelty_mask, room);
        self.novelty_mask = column.distinct.novelty_mask();
        true
    }

    /// Updates the smallest and the greatest text of the column. `prefixes` are the smallest and the greatest prefix of
    /// `cells`. Only cells with one of these prefixes can hold a new smallest or greatest text.
    #[inline(never)]
    fn add_extreme_texts(
        &mut self,
        cells: &ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
        prefixes: [u64; 2],
    ) {
        let [least, greatest] = prefixes.map(u64::swap_bytes);
        for (at, &head) in cells.heads().iter().enumerate() {
            if head == least || head == greatest {
                let value = cells.value(at, piece);
                let prefix = value.prefix();
                if prefix <= self.texts.0 || prefix >= self.texts.1 {
                    self.texts = column.update_texts(prefix, value);
                }
            }
        }
    }
}

/// Returns `sum + integers`, where `integers` is the sum of several integers. `None` if a double may not hold each
/// partial sum exactly: then adding the integers one by one could give another result.
fn exact_sum(sum: f64, integers: u64) -> Option<f64> {
    const MAX_EXACT: f64 = (1_u64 << 53) as f64;
    let total = sum + integers as f64;
    let is_exact = sum.fract() == 0.0 && sum.abs() < MAX_EXACT && total < MAX_EXACT && integers < 1 << 53;
    is_exact.then_some(total)
}
