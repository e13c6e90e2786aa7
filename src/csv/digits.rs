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

/// Integers that are not negative: the least, the greatest, and all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integers {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) sum: u64,
}

impl Integers {
    /// Of no integer.
    pub(super) const NONE: Self = Self { low: u64::MAX, high: 0, sum: 0 };

    /// Adds an integer.
    #[inline(always)]
    pub(super) fn add(&mut self, integer: u64) {
        self.low = self.low.min(integer);
        self.high = self.high.max(integer);
        self.sum += integer;
    }
}

/// What each of these eight digits from 0 to 9 stands for, in their place; `None` if some are no digits.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) fn short_integers(words: &mut [u64]) -> Option<Integers> {
    let mut odd = 0;
    let mut integers = Integers::NONE;
    for word in words {
        let ones = *word;
        odd |= beyond_ones(ones);
        let integer = value_of_ones(ones);
        // SAFETY: the word is a valid place. The write is volatile because compilers otherwise take several words at a
        // time, and multiply them in vectors at several times the cost.
        unsafe { std::ptr::write_volatile(word, integer) };
        integers.add(integer);
    }
    (odd == 0).then_some(integers)
}

/// The same, four at a time.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) fn short_integers(words: &mut [u64]) -> Option<Integers> {
    use core::arch::wasm32::*;
    let fours = |ones: v128| {
        let pairs =
            i16x8_add(i16x8_mul(v128_and(ones, u16x8_splat(0xFF)), u16x8_splat(10)), u16x8_shr(ones, 8));
        i32x4_dot_i16x8(pairs, u32x4_splat(1 << 16 | 100))
    };
    let (quads, last) = words.as_chunks_mut::<4>();
    let is_short = quads.is_empty();
    let (mut beyond, mut sums) = (u8x16_splat(0), u64x2_splat(0));
    let (mut lows, mut highs) = (u32x4_splat(i32::MAX as u32), u32x4_splat(0));
    for quad in quads {
        let (first, second) = (u64x2(quad[0], quad[1]), u64x2(quad[2], quad[3]));
        beyond = u8x16_max(beyond, u8x16_max(first, second));
        let integers =
            i32x4_dot_i16x8(i16x8_narrow_i32x4(fours(first), fours(second)), u32x4_splat(1 << 16 | 10_000));
        (lows, highs) = (i32x4_min(lows, integers), i32x4_max(highs, integers));
        let [low, high] = [u64x2_extend_low_u32x4(integers), u64x2_extend_high_u32x4(integers)];
        sums = i64x2_add(sums, i64x2_add(low, high));
        *quad = [
            u64x2_extract_lane::<0>(low),
            u64x2_extract_lane::<1>(low),
            u64x2_extract_lane::<0>(high),
            u64x2_extract_lane::<1>(high),
        ];
    }
    if v128_any_true(u8x16_gt(beyond, u8x16_splat(9))) {
        return None;
    }
    let mut integers = Integers::NONE;
    if !is_short {
        let least = i32x4_min(lows, i32x4_shuffle::<2, 3, 0, 1>(lows, lows));
        let greatest = i32x4_max(highs, i32x4_shuffle::<2, 3, 0, 1>(highs, highs));
        integers = Integers {
            low: u32x4_extract_lane::<0>(least).min(u32x4_extract_lane::<1>(least)).into(),
            high: u32x4_extract_lane::<0>(greatest).max(u32x4_extract_lane::<1>(greatest)).into(),
            sum: u64x2_extract_lane::<0>(sums) + u64x2_extract_lane::<1>(sums),
        };
    }
    for word in last {
        if beyond_ones(*word) != 0 {
            return None;
        }
        *word = value_of_ones(*word);
        integers.add(*word);
    }
    Some(integers)
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
