//! The scan compiled for x86-64s that have more than the first one had.

use super::{Baseline, Fed, Receiver, Scanner, Way};
use crate::csv::block::Avx2;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) static ONLY_BASELINE: AtomicBool = AtomicBool::new(false);

pub(super) enum Machine {
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
        && is_x86_feature_detected!("lzcnt");
    match (has_popcnt, has_avx2 && !ONLY_BASELINE.load(Ordering::Relaxed)) {
        (true, true) => Machine::Avx2,
        (true, false) => Machine::Popcnt,
        _ => Machine::Any,
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
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
