//! Counts the distinct values of a column.
//!
//! Up to [`MAX_VALUES`] values are counted exactly, by their hashes, or up to [`MAX_EXACT`] values in a column whose
//! values are not shown ([`ValueCounts`]). For more values, HyperLogLog with 2,048 registers
//! estimates the number; the standard error is 1.04 / √2048 = 2.3 %. The estimator is Ertl's ("New cardinality
//! estimation algorithms for HyperLogLog sketches", 2017). It needs no correction for small or large numbers.

use super::statistics::{ALLOCATION_BYTES, TopValues};
use super::values::{MAX_VALUES, ValueCounts, ValueOutcome};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// Maximum number of values that are counted exactly in a column whose values are not shown. A column with more values
/// is not categorical.
pub(super) const MAX_EXACT: usize = 32;

const INDEX_BITS: u32 = 11;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The greatest rank that a register can hold; see [`Distinct::register`].
const MAX_RANK: u8 = (64 - INDEX_BITS + 1) as u8;
const RANK_BITS: usize = 6;

/// The distinct values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distinct {
    /// The values and their counts.
    values: ValueCounts,
    registers: Box<[u8; REGISTERS]>,
    /// The lowest rank of all registers.
    lowest_rank: u8,
    /// Number of registers with the lowest rank.
    lowest_count: usize,
}

impl Distinct {
    /// Memory of the registers, in bytes.
    const REGISTERS_BYTES: usize = REGISTERS + 2 * ALLOCATION_BYTES;
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
        Self {
            values: ValueCounts::new(max, shows_values),
            registers: Box::new([0; REGISTERS]),
            lowest_rank: 0,
            lowest_count: REGISTERS,
        }
    }
}

impl Distinct {
    /// Adds a value by its hash.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64) -> Insertion {
        if !self.values.is_complete() {
            self.register(hash);
            return Insertion::Uncounted;
        }
        match self.values.add(hash.max(1)) {
            ValueOutcome::Known => Insertion::Known,
            ValueOutcome::New => {
                self.register(hash.max(1));
                Insertion::New
            }
            ValueOutcome::Full => {
                self.register(hash.max(1));
                Insertion::Full
            }
        }
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
        Self::REGISTERS_BYTES + self.values.memory_bytes()
    }

    /// Adds many values by their hashes. Must be called only if the values are not counted exactly.
    /// `novelty_mask` is an earlier result of [`Distinct::novelty_mask`]. `novel` is a buffer for the hashes that have
    /// none of the bits of this mask.
    #[inline(always)]
    pub(super) fn insert_many<const N: usize>(
        &mut self,
        hashes: &[u64],
        novelty_mask: u64,
        novel: &mut [u64; N],
    ) {
        debug_assert!(hashes.len() <= N, "the buffer is too small for the hashes");
        // The processor cannot predict which hashes have none of the bits. So this loop collects these hashes without a
        // branch.
        let mut count = 0;
        for &hash in hashes {
            novel[count % N] = hash;
            count += usize::from(hash & novelty_mask == 0);
        }
        for &hash in novel.iter().take(count) {
            self.register(hash);
        }
    }

    #[inline(always)]
    fn register(&mut self, hash: u64) {
        let index = (hash >> (64 - INDEX_BITS)) as usize;
        // The index is the number in the highest 11 bits of the hash. The rank is 1 plus the number of zero bits
        // directly after the index. If all bits after the index are zero, the bit that is set here ends the count.
        let rank = ((hash << INDEX_BITS) | 1 << (INDEX_BITS - 1)).leading_zeros() as u8 + 1;
        if rank > self.registers[index] {
            self.raise(index, rank);
        }
    }

    #[inline(never)]
    fn raise(&mut self, index: usize, rank: u8) {
        let lowest = self.registers[index] == self.lowest_rank;
        self.registers[index] = rank;
        if lowest {
            self.lowest_count -= 1;
            if self.lowest_count == 0 {
                self.find_lowest();
            }
        }
    }

    fn find_lowest(&mut self) {
        self.lowest_rank = self.registers.iter().copied().min().unwrap_or(0);
        self.lowest_count = self.registers.iter().filter(|&&rank| rank == self.lowest_rank).count();
    }

    /// Returns a mask of bits. A hash that has at least one of these bits cannot change the state, because its rank is
    /// at most the lowest rank of all registers. So only hashes with none of these bits need to be added. The mask is 0
    /// while values are counted exactly.
    pub(super) fn novelty_mask(&self) -> u64 {
        match self.lowest_rank.min(MAX_RANK - 1) {
            0 => 0,
            rank if !self.values.is_complete() => (u64::MAX << (64 - rank)) >> INDEX_BITS,
            _ => 0,
        }
    }

    /// Returns the number of values; `None` if they are not counted exactly.
    pub(super) fn exact_count(&self) -> Option<usize> {
        self.values.is_complete().then_some(self.values.len())
    }

    /// Returns the number of values, exact or estimated. An estimate is more than the maximum number of values that are
    /// counted exactly, because there are at least that many values.
    pub(super) fn estimate(&self) -> u64 {
        let least = self.values.max() as u64 + 1;
        self.exact_count().map_or_else(|| self.estimate_many().max(least), |exact_count| exact_count as u64)
    }

    fn estimate_many(&self) -> u64 {
        let mut ranks = [0_u32; MAX_RANK as usize + 1];
        for &rank in self.registers.iter() {
            ranks[usize::from(rank.min(MAX_RANK))] += 1;
        }
        let registers = REGISTERS as f64;
        let saturated = f64::from(ranks[usize::from(MAX_RANK)]);
        let mut sum = registers * tau(1.0 - saturated / registers);
        for &count in ranks[1..usize::from(MAX_RANK)].iter().rev() {
            sum = 0.5 * (sum + f64::from(count));
        }
        sum += registers * sigma(f64::from(ranks[0]) / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
    }

    /// Writes the state: the values with their counts and, if there are too many to count them exactly, the registers
    /// with six bits each.
    pub(super) fn save(&self, state: &mut StateWriter) {
        self.values.save(state);
        if !self.values.is_complete() {
            for four in self.registers.as_chunks::<4>().0 {
                let packed = four
                    .iter()
                    .enumerate()
                    .fold(0, |packed, (at, &rank)| packed | u32::from(rank) << (at * RANK_BITS));
                state.raw(&packed.to_le_bytes()[..3]);
            }
        }
    }

    /// Restores the state that [`Distinct::save`] wrote. `new` is an empty counter of the same column.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if [`Distinct::save`] cannot have written the state.
    pub(super) fn restore(state: &mut StateReader<'_>, new: Self) -> Result<Self, StateError> {
        let mut distinct = Self { values: ValueCounts::restore(state, new.values)?, ..new };
        if distinct.values.is_complete() {
            for hash in distinct.values.hashes() {
                distinct.register(hash);
            }
            return Ok(distinct);
        }
        for four in distinct.registers.as_chunks_mut::<4>().0 {
            let [first, second, third] = state.array()?;
            let packed = u32::from_le_bytes([first, second, third, 0]);
            for (at, rank) in four.iter_mut().enumerate() {
                *rank = ((packed >> (at * RANK_BITS)) as u8 & 0x3F).min(MAX_RANK);
            }
        }
        distinct.find_lowest();
        Ok(distinct)
    }
}

fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut factor, mut sum) = (x, 1.0, x);
    loop {
        power *= power;
        let before = sum;
        sum += power * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut root, mut factor, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        root = root.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * factor;
        if sum == before {
            return sum / 3.0;
        }
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
