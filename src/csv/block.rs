//! The bytes that give CSV its structure, found 64 at a time.
//!
//! A block's answer is three 64-bit masks, bit `i` standing for byte `i`. This is the one place that looks at
//! every byte of a file, so it is the one place where vector instructions pay: 128-bit ones on WebAssembly,
//! x86-64 and AArch64, 256-bit ones where an x86-64 has them, and plain words elsewhere. All of them are a
//! [`Masks`] of a few lines, tested bit for bit against each other.

#[cfg(target_arch = "aarch64")]
mod neon;
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
pub(super) use neon::Neon as Baseline;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd128::Simd128 as Baseline;
#[cfg(any(
    test,
    not(any(
        target_arch = "aarch64",
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
pub(super) use swar::Swar;
#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
pub(super) use swar::Swar as Baseline;
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Avx2, Sse2 as Baseline};

/// Bytes in a block: as many as a mask has bits.
pub(super) const BLOCK_BYTES: usize = 64;

/// Where the quotes, delimiters and line breaks of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// `"`.
    pub(super) quotes: u64,
    /// The dialect's delimiter.
    pub(super) delimiters: u64,
    /// CR and LF.
    pub(super) newlines: u64,
}

/// A way to look at 64 bytes at once.
pub(super) trait Masks {
    /// The structure of a whole block.
    fn of(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block;
}

impl Block {
    /// The block at the start of `bytes`, which must not be empty, and how many bytes it has: 64, or fewer
    /// at the end of a piece. Those are looked at in `padded`.
    #[inline(always)]
    pub(super) fn at_start_of<M: Masks>(
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

    proptest! {
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
            if is_x86_feature_detected!("avx2") {
                prop_assert_eq!(Block::at_start_of::<Avx2>(&bytes, delimiter, &mut [1; 64]), (block, bytes.len()));
            }
        }
    }
}
