//! Four times 16 bytes with WebAssembly's 128-bit vectors.

use super::{BLOCK_BYTES, Block, Masks};
use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, i8x16_splat, v128, v128_load, v128_or};

/// Needs `simd128`, which the build asks for.
pub(in crate::csv) struct Simd128;

impl Masks for Simd128 {
    #[inline(always)]
    fn of(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let splat = |byte: u8| i8x16_splat(byte as i8);
        let (quote, delimiter, lf, cr) = (splat(b'"'), splat(delimiter), splat(b'\n'), splat(b'\r'));
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (part, shift) in bytes.as_chunks::<16>().0.iter().zip((0u32..).step_by(16)) {
            // SAFETY: the part has 16 bytes, and the load needs no alignment.
            let part = unsafe { v128_load(part.as_ptr().cast::<v128>()) };
            let bits = |equal| u64::from(i8x16_bitmask(equal)) << shift;
            block.quotes |= bits(i8x16_eq(part, quote));
            block.delimiters |= bits(i8x16_eq(part, delimiter));
            block.newlines |= bits(v128_or(i8x16_eq(part, lf), i8x16_eq(part, cr)));
        }
        block
    }
}
