//! Writes the positions of the set bits of masks.
//!
//! CPUs often mispredict how many set bits a mask has. So the code writes a fixed number of positions for each mask,
//! without a branch. The fixed number is about the number of set bits in a typical mask. If a mask has fewer set bits,
//! the positions of the next mask overwrite the surplus positions. The code is compiled once for each fixed number, so
//! that the Rust compiler can unroll the inner loop. V8, which compiles the WebAssembly, unrolls no loops.

use super::BLOCK_BYTES;

/// Writes the positions of the set bits in `masks` to `slots` and returns the number of positions. The masks belong to
/// consecutive blocks, and the first block is at `base`. `slots` must have 64 entries for each mask. `typical` is the
/// estimated number of set bits in a mask.
#[inline(always)]
pub(super) fn write_positions(
    masks: impl ExactSizeIterator<Item = u64>,
    base: u32,
    slots: &mut [u32],
    typical: usize,
) -> usize {
    match typical {
        0..=1 => write_at_once::<1>(masks, base, slots),
        2 => write_at_once::<2>(masks, base, slots),
        3..=4 => write_at_once::<4>(masks, base, slots),
        5..=6 => write_at_once::<6>(masks, base, slots),
        7..=8 => write_at_once::<8>(masks, base, slots),
        9..=10 => write_at_once::<10>(masks, base, slots),
        11..=12 => write_at_once::<12>(masks, base, slots),
        13..=16 => write_at_once::<16>(masks, base, slots),
        17..=20 => write_at_once::<20>(masks, base, slots),
        _ => write_at_once::<28>(masks, base, slots),
    }
}

/// Estimates the number of set bits in the mask of one block, if `blocks` earlier blocks have `bits` set bits in total.
/// The estimate is one more than the average, so that few blocks have more set bits than the estimate.
pub(super) fn typical_per_block(bits: usize, blocks: usize) -> usize {
    bits / blocks.max(1) + 1
}

#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn write_at_once<const AT_ONCE: usize>(
    masks: impl ExactSizeIterator<Item = u64>,
    base: u32,
    slots: &mut [u32],
) -> usize {
    assert!(AT_ONCE <= BLOCK_BYTES && slots.len() >= masks.len() * BLOCK_BYTES);
    let (mut base, start) = (base, slots.as_mut_ptr());
    let mut slot = start;
    for mut bits in masks {
        let count = bits.count_ones() as usize;
        // SAFETY: each mask advances `slot` by at most 64, and `slots` has 64 entries per mask. So at least 64
        // entries remain for each mask. The writes are volatile because compilers would otherwise collect
        // several positions in vectors first, and that takes twice the time.
        unsafe {
            for at in 0..AT_ONCE {
                slot.add(at).write_volatile(base.wrapping_add(bits.trailing_zeros()));
                bits &= bits.wrapping_sub(1);
            }
            for at in AT_ONCE..count {
                slot.add(at).write_volatile(base.wrapping_add(bits.trailing_zeros()));
                bits &= bits.wrapping_sub(1);
            }
            slot = slot.add(count);
        }
        base = base.wrapping_add(BLOCK_BYTES as u32);
    }
    // SAFETY: both pointers point into `slots`, and `slot` is not before `start`.
    unsafe { slot.offset_from_unsigned(start) }
}
