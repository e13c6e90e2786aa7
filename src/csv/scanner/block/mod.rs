//! The bytes that give CSV its structure, found 64 at a time.
//!
//! A block's answer is three 64-bit masks, bit `i` standing for byte `i`. This is the one place that looks at
//! every byte of a file, so it is the one place where vector instructions pay: 128-bit ones on WebAssembly,
//! x86-64 and AArch64, 256-bit and 512-bit ones where an x86-64 has them, and plain words elsewhere. All of them are a
//! [`Masks`] of a few lines, tested bit for bit against each other.

#[cfg(target_arch = "aarch64")]
mod neon;
mod places;
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

/// Bytes in a block: as many as a mask has bits.
pub(in crate::csv) const BLOCK_BYTES: usize = 64;

/// Text of 16 KiB: enough rows for what a profile takes to begin with each column, and little enough to stay, with what
/// is found in it, in the nearest cache.
pub(in crate::csv) const WINDOW_BLOCKS: usize = 256;

/// Where the quotes, delimiters and line breaks of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::csv) struct Block {
    /// `"`.
    pub(in crate::csv) quotes: u64,
    /// The dialect's delimiter.
    pub(in crate::csv) delimiters: u64,
    /// CR and LF.
    pub(in crate::csv) newlines: u64,
}

/// A way to look at 64 bytes at once.
pub(in crate::csv) trait Masks {
    /// The structure of a whole block.
    fn of(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block;

    /// The same, but `quotes` says only whether there are any (0 if not): where vectors are narrow, to find out where
    /// is a good part of the work, and most text has none.
    #[inline(always)]
    fn with_any_quotes(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        Self::of(bytes, delimiter)
    }

    /// Says that the first of `bytes` will be looked at soon.
    #[inline(always)]
    fn fetch(bytes: &[u8]) {
        let _ = bytes;
    }

    /// Bit `i` of the result is the parity of bits `0..=i`.
    #[inline(always)]
    fn parity(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }

    /// Writes where bits are set in the masks of consecutive blocks, the first of which is at `base`, to the slots from
    /// `filled` on; there must be room for one block more. `usual` is about how many a block has. Up to where slots are
    /// filled, and what is usual here. Text that comes next is fetched meanwhile, a block for a block: looking at it
    /// will then not wait for memory.
    #[inline(always)]
    fn write_all(
        masks: impl ExactSizeIterator<Item = u64>,
        base: u32,
        slots: &mut [u32],
        filled: usize,
        usual: usize,
        next: &[u8],
    ) -> (usize, usize) {
        let (blocks, mut next) = (masks.len(), next.chunks(BLOCK_BYTES));
        let masks = masks.inspect(|_| next.next().map_or((), Self::fetch));
        let written = places::write_all(masks, base, &mut slots[filled..], usual);
        (filled + written, places::usual(written, blocks))
    }
}

impl Block {
    /// Writes it to `place`. The writes are volatile because two neighbours that are written as one vector, as compilers
    /// do otherwise, are put together in that vector from their smallest parts on.
    #[inline(always)]
    pub(in crate::csv) fn write_to(self, place: &mut Self) {
        // SAFETY: all are valid places.
        unsafe {
            std::ptr::write_volatile(&raw mut place.quotes, self.quotes);
            std::ptr::write_volatile(&raw mut place.delimiters, self.delimiters);
            std::ptr::write_volatile(&raw mut place.newlines, self.newlines);
        }
    }

    /// The block at the start of `bytes`, which must not be empty, and how many bytes it has: 64, or fewer
    /// at the end of a piece. Those are looked at in `padded`.
    #[inline(always)]
    pub(in crate::csv) fn at_start_of<M: Masks>(
        bytes: &[u8],
        delimiter: u8,
        padded: &mut [u8; BLOCK_BYTES],
    ) -> (Self, usize) {
        let (whole, len) = match bytes.first_chunk::<BLOCK_BYTES>() {
            Some(whole) => (whole, BLOCK_BYTES),
            None => {
                // No structural byte is NUL, so the padding sets no bit.
                padded.fill(0);
                padded[..bytes.len()].copy_from_slice(bytes);
                (&*padded, bytes.len())
            }
        };
        (M::of(whole, delimiter), len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(bytes: &[u8], wanted: &[u8]) -> u64 {
        bytes.iter().enumerate().filter(|(_, byte)| wanted.contains(byte)).map(|(i, _)| 1 << i).sum()
    }

    fn parity_and_places<M: Masks>(masks: &[u64], base: u32, usual: usize) -> (Vec<u64>, Vec<u32>) {
        let mut slots = vec![0; (masks.len() + 1) * BLOCK_BYTES];
        let (filled, _) = M::write_all(masks.iter().copied(), base, &mut slots, 0, usual, &[]);
        slots.truncate(filled);
        (masks.iter().map(|&mask| M::parity(mask)).collect(), slots)
    }

    proptest! {
        #[test]
        fn every_implementation_pairs_bits_up_and_writes_down_where_they_are(
            masks in proptest::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), (0..64u32).prop_map(|bit| 1_u64 << bit)], 0..5),
            base in any::<u32>(),
            usual in 0..=64usize,
        ) {
            let bits = |mask: u64| (0..64).filter(move |&bit| mask >> bit & 1 == 1);
            let parities: Vec<u64> = masks.iter().map(|&mask| {
                (0..64).map(|bit| u64::from(bits(mask).filter(|&set| set <= bit).count() % 2 == 1) << bit).sum()
            }).collect();
            let places: Vec<u32> = masks.iter().zip((0u32..).step_by(64))
                .flat_map(|(&mask, at)| bits(mask).map(move |bit: u32| base.wrapping_add(at + bit))).collect();
            let expected = (parities, places);
            prop_assert_eq!(&parity_and_places::<Swar>(&masks, base, usual), &expected);
            prop_assert_eq!(&parity_and_places::<Baseline>(&masks, base, usual), &expected);
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq") {
                    prop_assert_eq!(&parity_and_places::<Avx2>(&masks, base, usual), &expected);
                }
                if is_x86_feature_detected!("avx512vbmi2") && is_x86_feature_detected!("pclmulqdq") {
                    prop_assert_eq!(&parity_and_places::<Avx512>(&masks, base, usual), &expected);
                }
            }
        }

        #[test]
        fn every_implementation_finds_every_structural_byte_and_no_other(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 1..=64),
            delimiter in prop_oneof![Just(b','), Just(b'\t'), Just(b';'), Just(b'|'), Just(0x7F)],
        ) {
            let block = Block {
                quotes: expected(&bytes, b"\""),
                delimiters: expected(&bytes, &[delimiter]),
                newlines: expected(&bytes, b"\r\n"),
            };
            prop_assert_eq!(Block::at_start_of::<Swar>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
            prop_assert_eq!(Block::at_start_of::<Baseline>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") {
                    prop_assert_eq!(Block::at_start_of::<Avx2>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
                }
                if is_x86_feature_detected!("avx512bw") {
                    prop_assert_eq!(Block::at_start_of::<Avx512>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
                }
            }
        }
    }
}
