//! Cells of a column in consecutive rows, all at once: what they have in common is asked before each is looked at.
//! What is learnt is the same as one by one.

use super::{ColumnProfiler, Watch};
use crate::csv::profile::cell::{Cell, Numeral, is_boolean, may_be_boolean, short_number};
use crate::csv::profile::cells::{ColumnCells, Starts};
use crate::csv::profile::distinct::Met;
use crate::csv::record::value::{Value, WORD_BYTES};

/// Batches after which a column that had other numbers may again have nothing but integers.
const DECIMAL_BATCHES: u8 = 32;

impl Watch {
    /// Takes in cells of the column.
    pub(in crate::csv::profile) fn see_all(
        &mut self,
        cells: &mut ColumnCells,
        piece: &[u8],
        column: &mut ColumnProfiler,
    ) {
        let block = &mut self.block;
        block.kinds.empty += cells.empties();
        if cells.len() == 0 {
            return;
        }
        let (least, greatest) = cells.prefixes();
        block.prefixes = (block.prefixes.0.min(least), block.prefixes.1.max(greatest));
        block.longest_bytes = block.longest_bytes.max(cells.longest_bytes());
        self.see_kinds(cells, piece, column);
        let has_new_values = self.see_values(cells, piece, column);
        if has_new_values && (least <= self.texts.0 || greatest >= self.texts.1) {
            self.see_ends(cells, piece, column, [least, greatest]);
        }
    }

    /// Takes in what the cells are.
    fn see_kinds(&mut self, cells: &mut ColumnCells, piece: &[u8], column: &mut ColumnProfiler) {
        let starts = cells.starts();
        if starts.has(Starts::BLANK) {
            return self.see_each_kind(cells, piece, column);
        }
        match (starts.has(Starts::NUMERIC), starts.has(Starts::BOOLEAN) || starts.has(Starts::OTHER)) {
            (true, false) => self.see_numbers(cells, piece, column),
            (true, true) => self.see_each_kind(cells, piece, column),
            (false, _) if starts.has(Starts::BOOLEAN) => self.see_words(cells, piece),
            (false, _) => self.block.kinds.text += cells.len() as u32,
        }
    }

    #[inline(never)]
    fn see_each_kind(&mut self, cells: &ColumnCells, piece: &[u8], column: &mut ColumnProfiler) {
        (0..cells.len()).for_each(|at| self.see_kind(cells.value(at, piece), column));
    }

    /// Takes in cells that are booleans or texts.
    #[inline(never)]
    fn see_words(&mut self, cells: &ColumnCells, piece: &[u8]) {
        // Texts that start like booleans are many; asked of all at once, it takes a few instructions.
        let may_be_some = cells.heads().iter().fold(false, |any, &head| any | may_be_boolean(head));
        let booleans = match may_be_some {
            true => (0..cells.len()).filter(|&at| is_boolean(cells.value(at, piece))).count() as u32,
            false => 0,
        };
        self.block.kinds.boolean += booleans;
        self.block.kinds.text += cells.len() as u32 - booleans;
    }

    /// Takes in cells that start as numbers do.
    #[inline(never)]
    fn see_numbers(&mut self, cells: &mut ColumnCells, piece: &[u8], column: &mut ColumnProfiler) {
        if self.decimal_batches > 0 {
            self.decimal_batches -= 1;
        } else if self.see_integers(cells, piece, column) {
            return;
        } else {
            self.decimal_batches = DECIMAL_BATCHES;
        }
        for (at, (&head, &len)) in cells.heads().iter().zip(cells.lens()).enumerate() {
            let cell = if len as usize <= WORD_BYTES { short_number(head, len) } else { None };
            match cell {
                Some(Cell::Number(number, numeral)) if numeral != Numeral::Code => {
                    self.block.see_number(number, numeral);
                    if number < self.numbers.0 || number > self.numbers.1 {
                        self.numbers = column.see_number(number, cells.value(at, piece));
                    }
                }
                _ => self.see_odd_number(cells.value(at, piece), column),
            }
        }
    }

    #[inline(never)]
    fn see_odd_number(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        self.see_kind(value, column);
    }

    /// Takes in cells if all of them are integers that are not negative. Whether they are.
    #[inline(always)]
    fn see_integers(&mut self, cells: &mut ColumnCells, piece: &[u8], column: &mut ColumnProfiler) -> bool {
        let Some(integers) = cells.integers(piece) else { return false };
        let block = &mut self.block;
        block.kinds.integer += cells.len() as u32;
        block.sum = match exact_sum(block.sum, integers.sum) {
            Some(sum) => sum,
            None => cells.as_integers().iter().fold(block.sum, |sum, &integer| sum + integer as f64),
        };
        let (low, high) = (integers.low as f64, integers.high as f64);
        if low < block.numbers.0 || high > block.numbers.1 {
            block.widen(low);
            block.widen(high);
        }
        // The first of equal numbers counts, as it would one by one.
        for (number, integer) in [(low, integers.low), (high, integers.high)] {
            if (number < self.numbers.0 || number > self.numbers.1)
                && let Some(at) = cells.position(integer)
            {
                self.numbers = column.see_number(number, cells.value(at, piece));
            }
        }
        true
    }

    /// Takes in the values the cells have. Whether some may be new.
    #[inline(always)]
    fn see_values(&mut self, cells: &mut ColumnCells, piece: &[u8], column: &mut ColumnProfiler) -> bool {
        let (mut has_new, mut many_from) = (false, 0);
        cells.find_hashes(piece);
        if column.distinct.few().is_some() {
            many_from = cells.len();
            for (at, &hash) in cells.as_hashes().iter().enumerate() {
                match column.distinct.meet(hash) {
                    Met::Before => {}
                    Met::First => {
                        column.sample(cells.value(at, piece).bytes);
                        has_new = true;
                    }
                    Met::Unknown => {
                        many_from = at + 1;
                        break;
                    }
                }
            }
            if column.distinct.few().is_some() {
                return has_new;
            }
        }
        let (hashes, room) = cells.hashes_and_room();
        column.distinct.meet_many(&hashes[many_from..], self.zeros_of_news, room);
        self.zeros_of_news = column.distinct.zeros_of_news();
        true
    }

    /// Takes in the texts that have the least and the greatest prefix of the cells.
    #[inline(never)]
    fn see_ends(
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
                    self.texts = column.see_text(prefix, value);
                }
            }
        }
    }
}

/// The sum, if to add one after the other would be exact all along: integers that a double holds.
fn exact_sum(sum: f64, integers: u64) -> Option<f64> {
    const MAX_EXACT: f64 = (1_u64 << 53) as f64;
    let total = sum + integers as f64;
    let is_exact = sum.fract() == 0.0 && sum.abs() < MAX_EXACT && total < MAX_EXACT && integers < 1 << 53;
    is_exact.then_some(total)
}
