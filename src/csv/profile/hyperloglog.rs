//! HyperLogLog: estimates the number of distinct values from their hashes.
//!
//! There are 2,048 registers; the standard error is 1.04 / √2048 = 2.3 %. The estimator is Ertl's ("New cardinality
//! estimation algorithms for HyperLogLog sketches", 2017). It needs no correction for small or large numbers.

use super::statistics::ALLOCATION_BYTES;
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

const INDEX_BITS: u32 = 11;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The greatest rank that a register can hold; see [`HyperLogLog::insert`].
const MAX_RANK: u8 = (64 - INDEX_BITS + 1) as u8;
const RANK_BITS: usize = 6;

/// The registers of one set of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HyperLogLog {
    registers: Box<[u8; REGISTERS]>,
    /// The lowest rank of all registers.
    lowest_rank: u8,
    /// Number of registers with the lowest rank.
    lowest_count: usize,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self { registers: Box::new([0; REGISTERS]), lowest_rank: 0, lowest_count: REGISTERS }
    }
}

impl HyperLogLog {
    /// Memory that a [`HyperLogLog`] allocates, in bytes.
    pub(super) const ALLOCATED_BYTES: usize = REGISTERS + ALLOCATION_BYTES;

    /// Adds many values by their hashes. `novelty_mask` is an earlier result of [`HyperLogLog::novelty_mask`]. `novel` is a
    /// buffer for the hashes that have none of the bits of this mask.
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
            self.insert(hash);
        }
    }

    /// Adds a value by its hash.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64) {
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

    /// Returns a mask of bits. A hash that has at least one of these bits cannot change a register, because its rank is at
    /// most the lowest rank of all registers. So only hashes with none of these bits need to be added.
    pub(super) fn novelty_mask(&self) -> u64 {
        match self.lowest_rank.min(MAX_RANK - 1) {
            0 => 0,
            rank => (u64::MAX << (64 - rank)) >> INDEX_BITS,
        }
    }

    /// Returns the estimated number of distinct values.
    pub(super) fn estimate(&self) -> u64 {
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

    /// Writes the registers with six bits each.
    pub(super) fn save(&self, state: &mut StateWriter) {
        for four in self.registers.as_chunks::<4>().0 {
            let packed = four
                .iter()
                .enumerate()
                .fold(0, |packed, (at, &rank)| packed | u32::from(rank) << (at * RANK_BITS));
            state.raw(&packed.to_le_bytes()[..3]);
        }
    }

    /// Restores the registers that [`HyperLogLog::save`] wrote.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if the state ends too early.
    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut restored = Self::default();
        for four in restored.registers.as_chunks_mut::<4>().0 {
            let [first, second, third] = state.array()?;
            let packed = u32::from_le_bytes([first, second, third, 0]);
            for (at, rank) in four.iter_mut().enumerate() {
                *rank = ((packed >> (at * RANK_BITS)) as u8 & 0x3F).min(MAX_RANK);
            }
        }
        restored.find_lowest();
        Ok(restored)
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
