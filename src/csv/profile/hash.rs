//! Hashes of the values of a column.

use crate::csv::record::value::Value;

/// Hashes a value. The hash is fast to compute, and its bits are mixed well enough for HyperLogLog. The first and the
/// last eight bytes of the value are multiplied independently, so that the processor can overlap the two
/// multiplications.
#[inline(always)]
pub(super) fn hash_of(value: Value<'_>) -> u64 {
    let Value { bytes, head, tail } = value;
    match bytes.len() {
        ..=16 => hash_of_ends(head, tail, bytes.len() as u64),
        _ => mix(combine(head, tail, bytes.len() as u64) ^ hash_between(bytes)),
    }
}

/// Does the same as [`hash_of`], for a value of at most sixteen bytes, given by its [`Value::head`], [`Value::tail`]
/// and length.
#[inline(always)]
pub(super) fn hash_of_ends(head: u64, tail: u64, len: u64) -> u64 {
    mix(combine(head, tail, len))
}

#[inline(always)]
fn combine(head: u64, tail: u64, len: u64) -> u64 {
    let len = len.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let tail = tail.wrapping_add(len).wrapping_mul(0xA076_1D64_78BD_642F);
    head.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ tail.rotate_left(32)
}

/// Hashes the bytes between the first eight and the last eight bytes of a value, in words of eight bytes. The last of
/// these words may overlap the last eight bytes of the value.
#[inline(never)]
fn hash_between(bytes: &[u8]) -> u64 {
    let between = bytes.get(8..bytes.len() - 1).unwrap_or_default();
    between.as_chunks::<8>().0.iter().fold(0, |hash, word| mix(hash ^ u64::from_le_bytes(*word)))
}

/// Mixes the bits of a number.
#[inline(always)]
pub(super) fn mix(hash: u64) -> u64 {
    let product = (hash ^ hash >> 32).wrapping_mul(0xA24B_AED4_963E_E407);
    product ^ product >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        assert_eq!(hash_of(Value::new(b"")), 0);
        let hashes = [b"a".as_slice(), b"12345678", b"123456789"].map(|value| hash_of(Value::new(value)));
        assert_eq!(hashes, [8778259572367447855, 10646020063120148949, 16235409650154111067]);
    }
}
