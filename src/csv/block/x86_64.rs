//! Four times 16 or twice 32 bytes with x86-64's vectors.

use super::{BLOCK_BYTES, Block, Masks};
use core::arch::x86_64::{
    __m128i, __m256i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

/// Every x86-64 has it.
pub(in crate::csv) struct Sse2;

impl Masks for Sse2 {
    #[inline(always)]
    fn of(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (part, shift) in bytes.as_chunks::<16>().0.iter().zip((0u32..).step_by(16)) {
            // SAFETY: SSE2 is part of x86-64; the part has 16 bytes, and the load needs no alignment.
            unsafe {
                let part = _mm_loadu_si128(part.as_ptr().cast::<__m128i>());
                let equal = |byte: u8| _mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8));
                let bits = |equal| u64::from(_mm_movemask_epi8(equal) as u32) << shift;
                block.quotes |= bits(equal(b'"'));
                block.delimiters |= bits(equal(delimiter));
                block.newlines |= bits(_mm_or_si128(equal(b'\n'), equal(b'\r')));
            }
        }
        block
    }
}

/// To be used only where AVX2 has been detected.
pub(in crate::csv) struct Avx2;

impl Masks for Avx2 {
    #[inline(always)]
    fn of(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (part, shift) in bytes.as_chunks::<32>().0.iter().zip((0u32..).step_by(32)) {
            // SAFETY: whoever names this type has detected AVX2; the part has 32 bytes, and the load needs no
            // alignment.
            unsafe {
                let part = _mm256_loadu_si256(part.as_ptr().cast::<__m256i>());
                let equal = |byte: u8| _mm256_cmpeq_epi8(part, _mm256_set1_epi8(byte as i8));
                let bits = |equal| u64::from(_mm256_movemask_epi8(equal) as u32) << shift;
                block.quotes |= bits(equal(b'"'));
                block.delimiters |= bits(equal(delimiter));
                block.newlines |= bits(_mm256_or_si256(equal(b'\n'), equal(b'\r')));
            }
        }
        block
    }
}
