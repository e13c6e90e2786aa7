//! Finds the structural bytes of CSV, 64 at a time: quotes, delimiters and line breaks.
//!
//! The result for a block is three 64-bit masks in which bit `i` stands for byte `i`. This code reads every byte of a
//! file, so vector instructions save more time here than in any other place. It uses 128-bit vectors on WebAssembly,
//! x86-64 and AArch64. On x86-64 CPUs with wider vectors, it uses 256-bit or 512-bit vectors. On all other CPUs, it
//! uses 64-bit words. For each width, a few lines implement [`Masks`]. The tests compare the results of all
//! implementations bit for bit.

#[cfg(target_arch = "aarch64")]
mod neon;
mod positions;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(any(
    test,
    not(any(
        target_arch = "aarch64",
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
mod swar;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(in crate::csv) use neon::Neon as Baseline;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(in crate::csv) use simd128::Simd128 as Baseline;
#[cfg(any(
    test,
    not(any(
        target_arch = "aarch64",
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
pub(in crate::csv) use swar::Swar;
#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
pub(in crate::csv) use swar::Swar as Baseline;
#[cfg(target_arch = "x86_64")]
pub(in crate::csv) use x86_64::{Avx2, Avx512, Sse2 as Baseline};

/// Bytes in a block: one for each bit of a mask.
pub(in crate::csv) const BLOCK_BYTES: usize = 64;

/// Number of blocks in a window: 16 KiB of text. A window usually has so many rows that the fixed cost of the profile
/// for each column in each window does not matter. A window is small enough that its text and the masks of this text
/// stay in the L1 cache.
pub(in crate::csv) const WINDOW_BLOCKS: usize = 256;

/// Masks of the quotes, delimiters and line breaks in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::csv) struct Block {
    /// `"`.
    pub(in crate::csv) quotes: u64,
    /// The dialect's delimiter.
    pub(in crate::csv) delimiters: u64,
    /// CR and LF.
    pub(in crate::csv) newlines: u64,
}

/// An implementation that finds the structural bytes of a block.
pub(in crate::csv) trait Masks {
    /// Returns the masks of a block.
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block;

    /// Does the same as [`Masks::find`], except for the mask `quotes`: it is 0 if the block has no quotes, and any
    /// other number if the block has quotes. Most blocks have no quotes, and with narrow vectors it takes long to
    /// compute the positions of quotes.
    #[inline(always)]
    fn with_any_quotes(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        Self::find(bytes, delimiter)
    }

    /// Prefetches the start of `bytes` into the cache.
    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        let _ = bytes;
    }

    /// Returns a mask whose bit `i` is the parity of the bits `0..=i` of `bits`.
    #[inline(always)]
    fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }

    /// Writes the positions of the set bits in `masks` to `slots`, after the first `filled` slots. The masks are those
    /// of consecutive blocks, and the first block is at `base`. There must be 64 free slots for each mask. `typical` is
    /// the estimated number of set bits in a mask. Returns the new number of filled slots and a new estimate. For each
    /// mask, also prefetches one block of `next`, the text after these blocks.
    #[inline(always)]
    fn write_positions(
        masks: impl ExactSizeIterator<Item = u64>,
        base: u32,
        slots: &mut [u32],
        filled: usize,
        typical: usize,
        next: &[u8],
    ) -> (usize, usize) {
        let (blocks, mut next) = (masks.len(), next.chunks(BLOCK_BYTES));
        let masks = masks.inspect(|_| next.next().map_or((), Self::prefetch));
        let written = positions::write_positions(masks, base, &mut slots[filled..], typical);
        (filled + written, positions::typical_per_block(written, blocks))
    }
}

impl Block {
    /// Writes the block to `place`. The writes are volatile because compilers would otherwise assemble a vector of two
    /// neighbouring masks from many small parts and write this vector, which takes longer.
    #[inline(always)]
    pub(in crate::csv) fn write_to(self, place: &mut Self) {
        // SAFETY: all three pointers come from a mutable reference.
        unsafe {
            std::ptr::write_volatile(&raw mut place.quotes, self.quotes);
            std::ptr::write_volatile(&raw mut place.delimiters, self.delimiters);
            std::ptr::write_volatile(&raw mut place.newlines, self.newlines);
        }
    }

    /// Returns the block at the start of `bytes`, and its length: 64 bytes, or fewer at the end of a piece. `bytes`
    /// must not be empty. A short block is copied to `padded` first.
    #[inline(always)]
    pub(in crate::csv) fn from_start_of<M: Masks>(
        bytes: &[u8],
        delimiter: u8,
        padded: &mut [u8; BLOCK_BYTES],
    ) -> (Self, usize) {
        let (whole, len) = match bytes.first_chunk::<BLOCK_BYTES>() {
            Some(whole) => (whole, BLOCK_BYTES),
            None => {
                // No structural byte is NUL, so the padding sets no bits.
                padded.fill(0);
                padded[..bytes.len()].copy_from_slice(bytes);
                (&*padded, bytes.len())
            }
        };
        (M::find(whole, delimiter), len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(bytes: &[u8], wanted: &[u8]) -> u64 {
        bytes.iter().enumerate().filter(|(_, byte)| wanted.contains(byte)).map(|(i, _)| 1 << i).sum()
    }

    fn prefix_xor_and_positions<M: Masks>(masks: &[u64], base: u32, typical: usize) -> (Vec<u64>, Vec<u32>) {
        let mut slots = vec![0; (masks.len() + 1) * BLOCK_BYTES];
        let (filled, _) = M::write_positions(masks.iter().copied(), base, &mut slots, 0, typical, &[]);
        slots.truncate(filled);
        (masks.iter().map(|&mask| M::prefix_xor(mask)).collect(), slots)
    }

    proptest! {
        #[test]
        fn every_implementation_computes_the_same_prefix_xor_and_positions(
            masks in proptest::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), (0..64u32).prop_map(|bit| 1_u64 << bit)], 0..5),
            base in any::<u32>(),
            typical in 0..=64usize,
        ) {
            let bits = |mask: u64| (0..64).filter(move |&bit| mask >> bit & 1 == 1);
            let parities: Vec<u64> = masks.iter().map(|&mask| {
                (0..64).map(|bit| u64::from(bits(mask).filter(|&set| set <= bit).count() % 2 == 1) << bit).sum()
            }).collect();
            let positions: Vec<u32> = masks.iter().zip((0u32..).step_by(64))
                .flat_map(|(&mask, at)| bits(mask).map(move |bit: u32| base.wrapping_add(at + bit))).collect();
            let expected = (parities, positions);
            prop_assert_eq!(&prefix_xor_and_positions::<Swar>(&masks, base, typical), &expected);
            prop_assert_eq!(&prefix_xor_and_positions::<Baseline>(&masks, base, typical), &expected);
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq") {
                    prop_assert_eq!(&prefix_xor_and_positions::<Avx2>(&masks, base, typical), &expected);
                }
                if is_x86_feature_detected!("avx512vbmi2") && is_x86_feature_detected!("pclmulqdq") {
                    prop_assert_eq!(&prefix_xor_and_positions::<Avx512>(&masks, base, typical), &expected);
                }
            }
        }

        #[test]
        fn every_implementation_finds_exactly_the_structural_bytes(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 1..=64),
            delimiter in prop_oneof![Just(b','), Just(b'\t'), Just(b';'), Just(b'|'), Just(0x7F)],
        ) {
            let block = Block {
                quotes: expected(&bytes, b"\""),
                delimiters: expected(&bytes, &[delimiter]),
                newlines: expected(&bytes, b"\r\n"),
            };
            prop_assert_eq!(Block::from_start_of::<Swar>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
            prop_assert_eq!(Block::from_start_of::<Baseline>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") {
                    prop_assert_eq!(Block::from_start_of::<Avx2>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
                }
                if is_x86_feature_detected!("avx512bw") {
                    prop_assert_eq!(Block::from_start_of::<Avx512>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
                }
            }
        }
    }
}
