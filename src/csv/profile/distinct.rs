//! Counts the distinct values of a column.
//!
//! Up to [`MAX_VALUES`] values are counted exactly, by their hashes, or up to [`MAX_EXACT`] values in a column whose
//! values are not shown ([`ValueCounts`]). For more values, [`HyperLogLog`] estimates the number.

use super::hyperloglog::HyperLogLog;
use super::statistics::TopValues;
use super::values::{MAX_VALUES, ValueCounts, ValueOutcome};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// Maximum number of values that are counted exactly in a column whose values are not shown. A column with more values
/// is not categorical.
pub(super) const MAX_EXACT: usize = 32;

/// The distinct values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distinct {
    /// The values and their counts.
    values: ValueCounts,
    /// `None` while the values are counted exactly.
    estimator: Option<HyperLogLog>,
}

/// The result of adding a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insertion {
    /// The value was counted before.
    Known,
    /// The value is new and was counted.
    New,
    /// The value is new, and there are too many values to count them exactly. The caller must call
    /// [`Distinct::end_exact`] next.
    Full,
    /// The values are not counted exactly. It is unknown whether the value is new.
    Uncounted,
}

impl Default for Distinct {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Distinct {
    /// Creates a counter. `shows_values` says whether the most frequent values are wanted.
    pub(super) fn new(shows_values: bool) -> Self {
        let max = if shows_values { MAX_VALUES } else { MAX_EXACT };
        Self { values: ValueCounts::new(max, shows_values), estimator: None }
    }

    /// Adds a value by its hash.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64) -> Insertion {
        if let Some(estimator) = &mut self.estimator {
            estimator.insert(hash);
            return Insertion::Uncounted;
        }
        match self.values.add(hash.max(1)) {
            ValueOutcome::Known => Insertion::Known,
            ValueOutcome::New => Insertion::New,
            ValueOutcome::Full => {
                self.begin_estimate(hash);
                Insertion::Full
            }
        }
    }

    /// Adds a value that is a small integer. Returns `false`, and adds nothing, if it must be added by its hash. Must be
    /// called only while values are counted exactly.
    #[inline(always)]
    pub(super) fn insert_small(&mut self, integer: u64) -> bool {
        self.values.add_small(integer)
    }

    /// From now on, [`Distinct::insert_small`] adds this integer. `hash` is the hash of its text.
    pub(super) fn begin_small(&mut self, integer: u64, hash: u64) {
        self.values.begin_small(integer, hash.max(1));
    }

    /// Adds all values that were counted exactly, and a new one, to an estimator.
    #[cold]
    fn begin_estimate(&mut self, new: u64) {
        let mut estimator = HyperLogLog::default();
        self.values.hashes().into_iter().chain([new]).for_each(|hash| estimator.insert(hash));
        self.estimator = Some(estimator);
    }

    /// Ends the exact count.
    pub(super) fn end_exact(&mut self) {
        self.values.overflow();
    }

    /// Returns the values and their counts.
    pub(super) fn values(&self) -> &ValueCounts {
        &self.values
    }

    /// Keeps the text of the new value that was inserted last.
    pub(super) fn keep_text(&mut self, text: &[u8]) {
        self.values.keep_text(text);
    }

    /// Returns the counts of the values, if only some cells are counted.
    #[inline(always)]
    pub(super) fn sampling(&mut self) -> Option<&mut ValueCounts> {
        self.values.is_sampling().then_some(&mut self.values)
    }

    /// Returns the most frequent values; `None` if they are not known.
    pub(super) fn top_values(&self) -> Option<TopValues> {
        self.values.top()
    }

    /// Returns the allocated memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.values.memory_bytes() + self.estimator.as_ref().map_or(0, |_| HyperLogLog::ALLOCATED_BYTES)
    }

    /// Adds many values by their hashes, if the values are not counted exactly; see [`HyperLogLog::insert_many`].
    #[inline(always)]
    pub(super) fn insert_many<const N: usize>(
        &mut self,
        hashes: &[u64],
        novelty_mask: u64,
        novel: &mut [u64; N],
    ) {
        debug_assert!(self.estimator.is_some(), "the values are counted exactly");
        if let Some(estimator) = &mut self.estimator {
            estimator.insert_many(hashes, novelty_mask, novel);
        }
    }

    /// Returns [`HyperLogLog::novelty_mask`]. It is 0 while values are counted exactly.
    pub(super) fn novelty_mask(&self) -> u64 {
        self.estimator.as_ref().map_or(0, HyperLogLog::novelty_mask)
    }

    /// Returns the number of values; `None` if they are not counted exactly.
    pub(super) fn exact_count(&self) -> Option<usize> {
        self.values.is_complete().then_some(self.values.len())
    }

    /// Returns the number of values, exact or estimated. An estimate is more than the maximum number of values that are
    /// counted exactly, because there are at least that many values.
    pub(super) fn estimate(&self) -> u64 {
        let least = self.values.max() as u64 + 1;
        match &self.estimator {
            None => self.values.len() as u64,
            Some(estimator) => estimator.estimate().max(least),
        }
    }

    /// Writes the state: the values with their counts and, if there are too many to count them exactly, the estimator.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.values.save(state);
        if let Some(estimator) = &self.estimator {
            estimator.save(state);
        }
    }

    /// Restores the state that [`Distinct::save`] wrote. `new` is an empty counter of the same column.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if [`Distinct::save`] cannot have written the state.
    pub(super) fn restore(state: &mut StateReader<'_>, new: Self) -> Result<Self, StateError> {
        let values = ValueCounts::restore(state, new.values)?;
        let estimator = if values.is_complete() { None } else { Some(HyperLogLog::restore(state)?) };
        Ok(Self { values, estimator })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::csv::checkpoint::Seal;
    use crate::csv::profile::hash::hash_of;
    use crate::csv::record::value::Value;

    fn distinct_of(values: impl Iterator<Item = String>) -> Distinct {
        let mut distinct = Distinct::default();
        for value in values {
            if distinct.insert(hash_of(Value::new(value.as_bytes()))) == Insertion::Full {
                distinct.end_exact();
            }
        }
        distinct
    }

    #[test]
    fn up_to_32_values_are_counted_exactly_and_more_values_are_estimated_within_four_standard_errors() {
        for count in [0, 1, 2, 31, 32] {
            assert_eq!(distinct_of((0..3 * count).map(|i| (i % count.max(1)).to_string())).estimate(), count);
        }
        for count in [33_u64, 100, 1_000, 3_000, 5_000, 10_000, 100_000, 1_000_000] {
            for form in ["", "customer-number-", "2024-01-01T00:00:"] {
                let estimate = distinct_of((0..count).map(|i| format!("{form}{i}"))).estimate();
                let error = estimate.abs_diff(count) as f64 / count as f64;
                assert!(error < 4.0 * 0.023, "{form} {count}: {estimate}");
            }
        }
    }

    #[test]
    fn an_estimate_of_33_or_more_values_is_at_least_33() {
        for seed in 0..2000 {
            let values = distinct_of((0..=MAX_EXACT).map(|number| format!("{seed}-{number}")));
            assert_eq!(values.exact_count(), None);
            assert!(values.estimate() > MAX_EXACT as u64, "33 values are estimated as {}", values.estimate());
        }
    }

    #[test]
    fn a_repeated_value_is_known() {
        let mut distinct = Distinct::default();
        for value in 0..MAX_EXACT as u64 {
            assert_eq!(distinct.insert(hash_of(Value::new(&value.to_le_bytes()))), Insertion::New);
            assert_eq!(distinct.insert(hash_of(Value::new(&value.to_le_bytes()))), Insertion::Known);
        }
        assert_eq!(distinct.exact_count(), Some(MAX_EXACT));
        assert_eq!(distinct.insert(hash_of(Value::new(b"one more"))), Insertion::Full);
        distinct.end_exact();
        assert_eq!(distinct.exact_count(), None);
        assert_eq!(distinct.insert(hash_of(Value::new(b"one more"))), Insertion::Uncounted);
    }

    #[test]
    fn a_saved_state_is_restored_unchanged() {
        const SEAL: Seal = Seal { magic: *b"TEST", version: 1 };
        for count in [0, 5, 32, 33, 50_000] {
            let distinct = distinct_of((0..count).map(|i| i.to_string()));
            let mut writer = SEAL.writer();
            distinct.save(&mut writer);
            let bytes = writer.sealed();
            let mut reader = SEAL.open(&bytes).unwrap();
            let restored = Distinct::restore(&mut reader, Distinct::default()).unwrap();
            assert_eq!(restored, distinct, "{count}");
            reader.end().unwrap();
            assert!(bytes.len() < 1_600);
        }
    }
}
