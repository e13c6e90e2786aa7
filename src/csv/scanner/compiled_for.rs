//! The scan compiled for x86-64s that have more than the first one had.

use super::block::{Avx2, Avx512};
use super::{Baseline, Fed, Receiver, Scanner, Way};
use std::sync::atomic::{AtomicU32, Ordering};

/// The widest vectors to use, in bits.
pub(super) static WIDEST: AtomicU32 = AtomicU32::new(u32::MAX);

pub(super) enum Machine {
    Avx512,
    Avx2,
    /// Nothing wider than the baseline, but it counts bits.
    Popcnt,
    Any,
}

#[inline]
pub(super) fn machine() -> Machine {
    let has_popcnt = is_x86_feature_detected!("popcnt");
    let has_avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("pclmulqdq");
    let has_avx512 = has_avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2");
    if !has_popcnt {
        return Machine::Any;
    }
    match WIDEST.load(Ordering::Relaxed) {
        512.. if has_avx512 => Machine::Avx512,
        256.. if has_avx2 => Machine::Avx2,
        _ => Machine::Popcnt,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn avx512<E>(
    scanner: &mut Scanner,
    way: Way,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<Fed, E> {
    scanner.scan::<Avx512, E>(way, piece, receiver)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn avx2<E>(
    scanner: &mut Scanner,
    way: Way,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<Fed, E> {
    scanner.scan::<Avx2, E>(way, piece, receiver)
}

#[target_feature(enable = "popcnt")]
pub(super) fn popcnt<E>(
    scanner: &mut Scanner,
    way: Way,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<Fed, E> {
    scanner.scan::<Baseline, E>(way, piece, receiver)
}
