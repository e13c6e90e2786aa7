//! Finds the structural bytes with four 128-bit vectors, two 256-bit vectors or one 512-bit vector of x86-64.

use super::{BLOCK_BYTES, Block, Masks, positions};
use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _MM_HINT_T0, _mm_clmulepi64_si128, _mm_cmpeq_epi8, _mm_cvtsi64_si128,
    _mm_cvtsi128_si64, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_prefetch, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm512_add_epi32, _mm512_alignr_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask,
    _mm512_cvtepu8_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_storeu_si512,
};

/// SSE2, which every x86-64 CPU has.
pub(in crate::csv) struct Sse2;

impl Masks for Sse2 {
    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        prefetch(bytes);
    }

    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (part, shift) in bytes.as_chunks::<16>().0.iter().zip((0u32..).step_by(16)) {
            // SAFETY: SSE2 is part of x86-64. `part` has 16 bytes, and the load needs no alignment.
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

/// AVX2. Use this type only where AVX2 and PCLMULQDQ have been detected.
pub(in crate::csv) struct Avx2;

impl Masks for Avx2 {
    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        prefetch(bytes);
    }

    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        let mut block = Block { quotes: 0, delimiters: 0, newlines: 0 };
        for (part, shift) in bytes.as_chunks::<32>().0.iter().zip((0u32..).step_by(32)) {
            // SAFETY: callers use this type only where AVX2 has been detected. `part` has 32 bytes, and the
            // load needs no alignment.
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

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: callers use this type only where PCLMULQDQ has been detected.
        unsafe { prefix_xor(bits) }
    }
}

/// AVX-512. Use this type only where AVX-512 BW, AVX-512 VBMI2 and PCLMULQDQ have been detected.
pub(in crate::csv) struct Avx512;

/// The position of each byte of a block.
const PLACES: [u8; BLOCK_BYTES] = {
    let mut places = [0; BLOCK_BYTES];
    let mut place = 0;
    while place < BLOCK_BYTES {
        places[place] = place as u8;
        place += 1;
    }
    places
};

impl Masks for Avx512 {
    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        prefetch(bytes);
    }

    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        // SAFETY: callers use this type only where AVX-512 BW has been detected. The block has 64 bytes, and
        // the load needs no alignment.
        unsafe {
            let text = _mm512_loadu_si512(bytes.as_ptr().cast::<__m512i>());
            let bits = |byte: u8| _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8(byte as i8));
            Block { quotes: bits(b'"'), delimiters: bits(delimiter), newlines: bits(b'\n') | bits(b'\r') }
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: callers use this type only where PCLMULQDQ has been detected.
        unsafe { prefix_xor(bits) }
    }

    #[inline(always)]
    fn write_positions(
        masks: impl ExactSizeIterator<Item = u64>,
        base: u32,
        slots: &mut [u32],
        filled: usize,
        typical: usize,
        next: &[u8],
    ) -> (usize, usize) {
        let (blocks, before) = (masks.len(), filled);
        let (mut filled, mut base, mut next) = (filled, base, next.chunks(BLOCK_BYTES));
        for mask in masks {
            next.next().map(prefetch);
            let Some(slots) = slots[filled..].first_chunk_mut() else { break };
            compress(mask, base, slots, typical);
            filled += mask.count_ones() as usize;
            base = base.wrapping_add(BLOCK_BYTES as u32);
        }
        (filled, positions::typical_per_block(filled - before, blocks))
    }
}

/// Writes the positions of the set bits, counted from `base`, to the first slots. Writes at least `at_once` slots, even
/// if fewer bits are set. So the number of iterations is usually the same, and the CPU rarely mispredicts this number.
/// Use this function only where AVX-512 VBMI2 has been detected.
#[inline(always)]
fn compress(bits: u64, base: u32, slots: &mut [u32; BLOCK_BYTES], at_once: usize) {
    const PLACES_AT_ONCE: usize = 16;
    let count = (bits.count_ones() as usize).max(at_once);
    // SAFETY: callers have detected AVX-512 VBMI2. Each load and store accesses an array that is as large as the
    // vector, and needs no alignment.
    unsafe {
        let places = _mm512_loadu_si512(PLACES.as_ptr().cast::<__m512i>());
        let mut places = _mm512_maskz_compress_epi8(bits, places);
        let base = _mm512_set1_epi32(base as i32);
        for slots in slots.as_chunks_mut::<PLACES_AT_ONCE>().0.iter_mut().take(count.div_ceil(PLACES_AT_ONCE))
        {
            let next = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
            _mm512_storeu_si512(slots.as_mut_ptr().cast::<__m512i>(), _mm512_add_epi32(next, base));
            places = _mm512_alignr_epi32::<4>(places, places);
        }
    }
}

/// # Safety
/// The CPU must have PCLMULQDQ.
#[inline]
#[target_feature(enable = "pclmulqdq")]
unsafe fn prefix_xor(bits: u64) -> u64 {
    // A carry-less product with all ones: each bit becomes the XOR of itself and all lower bits.
    let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits as i64), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product) as u64
}

#[inline(always)]
fn prefetch(bytes: &[u8]) {
    // SAFETY: every x86-64 CPU has the prefetch instruction. It is only a hint, and it is valid for any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast()) };
}
