//! Finds the structural bytes. Compares eight bytes at a time, in a 64-bit word (SIMD within a register).

use super::{BLOCK_BYTES, Block, Masks};

/// The implementation of [`Masks`] with 64-bit words. It needs no vector instructions.
pub(in crate::csv) struct Swar;

impl Masks for Swar {
    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (word, shift) in bytes.chunks_exact(8).zip((0u32..).step_by(8)) {
            let word = word.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
            block.quotes |= positions_of(word, b'"') << shift;
            block.delimiters |= positions_of(word, delimiter) << shift;
            block.newlines |= (positions_of(word, b'\n') | positions_of(word, b'\r')) << shift;
        }
        block
    }
}

/// Returns a mask whose bit `i` is set if byte `i` of `word` is `byte`. Byte 0 is the lowest byte.
#[inline(always)]
fn positions_of(word: u64, byte: u8) -> u64 {
    const LOW_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    // The multiplication gathers the bits at 0, 8, 16, … in the top byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let zero_where_equal = word ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    let high_bits = !(((zero_where_equal & LOW_BITS) + LOW_BITS) | zero_where_equal | LOW_BITS);
    (high_bits >> 7).wrapping_mul(GATHER) >> 56
}
