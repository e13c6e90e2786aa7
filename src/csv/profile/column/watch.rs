//! One cell after the other: most of them only change the block in progress, few are news to the column.

use super::{BlockColumn, ColumnProfiler};
use crate::csv::profile::cell::{Cell, Numeral};
use crate::csv::profile::distinct::{Met, hash_of};
use crate::csv::record::value::Value;

/// The block in progress of a column, and what tells whether a cell of it is of interest to the column.
#[derive(Debug, Clone)]
pub(in crate::csv::profile) struct Watch {
    pub(in crate::csv::profile) block: BlockColumn,
    /// The prefixes of the least and the greatest text of the column.
    pub(super) texts: (u64, u64),
    /// Its least and its greatest number.
    pub(super) numbers: (f64, f64),
    /// [`zeros_of_news`](crate::csv::profile::distinct::Distinct::zeros_of_news) of its distinct values.
    pub(super) zeros_of_news: u64,
    /// For how many more batches it is not worth while to ask whether all numbers are integers.
    pub(super) decimal_batches: u8,
}

impl Watch {
    /// A watch for news to `column`, of which the block in progress is known.
    pub(in crate::csv::profile) fn new(column: &ColumnProfiler, block: BlockColumn) -> Self {
        Self {
            block,
            texts: column.texts.keys((u64::MAX, 0)),
            numbers: column.numbers.keys((f64::INFINITY, f64::NEG_INFINITY)),
            zeros_of_news: column.distinct.zeros_of_news(),
            decimal_batches: 0,
        }
    }

    /// Takes in a cell of the column.
    #[inline(always)]
    pub(in crate::csv::profile) fn see(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        let block = &mut self.block;
        if value.bytes.is_empty() {
            block.kinds.empty += 1;
            return;
        }
        let prefix = value.prefix();
        block.prefixes = (block.prefixes.0.min(prefix), block.prefixes.1.max(prefix));
        block.longest_bytes = block.longest_bytes.max(u32::try_from(value.bytes.len()).unwrap_or(u32::MAX));
        self.see_kind(value, column);
        let hash = hash_of(value);
        if hash & self.zeros_of_news == 0 {
            match column.distinct.meet(hash) {
                Met::Before => return,
                Met::First => column.sample(value.bytes),
                Met::Unknown => self.zeros_of_news = column.distinct.zeros_of_news(),
            }
        }
        if prefix <= self.texts.0 || prefix >= self.texts.1 {
            self.texts = column.see_text(prefix, value);
        }
    }

    /// Takes in what a cell is.
    #[inline(always)]
    pub(super) fn see_kind(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        let block = &mut self.block;
        match Cell::of(value) {
            Cell::Text => block.kinds.text += 1,
            Cell::Boolean => block.kinds.boolean += 1,
            Cell::Number(number, numeral) => {
                block.see_number(number, numeral);
                if (number < self.numbers.0 || number > self.numbers.1) && numeral != Numeral::Code {
                    self.numbers = column.see_number(number, value);
                }
            }
            Cell::Date(instant, precision) => block.see_date(instant, precision, value, &mut column.instants),
        }
    }
}
