//! What is learnt of a column, cell by cell.
//!
//! The cells of a block go into a [`BlockColumn`], which a zone map is made of; at the block's end it is added
//! to the [`ColumnProfiler`]. Only what rarely changes, or needs the cell's text, goes to the column at once: a
//! [`Watch`], small enough that those of many columns stay close to the processor, says when.

mod batch;
mod block;
mod extremes;
mod kinds;
mod watch;

pub(super) use block::BlockColumn;
pub(super) use watch::Watch;

use super::distinct::Distinct;
use super::statistics::{ColumnStatistics, ColumnType};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Instant;
use crate::csv::record::value::Value;
use crate::csv::record::value::prefix_of;
use extremes::{Extremes, shown};
use kinds::Kinds;
use std::cmp::Ordering;

/// Values of a column that are shown.
const MAX_SAMPLES: usize = 10;

/// So much of a column's cells that are not empty must be of a type that the column has it: a few hundredths
/// of `n/a` and the like do not make numbers text.
const TYPE_SHARE_PERCENT: u128 = 95;

/// A column, up to the last whole block.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnProfiler {
    kinds: Kinds<u64>,
    longest_bytes: u32,
    sum: f64,
    texts: Extremes<u64>,
    numbers: Extremes<f64>,
    instants: Extremes<Instant>,
    distinct: Distinct,
    samples: Vec<String>,
}

impl ColumnProfiler {
    #[cold]
    fn sample(&mut self, cell: &[u8]) {
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(shown(cell));
        }
    }

    /// Takes in a number below the least or above the greatest: what these are then.
    #[inline(never)]
    fn see_number(&mut self, number: f64, value: Value<'_>) -> (f64, f64) {
        self.numbers.see(number, value, |_, _| Ordering::Equal);
        self.numbers.keys((number, number))
    }

    /// Takes in a text whose prefix is that of the least or the greatest, or beyond: what these are then.
    #[inline(never)]
    fn see_text(&mut self, prefix: u64, value: Value<'_>) -> (u64, u64) {
        let is_news = match &self.texts.ends {
            None => true,
            // Where all values begin alike, what comes next mostly tells.
            Some([(low, least), (high, greatest)]) => {
                let next = prefix_of(value.bytes.get(8..).unwrap_or_default());
                (prefix, next) <= (*low, least.next()) || (prefix, next) >= (*high, greatest.next())
            }
        };
        if is_news {
            self.texts.see(prefix, value, |cell, kept| cell.cmp(kept));
        }
        self.texts.keys((u64::MAX, 0))
    }

    /// Adds a block that has ended.
    pub(super) fn add(&mut self, block: &BlockColumn) {
        self.kinds.add(block.kinds);
        self.longest_bytes = self.longest_bytes.max(block.longest_bytes);
        self.sum += block.sum;
    }

    /// What was learnt.
    pub(super) fn statistics(self) -> ColumnStatistics {
        let Kinds { integer, decimal, empty, .. } = self.kinds;
        let (column_type, of_type) = self.column_type();
        let (min, max) = match column_type {
            ColumnType::Integer | ColumnType::Decimal => self.numbers.shown(),
            ColumnType::Date | ColumnType::Datetime => self.instants.shown(),
            ColumnType::Boolean | ColumnType::Categorical | ColumnType::Text => self.texts.shown(),
            ColumnType::Empty => (None, None),
        };
        let is_number = matches!(column_type, ColumnType::Integer | ColumnType::Decimal);
        let mean = self.sum / (integer + decimal) as f64;
        ColumnStatistics {
            column_type,
            empties: empty,
            exceptions: self.kinds.filled() - of_type,
            distinct: self.distinct.estimate(),
            is_distinct_exact: self.distinct.few().is_some(),
            min,
            max,
            mean: (is_number && mean.is_finite()).then_some(mean),
            longest_bytes: self.longest_bytes.into(),
            samples: self.samples,
        }
    }

    /// The type of the column, and how many cells are of it.
    fn column_type(&self) -> (ColumnType, u64) {
        let Kinds { integer, decimal, date, datetime, boolean, .. } = self.kinds;
        let filled = self.kinds.filled();
        let fit =
            |cells: u64| cells > 0 && u128::from(cells) * 100 >= u128::from(filled) * TYPE_SHARE_PERCENT;
        if filled == 0 {
            (ColumnType::Empty, 0)
        } else if fit(integer + decimal) {
            let kind = if decimal == 0 { ColumnType::Integer } else { ColumnType::Decimal };
            (kind, integer + decimal)
        } else if fit(date + datetime) {
            let kind = if datetime == 0 { ColumnType::Date } else { ColumnType::Datetime };
            (kind, date + datetime)
        } else if fit(boolean) {
            (ColumnType::Boolean, boolean)
        } else if self.distinct.few().is_some_and(|few| 2 * few as u64 <= filled) {
            (ColumnType::Categorical, filled)
        } else {
            (ColumnType::Text, filled)
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        for count in self.kinds.as_array() {
            state.number(count);
        }
        state.number(self.longest_bytes.into());
        state.float(self.sum);
        self.texts.save(state, |state, key| state.word(key));
        self.numbers.save(state, |state, key| state.float(key));
        self.instants.save(state, |state, key| {
            state.word(key.seconds() as u64);
            state.number(key.nanoseconds().into());
        });
        self.distinct.save(state);
        state.list(&self.samples, |state, sample| state.text(sample));
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut counts = [0; 8];
        for count in &mut counts {
            *count = state.total()?;
        }
        Ok(Self {
            kinds: Kinds::from_array(counts),
            longest_bytes: u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?,
            sum: state.float()?,
            texts: Extremes::restore(state, StateReader::word)?,
            numbers: Extremes::restore(state, StateReader::float)?,
            instants: Extremes::restore(state, |state| {
                let seconds = state.word()? as i64;
                let nanoseconds = u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?;
                Ok(Instant::new(seconds, nanoseconds))
            })?,
            distinct: Distinct::restore(state)?,
            samples: state.list(|state| state.text().map(str::to_owned))?,
        })
    }
}
