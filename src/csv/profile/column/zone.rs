//! Statistics of a column in the current zone. When the zone ends, the zone map of the column is made from these
//! statistics.

use super::extremes::Extremes;
use super::kinds::{KINDS, Kinds};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Instant;
use crate::csv::profile::cell::{Numeral, Precision};
use crate::csv::record::value::Value;
use std::cmp::Ordering;

/// Statistics of a column's cells in the current zone.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::csv::profile) struct ZoneColumn {
    pub(in crate::csv::profile) kinds: Kinds<u32>,
    pub(in crate::csv::profile) longest_bytes: u32,
    /// The first eight bytes of the smallest and of the greatest non-empty cell, as big-endian numbers.
    pub(in crate::csv::profile) prefixes: (u64, u64),
    /// The smallest and the greatest number.
    pub(in crate::csv::profile) numbers: (f64, f64),
    /// The earliest and the latest date or time, as [`Instant::seconds`].
    pub(in crate::csv::profile) seconds: (i64, i64),
    pub(super) sum: f64,
}

impl Default for ZoneColumn {
    fn default() -> Self {
        Self {
            kinds: Kinds::default(),
            longest_bytes: 0,
            prefixes: (u64::MAX, 0),
            numbers: (f64::INFINITY, f64::NEG_INFINITY),
            seconds: (i64::MAX, i64::MIN),
            sum: 0.0,
        }
    }
}

impl ZoneColumn {
    pub(in crate::csv::profile) fn save(&self, state: &mut StateWriter) {
        for count in self.kinds.as_array() {
            state.number(count.into());
        }
        state.number(self.longest_bytes.into());
        state.word(self.prefixes.0);
        state.word(self.prefixes.1);
        state.float(self.numbers.0);
        state.float(self.numbers.1);
        state.word(self.seconds.0 as u64);
        state.word(self.seconds.1 as u64);
        state.float(self.sum);
    }

    pub(in crate::csv::profile) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut small = || u32::try_from(state.number()?).map_err(|_| StateError::Damaged);
        let mut counts = [0; KINDS];
        for count in &mut counts {
            *count = small()?;
            if *count >= 1 << 28 {
                return Err(StateError::Damaged);
            }
        }
        Ok(Self {
            kinds: Kinds::from_array(counts),
            longest_bytes: small()?,
            prefixes: (state.word()?, state.word()?),
            numbers: (state.float()?, state.float()?),
            seconds: (state.word()? as i64, state.word()? as i64),
            sum: state.float()?,
        })
    }

    #[inline(always)]
    pub(super) fn add_number(&mut self, number: f64, numeral: Numeral) {
        if number < self.numbers.0 || number > self.numbers.1 {
            self.widen(number);
        }
        match numeral {
            Numeral::Code => {
                self.kinds.code += 1;
                return;
            }
            Numeral::Integer => self.kinds.integer += 1,
            Numeral::Decimal => self.kinds.decimal += 1,
        }
        self.sum += number;
    }

    // This code is a separate function, because an inlined version would store both bounds for every number.
    #[inline(never)]
    pub(super) fn widen(&mut self, number: f64) {
        let (low, high) = self.numbers;
        self.numbers = (if number < low { number } else { low }, if number > high { number } else { high });
    }

    #[inline(always)]
    pub(super) fn add_date(
        &mut self,
        instant: Instant,
        precision: Precision,
        value: Value<'_>,
        instants: &mut Extremes<Instant>,
    ) {
        let seconds = instant.seconds();
        let is_inside = seconds > self.seconds.0 && seconds < self.seconds.1;
        self.seconds = (self.seconds.0.min(seconds), self.seconds.1.max(seconds));
        match precision {
            Precision::Day => self.kinds.date += 1,
            Precision::Time => self.kinds.datetime += 1,
        }
        if !is_inside && instants.is_extended_by(instant) {
            instants.update(instant, value, |_, _| Ordering::Equal);
        }
    }
}
