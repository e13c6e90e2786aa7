//! The profile of one column, computed cell by cell.
//!
//! A [`ZoneColumn`] counts the cells of the current zone. When the zone ends, the zone map is made from the
//! `ZoneColumn`, and the `ZoneColumn` is added to the [`ColumnProfiler`]. Before the end of the zone, a cell changes
//! the `ColumnProfiler` only if the cell has a new distinct value, or is a new minimum or a new maximum. A
//! [`HotColumn`] decides whether a cell changes the `ColumnProfiler`. A `HotColumn` is small, so that the `HotColumn`s
//! of many columns stay in the processor's cache.

mod extremes;
mod group;
mod hot;
mod kinds;
mod zone;

pub(super) use hot::HotColumn;
pub(super) use zone::ZoneColumn;

use super::bins::{NumberBins, TimeBins};
use super::cell::{Cell, Numeral};
use super::distinct::{Distinct, MAX_EXACT};
use super::statistics::{ColumnStatistics, ColumnType};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Instant;
use crate::csv::record::value::Value;
use crate::csv::record::value::prefix_of;
use extremes::{Extremes, compare_kept, display};
use kinds::{KINDS, Kinds};

/// Maximum number of sample values of a column.
const MAX_SAMPLES: usize = 10;

/// A column has a type if at least this percentage of its values has this type. Empty cells and words for missing
/// values, such as `n/a`, are not values. So a few odd cells do not turn a column of numbers into text.
const TYPE_SHARE_PERCENT: u128 = 95;

/// The state of a column. Its counts and its sum include all complete zones, but not the current zone.
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
    /// Whether the histogram and the most frequent values are wanted.
    counts_values: bool,
    /// The histograms. `None` while each value is counted: then they are made from the counts of the values. Also
    /// `None` if they are not wanted, or if they cannot be made.
    bins: Option<Box<ColumnBins>>,
}

/// The histograms of a column.
#[derive(Debug, Clone, Default)]
struct ColumnBins {
    numbers: NumberBins,
    times: TimeBins,
}

impl ColumnBins {
    /// Counts a value that occurs several times.
    fn add_times(&mut self, value: Value<'_>, times: u64) {
        match Cell::classify(value) {
            Cell::Number(number, numeral) if numeral != Numeral::Code => {
                self.numbers.add_times(number, times)
            }
            Cell::Date(instant, _) => self.times.add_times(instant, times),
            _ => {}
        }
    }
}

impl ColumnProfiler {
    /// Creates the profile of a column. `counts_values` says whether the histogram and the most frequent values are
    /// wanted.
    pub(super) fn new(counts_values: bool) -> Self {
        Self { distinct: Distinct::new(counts_values), counts_values, ..Self::default() }
    }

    /// Returns the allocated memory, in bytes. There are also at most ten samples, which are short.
    pub(super) fn memory_bytes(&self) -> usize {
        let bins =
            self.bins.as_ref().map_or(0, |bins| bins.numbers.memory_bytes() + bins.times.memory_bytes());
        self.distinct.memory_bytes() + bins
    }

    /// Ends the exact count of the values, because there are too many. From now on, each cell is counted in the
    /// histograms. `rest` are the cells that were not counted exactly any more, although their kinds were counted.
    #[cold]
    fn end_exact<'a>(&mut self, rest: impl Iterator<Item = Value<'a>>) {
        self.bins = self.bins_of_values();
        if let Some(bins) = &mut self.bins {
            rest.for_each(|value| bins.add_times(value, 1));
        }
        self.distinct.end_exact();
    }

    /// Makes the histograms from the counts of the values.
    fn bins_of_values(&self) -> Option<Box<ColumnBins>> {
        let counted = self.distinct.values().counted().filter(|_| self.counts_values)?;
        let mut bins = Box::<ColumnBins>::default();
        counted.for_each(|(text, times)| bins.add_times(Value::new(text), times));
        Some(bins)
    }

    /// Keeps a new distinct value.
    #[cold]
    fn keep_new(&mut self, cell: &[u8]) {
        self.distinct.keep_text(cell);
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(display(cell));
        }
    }

    /// Adds a number that may be a new minimum or maximum. Returns the nearest doubles of the new minimum and maximum.
    #[inline(never)]
    fn update_numbers(&mut self, number: f64, value: Value<'_>) -> (f64, f64) {
        self.numbers.update(number, value, compare_kept);
        self.numbers.keys((number, number))
    }

    /// Adds a text that may be a new minimum or maximum, because its prefix is not between the prefixes of the minimum
    /// and the maximum. Returns the new prefixes of minimum and maximum.
    #[inline(never)]
    fn update_texts(&mut self, prefix: u64, value: Value<'_>) -> (u64, u64) {
        let is_extreme = match &self.texts.ends {
            None => true,
            // Values often have the same first eight bytes. Then the next eight bytes usually decide.
            Some([(low, least), (high, greatest)]) => {
                let next = prefix_of(value.bytes.get(8..).unwrap_or_default());
                (prefix, next) <= (*low, least.next()) || (prefix, next) >= (*high, greatest.next())
            }
        };
        if is_extreme {
            self.texts.update(prefix, value, |cell, kept| cell.cmp(kept));
        }
        self.texts.keys((u64::MAX, 0))
    }

    /// Adds a zone that has ended.
    pub(super) fn add_zone(&mut self, zone: &ZoneColumn) {
        self.kinds.add(zone.kinds);
        self.longest_bytes = self.longest_bytes.max(zone.longest_bytes);
        self.sum += zone.sum;
    }

    /// Returns the statistics.
    pub(super) fn statistics(self) -> ColumnStatistics {
        let Kinds { integer, decimal, empty, missing, .. } = self.kinds;
        let (column_type, of_type) = self.column_type();
        let is_identifier = self.is_identifier(column_type);
        let (min, max) = match column_type {
            ColumnType::Integer | ColumnType::Decimal => self.numbers.display(),
            ColumnType::Date | ColumnType::Datetime => self.instants.display(),
            ColumnType::Boolean | ColumnType::Categorical | ColumnType::Text => self.texts.display(),
            ColumnType::Empty => (None, None),
        };
        let is_number = matches!(column_type, ColumnType::Integer | ColumnType::Decimal);
        let mean = self.sum / (integer + decimal) as f64;
        let bins = match self.distinct.values().is_complete() {
            true => self.bins_of_values(),
            false => self.bins,
        };
        let histogram = bins.and_then(|bins| match column_type {
            ColumnType::Integer | ColumnType::Decimal if !is_identifier => {
                bins.numbers.finish(column_type == ColumnType::Integer)
            }
            ColumnType::Date | ColumnType::Datetime => bins.times.finish(column_type == ColumnType::Date),
            _ => None,
        });
        ColumnStatistics {
            column_type,
            empties: empty,
            na_like: missing,
            is_identifier,
            exceptions: self.kinds.filled() - missing - of_type,
            distinct: self.distinct.estimate().min(self.kinds.filled()),
            is_distinct_exact: self.distinct.exact_count().is_some(),
            min,
            max,
            mean: (is_number && !is_identifier && mean.is_finite()).then_some(mean),
            longest_bytes: self.longest_bytes.into(),
            samples: self.samples,
            histogram,
            top_values: self.distinct.top_values(),
        }
    }

    /// Whether the numbers of the column are identifiers: some have a leading zero (`00501`), some integers of an
    /// integer column have 15 or more digits, or the smallest and the greatest number are phone numbers
    /// (`+4915112345`). A sum of identifiers means nothing, and a JSON number could lose their zeros or digits.
    fn is_identifier(&self, column_type: ColumnType) -> bool {
        const LONG: f64 = 1e14;
        let is_number = matches!(column_type, ColumnType::Integer | ColumnType::Decimal);
        let (low, high) = self.numbers.keys((0.0, 0.0));
        let is_long = column_type == ColumnType::Integer && (low <= -LONG || high >= LONG);
        is_number && (self.kinds.code > 0 || is_long || self.numbers.are_phone_numbers())
    }

    /// Whether the column has a few values that repeat.
    fn is_categorical(&self, filled: u64) -> bool {
        let few = self.distinct.exact_count().filter(|&count| count <= MAX_EXACT);
        few.is_some_and(|count| 2 * count as u64 <= filled)
    }

    /// Returns the type of the column and the number of cells of that type.
    fn column_type(&self) -> (ColumnType, u64) {
        let Kinds { integer, decimal, date, datetime, boolean, missing, .. } = self.kinds;
        let filled = self.kinds.filled();
        let values = filled - missing;
        let fit =
            |cells: u64| cells > 0 && u128::from(cells) * 100 >= u128::from(values) * TYPE_SHARE_PERCENT;
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
        } else if self.is_categorical(filled) {
            (ColumnType::Categorical, values)
        } else {
            (ColumnType::Text, values)
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
        state.option(self.bins.as_ref(), |state, bins| {
            bins.numbers.save(state);
            bins.times.save(state);
        });
    }

    /// Restores the column that [`ColumnProfiler::save`] wrote. `new` is an empty profile of the same column.
    pub(super) fn restore(state: &mut StateReader<'_>, new: Self) -> Result<Self, StateError> {
        let mut counts = [0; KINDS];
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
            distinct: Distinct::restore(state, new.distinct)?,
            samples: state.list(|state| state.text().map(str::to_owned))?,
            counts_values: new.counts_values,
            bins: state.option(|state| {
                let bins =
                    ColumnBins { numbers: NumberBins::restore(state)?, times: TimeBins::restore(state)? };
                Ok(Box::new(bins))
            })?,
        })
    }
}
