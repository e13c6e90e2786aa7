//! Compiles the scan once for each of several x86-64 instruction sets, and chooses one of them at run time.

use super::block::{Avx2, Avx512};
use super::{Baseline, Receiver, ScanProgress, Scanner, WalkKind};
use std::sync::atomic::{AtomicU32, Ordering};

/// Maximum width in bits of the vectors that the scan uses. Benchmarks set it with [`super::use_vectors_up_to`].
pub(super) static MAX_VECTOR_BITS: AtomicU32 = AtomicU32::new(u32::MAX);

pub(super) enum InstructionSet {
    Avx512,
    Avx2,
    /// Baseline vectors, and the instruction POPCNT, which counts bits.
    Popcnt,
    Baseline,
}

#[inline]
pub(super) fn detect() -> InstructionSet {
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
        return InstructionSet::Baseline;
    }
    match MAX_VECTOR_BITS.load(Ordering::Relaxed) {
        512.. if has_avx512 => InstructionSet::Avx512,
        256.. if has_avx2 => InstructionSet::Avx2,
        _ => InstructionSet::Popcnt,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn avx512<E>(
    scanner: &mut Scanner,
    walk_kind: WalkKind,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<ScanProgress, E> {
    scanner.scan::<Avx512, E>(walk_kind, piece, receiver)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn avx2<E>(
    scanner: &mut Scanner,
    walk_kind: WalkKind,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<ScanProgress, E> {
    scanner.scan::<Avx2, E>(walk_kind, piece, receiver)
}

#[target_feature(enable = "popcnt")]
pub(super) fn popcnt<E>(
    scanner: &mut Scanner,
    walk_kind: WalkKind,
    piece: &[u8],
    receiver: impl Receiver<E>,
) -> Result<ScanProgress, E> {
    scanner.scan::<Baseline, E>(walk_kind, piece, receiver)
}
