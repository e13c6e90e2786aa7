//! The value of a field, with its first and its last eight bytes as words. So code can handle eight bytes at a time.

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) struct Value<'a> {
    pub(in crate::csv) bytes: &'a [u8],
    /// The first eight bytes as a little-endian word. Shorter values are padded with zero bytes.
    pub(in crate::csv) head: u64,
    /// The last eight bytes as a little-endian word. 0 for values of at most eight bytes.
    pub(in crate::csv) tail: u64,
}

/// Bytes in a word.
pub(in crate::csv) const WORD_BYTES: usize = size_of::<u64>();

impl<'a> Value<'a> {
    /// The empty value.
    pub(in crate::csv) const EMPTY: Self = Self { bytes: &[], head: 0, tail: 0 };

    /// Creates a value from its bytes.
    pub(in crate::csv) fn new(bytes: &'a [u8]) -> Self {
        let tail = match bytes.last_chunk() {
            Some(last) if bytes.len() > WORD_BYTES => u64::from_le_bytes(*last),
            _ => 0,
        };
        Self { bytes, head: prefix_of(bytes).swap_bytes(), tail }
    }

    /// Creates the value at `start..end` of a record. Reads whole words from the record and masks them, to avoid a
    /// branch on the length.
    #[inline(always)]
    pub(in crate::csv) fn within(record: &'a [u8], start: usize, end: usize) -> Self {
        if start >= end || end > record.len() {
            return Self::EMPTY;
        }
        let bytes = &record[start..end];
        if record.len() < WORD_BYTES {
            return Self::new(bytes);
        }
        let head_at = start.min(record.len() - WORD_BYTES);
        let head = word(record, head_at) >> (8 * (start - head_at));
        let tail = word(record, end.max(WORD_BYTES) - WORD_BYTES);
        Self {
            bytes,
            head: head & u64::MAX >> (64 - 8 * bytes.len().min(WORD_BYTES)),
            tail: tail & u64::from(bytes.len() > WORD_BYTES).wrapping_neg(),
        }
    }

    /// Returns the first eight bytes as a big-endian number, as [`prefix_of`] does.
    #[inline(always)]
    pub(in crate::csv) fn prefix(self) -> u64 {
        big_endian(self.head)
    }

    /// Returns the bytes after the first eight bytes as a little-endian word. The value must have at most sixteen
    /// bytes.
    #[inline(always)]
    pub(in crate::csv) fn rest(self) -> u64 {
        self.tail.checked_shr(8 * (2 * WORD_BYTES).saturating_sub(self.bytes.len()) as u32).unwrap_or(0)
    }
}

/// Returns the first eight bytes of `text` as a big-endian number. Shorter text is padded with zero bytes. Prefixes
/// have the order of their texts: if `a < b`, then `prefix_of(a) <= prefix_of(b)`.
#[inline(always)]
pub(in crate::csv) fn prefix_of(text: &[u8]) -> u64 {
    let len = text.len();
    if let Some(first) = text.first_chunk() {
        u64::from_be_bytes(*first)
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        // The first and the last four bytes may overlap.
        let (first, last) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
        u64::from(first) << 32 | u64::from(last) << (8 * (8 - len))
    } else {
        text.iter().enumerate().fold(0, |prefix, (at, &byte)| prefix | u64::from(byte) << (56 - 8 * at))
    }
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Returns the smallest and the greatest [`Value::prefix`] of values with these heads. Returns `u64::MAX` and 0 if
/// there are no heads.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(in crate::csv) fn prefix_bounds(heads: &[u64]) -> (u64, u64) {
    heads.iter().fold((u64::MAX, 0), |(low, high), &head| {
        let prefix = big_endian(head);
        (low.min(prefix), high.max(prefix))
    })
}

/// Does the same as the other `prefix_bounds`, two heads at a time.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(in crate::csv) fn prefix_bounds(heads: &[u64]) -> (u64, u64) {
    use core::arch::wasm32::*;
    // Vector comparisons are signed. If all sign bits are flipped, a signed comparison gives the order of unsigned
    // numbers.
    let sign = u64x2_splat(1 << 63);
    let (pairs, last) = heads.as_chunks::<2>();
    let (mut lows, mut highs) = (u64x2_splat(i64::MAX as u64), u64x2_splat(i64::MIN as u64));
    for &[first, second] in pairs {
        let pair = u64x2(first, second);
        let pair = i8x16_shuffle::<7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8>(pair, pair);
        let pair = v128_xor(pair, sign);
        lows = v128_bitselect(pair, lows, i64x2_lt(pair, lows));
        highs = v128_bitselect(pair, highs, i64x2_gt(pair, highs));
    }
    let (lows, highs) = (v128_xor(lows, sign), v128_xor(highs, sign));
    let last = last.first().map(|&head| big_endian(head));
    let low = u64x2_extract_lane::<0>(lows).min(u64x2_extract_lane::<1>(lows));
    let high = u64x2_extract_lane::<0>(highs).max(u64x2_extract_lane::<1>(highs));
    (low.min(last.unwrap_or(u64::MAX)), high.max(last.unwrap_or(0)))
}

/// Reverses the bytes of a word.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn big_endian(word: u64) -> u64 {
    word.swap_bytes()
}

/// Reverses the bytes of a word. In WebAssembly, only vectors have an instruction for this.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn big_endian(word: u64) -> u64 {
    use core::arch::wasm32::{i8x16_shuffle, u64x2_extract_lane, u64x2_splat};
    let word = u64x2_splat(word);
    u64x2_extract_lane::<0>(i8x16_shuffle::<7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0>(word, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_read_from_a_record_equals_a_value_that_is_made_from_the_same_bytes() {
        let record = b"a,bc,def,ghij,,klmnopqr,stuvwxyzA,\"BCDEFGHIJKLMNOPQRS\",t,uv";
        for shorter in 0..record.len() {
            for longer in shorter..=record.len() {
                for bytes in [&record[..], &record[shorter..longer]] {
                    let (start, end) =
                        if bytes.len() == record.len() { (shorter, longer) } else { (0, bytes.len()) };
                    let (within, alone) = (Value::within(bytes, start, end), Value::new(&bytes[start..end]));
                    assert_eq!((within.head, within.tail), (alone.head, alone.tail), "{start}..{end}");
                    assert_eq!(within.bytes, alone.bytes);
                    assert_eq!(within.prefix(), prefix_of(alone.bytes));
                    if within.bytes.len() <= 16 {
                        let rest = within.bytes.get(8..).unwrap_or_default();
                        assert_eq!(within.rest().swap_bytes(), prefix_of(rest));
                    }
                }
            }
        }
    }
}
