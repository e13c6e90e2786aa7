//! Where the bits of masks are set, written down one after another.
//!
//! How many bits a mask has is a guess that processors often lose, so about as many places as usual are written without
//! asking; those beyond the last bit are written over by the next mask's. For each such number there is a loop of its
//! own without another inside: V8, which compiles the WebAssembly, takes no loop apart.

use super::BLOCK_BYTES;

/// Writes where bits are set in the masks of consecutive blocks, the first of which is at `base`. How many there are.
/// `slots` must have room for every bit of every mask.
#[inline(always)]
pub(super) fn write_all(
    masks: impl ExactSizeIterator<Item = u64>,
    base: u32,
    slots: &mut [u32],
    usual: usize,
) -> usize {
    match usual {
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

/// What to expect of a block where so many bits were set in so many blocks: one more than on average, so that few blocks
/// have more.
pub(super) fn usual(bits: usize, blocks: usize) -> usize {
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
        // SAFETY: the masks before have not set more bits than there are slots before 64 for the last one. The writes are
        // volatile because gathering some of them in vectors first, as compilers do otherwise, takes twice the time.
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
    // SAFETY: both are of `slots`, and the second is not before the first.
    unsafe { slot.offset_from_unsigned(start) }
}
