//! Finds the structural bytes with four 128-bit vectors of AArch64.

use super::{BLOCK_BYTES, Block, Masks};
use core::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8, vorrq_u8, vpaddq_u8,
    vreinterpretq_u64_u8,
};

/// NEON, which every AArch64 CPU has.
pub(in crate::csv) struct Neon;

impl Masks for Neon {
    #[inline(always)]
    fn find(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Block {
        // SAFETY: NEON is part of AArch64. Each load reads 16 of the 64 bytes and needs no alignment.
        unsafe {
            let parts = [0, 16, 32, 48].map(|at| vld1q_u8(bytes.as_ptr().add(at)));
            let equal = |byte| parts.map(|part| vceqq_u8(part, vdupq_n_u8(byte)));
            let (lf, cr) = (equal(b'\n'), equal(b'\r'));
            let newlines = [0, 1, 2, 3].map(|part| vorrq_u8(lf[part], cr[part]));
            Block { quotes: bits(equal(b'"')), delimiters: bits(equal(delimiter)), newlines: bits(newlines) }
        }
    }
}

/// Packs one bit of each byte into a mask. The lowest bit of the mask is from the first byte. In the first step, each
/// byte keeps only the bit that stands for its position among eight bytes. The next steps add neighbouring bytes, until
/// one byte holds the bits of eight bytes.
#[inline(always)]
unsafe fn bits(equal: [uint8x16_t; 4]) -> u64 {
    const PLACES: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: NEON is part of AArch64, and `PLACES` has 16 bytes.
    unsafe {
        let places = vld1q_u8(PLACES.as_ptr());
        let [a, b, c, d] = equal.map(|part| vandq_u8(part, places));
        let pairs = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)))
    }
}
