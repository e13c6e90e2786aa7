//! Eight characters looked at together, as the bytes of a word: the first the lowest.

/// Eight zeros.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;
/// The high half of every byte.
const HIGH_HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Whether all eight are digits.
#[inline(always)]
pub(super) fn are_digits(text: u64) -> bool {
    // Six more than a digit stays below 0x40; the second term tells the six characters behind `9`.
    ((text & HIGH_HALVES) | (text.wrapping_add(0x0606_0606_0606_0606) & HIGH_HALVES) >> 4)
        == 0x3333_3333_3333_3333
}

/// What eight digits stand for.
#[inline(always)]
pub(super) fn value_of_digits(text: u64) -> u64 {
    value_of_ones(text ^ ZEROS)
}

/// What eight digits from 0 to 9 stand for: neighbours are joined to pairs, pairs to fours, fours to all eight.
#[inline(always)]
pub(super) fn value_of_ones(ones: u64) -> u64 {
    let pairs = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// Not 0 in a high bit if one of these eight is above 9.
#[inline(always)]
pub(super) fn beyond_ones(ones: u64) -> u64 {
    (ones.wrapping_add(ONES * (0x80 - 10)) | ones) & (ONES << 7)
}

/// The high bit of every byte that is `byte`, up to the first such; behind it others may be set.
#[inline(always)]
pub(super) fn bytes_equal(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_characters_are_what_they_are_one_by_one(
            text in prop_oneof!["[0-9]{8}", "[/-:]{8}", "[ -~]{8}"], byte in any::<[u8; 8]>(),
        ) {
            for bytes in [text.as_bytes().first_chunk().copied().unwrap_or(byte), byte] {
                let word = u64::from_le_bytes(bytes);
                prop_assert_eq!(are_digits(word), bytes.iter().all(u8::is_ascii_digit));
                prop_assert_eq!(are_digits(word), beyond_ones(word ^ ZEROS) == 0);
                if are_digits(word) {
                    let value = bytes.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
                    prop_assert_eq!(value_of_digits(word), value);
                }
                let first = bytes.iter().position(|&byte| byte == b'5').unwrap_or(8);
                prop_assert_eq!(bytes_equal(word, b'5').trailing_zeros() as usize / 8, first);
            }
        }
    }
}
