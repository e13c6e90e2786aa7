//! Finds the structural bytes with four 128-bit vectors of WebAssembly.

use super::{BLOCK_BYTES, Block, Masks};
use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, i8x16_splat, v128, v128_load, v128_or};

/// WebAssembly SIMD. It needs the target feature `simd128`, which the build enables.
pub(in crate::csv) struct Simd128;

impl Masks for Simd128 {
    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let text = load(bytes);
        Block { quotes: bits(equal(text, b'"')), ..separators(text, delimiter) }
    }

    #[inline(always)]
    fn with_any_quotes(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let text = load(bytes);
        let [a, b, c, d] = equal(text, b'"');
        let quotes = u64::from(i8x16_bitmask(v128_or(v128_or(a, b), v128_or(c, d))));
        Block { quotes, ..separators(text, delimiter) }
    }
}

#[inline(always)]
fn load(bytes: &[u8; BLOCK_BYTES]) -> [v128; 4] {
    // SAFETY: each load reads 16 of the 64 bytes and needs no alignment.
    [0, 16, 32, 48].map(|at| unsafe { v128_load(bytes.as_ptr().add(at).cast::<v128>()) })
}

#[inline(always)]
fn equal(text: [v128; 4], byte: u8) -> [v128; 4] {
    text.map(|part| i8x16_eq(part, i8x16_splat(byte as i8)))
}

/// Packs one bit of each byte into a mask. The lowest bit is from the first byte.
#[inline(always)]
fn bits(equal: [v128; 4]) -> u64 {
    let [a, b, c, d] = equal.map(|part| u64::from(i8x16_bitmask(part)));
    (a | b << 16) | (c << 32 | d << 48)
}

#[inline(always)]
fn separators(text: [v128; 4], delimiter: u8) -> Block {
    let (lf, cr) = (equal(text, b'\n'), equal(text, b'\r'));
    let newlines = [0, 1, 2, 3].map(|part| v128_or(lf[part], cr[part]));
    Block { quotes: 0, delimiters: bits(equal(text, delimiter)), newlines: bits(newlines) }
}
