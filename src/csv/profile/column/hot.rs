//! Adds cells one by one. Most cells change only the [`ZoneColumn`]. A few cells also change the [`ColumnProfiler`].

use super::{ColumnProfiler, ZoneColumn};
use crate::csv::profile::cell::{Cell, Numeral};
use crate::csv::profile::distinct::Insertion;
use crate::csv::profile::hash::hash_of;
use crate::csv::record::value::Value;

/// Two numbers of at most this many bytes have the same nearest double only if they are equal, or if they are too large
/// or too small for a double.
const EXACT_BYTES: usize = 15;

/// Whether a different number can have the same nearest double `number`. `bytes` is the length of the number in the
/// file.
#[inline(always)]
fn may_be_rounded(number: f64, bytes: usize) -> bool {
    /// Zero (`0.00`) is the only number of at most this many bytes whose absolute value is below the smallest normal
    /// double.
    const ZERO_BYTES: usize = 4;
    bytes > EXACT_BYTES || number.is_infinite() || (bytes > ZERO_BYTES && number.abs() < f64::MIN_POSITIVE)
}

/// State of a column within the current zone, and the bounds that decide whether a cell changes the [`ColumnProfiler`].
#[derive(Debug, Clone)]
pub(in crate::csv::profile) struct HotColumn {
    pub(in crate::csv::profile) zone: ZoneColumn,
    /// The prefixes of the smallest and the greatest text of the column.
    pub(super) texts: (u64, u64),
    /// The smallest and the greatest number of the column.
    pub(super) numbers: (f64, f64),
    /// [`novelty_mask`](crate::csv::profile::distinct::Distinct::novelty_mask) of the column's distinct values.
    pub(super) novelty_mask: u64,
    /// Number of record groups for which `try_add_integers` is still not called; see `DECIMAL_GROUPS`.
    pub(super) decimal_groups: u8,
}

impl HotColumn {
    /// Creates the state from a column and its current zone.
    pub(in crate::csv::profile) fn new(column: &ColumnProfiler, zone: ZoneColumn) -> Self {
        Self {
            zone,
            texts: column.texts.keys((u64::MAX, 0)),
            numbers: column.numbers.keys((f64::INFINITY, f64::NEG_INFINITY)),
            novelty_mask: column.distinct.novelty_mask(),
            decimal_groups: 0,
        }
    }

    /// Adds a cell of the column.
    #[inline(always)]
    pub(in crate::csv::profile) fn add(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        let zone = &mut self.zone;
        if value.bytes.is_empty() {
            zone.kinds.empty += 1;
            return;
        }
        let prefix = value.prefix();
        zone.prefixes = (zone.prefixes.0.min(prefix), zone.prefixes.1.max(prefix));
        zone.longest_bytes = zone.longest_bytes.max(u32::try_from(value.bytes.len()).unwrap_or(u32::MAX));
        self.add_kind(value, column);
        let hash = hash_of(value);
        if let Some(counts) = column.distinct.sampling() {
            for _ in counts.sample_of(1) {
                counts.add_sampled(hash.max(1), value.bytes);
            }
        }
        if hash & self.novelty_mask == 0 {
            match column.distinct.insert(hash) {
                Insertion::Known => return,
                Insertion::New => column.keep_new(value.bytes),
                Insertion::Full => {
                    column.end_exact(std::iter::once(value));
                    self.novelty_mask = column.distinct.novelty_mask();
                }
                Insertion::Uncounted => self.novelty_mask = column.distinct.novelty_mask(),
            }
        }
        if prefix <= self.texts.0 || prefix >= self.texts.1 {
            self.texts = column.update_texts(prefix, value);
        }
    }

    /// Counts the kind of a cell. If the cell is a number or a date, also updates the extremes of the zone and the
    /// column.
    #[inline(always)]
    pub(super) fn add_kind(&mut self, value: Value<'_>, column: &mut ColumnProfiler) {
        let zone = &mut self.zone;
        match Cell::classify(value) {
            Cell::Text => zone.kinds.text += 1,
            Cell::Missing => zone.kinds.missing += 1,
            Cell::Boolean => zone.kinds.boolean += 1,
            Cell::Number(number, numeral) => {
                zone.add_number(number, numeral);
                if let Some(bins) = column.bins.as_mut().filter(|_| numeral != Numeral::Code) {
                    bins.numbers.add(number);
                }
                let (low, high) = self.numbers;
                let is_rounded =
                    (number == low || number == high) && may_be_rounded(number, value.bytes.len());
                if (number < low || number > high || is_rounded) && numeral != Numeral::Code {
                    self.numbers = column.update_numbers(number, value);
                }
            }
            Cell::Date(instant, precision) => {
                zone.add_date(instant, precision, value, &mut column.instants);
                if let Some(bins) = &mut column.bins {
                    bins.times.add(instant);
                }
            }
        }
    }
}
