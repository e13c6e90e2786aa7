//! Handles eight ASCII characters at once (SIMD within a register). The characters are the bytes of a 64-bit word, and
//! the first character is the lowest byte.

/// Eight characters `0`.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;
/// The high four bits of every byte.
const HIGH_HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Whether all eight characters are digits.
#[inline(always)]
pub(super) fn are_ascii_digits(text: u64) -> bool {
    // A digit plus 6 stays below 0x40. So the second term detects the characters from `:` to `?`, which follow `9`.
    ((text & HIGH_HALVES) | (text.wrapping_add(0x0606_0606_0606_0606) & HIGH_HALVES) >> 4)
        == 0x3333_3333_3333_3333
}

/// Parses eight ASCII digits.
#[inline(always)]
pub(super) fn parse_ascii_digits(text: u64) -> u64 {
    parse_digit_values(text ^ ZEROS)
}

/// Parses eight digit values from 0 to 9. Combines digits into pairs, pairs into groups of four, and the two groups
/// into one number.
#[inline(always)]
pub(super) fn parse_digit_values(ones: u64) -> u64 {
    let pairs = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// Returns 0 if none of the eight digit values is above 9. Otherwise returns a number that is not 0.
#[inline(always)]
pub(super) fn digits_above_nine(ones: u64) -> u64 {
    (ones.wrapping_add(ONES * (0x80 - 10)) | ones) & (ONES << 7)
}

/// Minimum, maximum and sum of non-negative integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integers {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) sum: u64,
}

impl Integers {
    /// Minimum, maximum and sum of no integers.
    pub(super) const NONE: Self = Self { low: u64::MAX, high: 0, sum: 0 };

    /// Adds an integer.
    #[inline(always)]
    pub(super) fn add(&mut self, integer: u64) {
        self.low = self.low.min(integer);
        self.high = self.high.max(integer);
        self.sum += integer;
    }
}

/// Each word holds eight digit values. Replaces each word by the number that its digit values stand for. Returns the
/// minimum, the maximum and the sum of these numbers. `None` if a value is above 9.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) fn parse_short_integers(words: &mut [u64]) -> Option<Integers> {
    let mut invalid = 0;
    let mut integers = Integers::NONE;
    for word in words {
        let ones = *word;
        invalid |= digits_above_nine(ones);
        let integer = parse_digit_values(ones);
        // SAFETY: `word` is a valid reference. The write is volatile because compilers would otherwise handle several
        // words in one vector. Multiplications of 64-bit words in vectors take several times as long.
        unsafe { std::ptr::write_volatile(word, integer) };
        integers.add(integer);
    }
    (invalid == 0).then_some(integers)
}

/// Does the same as the other `parse_short_integers`, four words at a time.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) fn parse_short_integers(words: &mut [u64]) -> Option<Integers> {
    use core::arch::wasm32::*;
    let (quads, last) = words.as_chunks_mut::<4>();
    let is_short = quads.is_empty();
    let (mut beyond, mut sums) = (u8x16_splat(0), u64x2_splat(0));
    let (mut lows, mut highs) = (u32x4_splat(i32::MAX as u32), u32x4_splat(0));
    for quad in quads {
        let (integers, greatest) = vectors::integers(quad);
        beyond = u8x16_max(beyond, greatest);
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
    if vectors::has_above_9(beyond) {
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
        if digits_above_nine(*word) != 0 {
            return None;
        }
        *word = parse_digit_values(*word);
        integers.add(*word);
    }
    Some(integers)
}

/// Returns a mask of the words whose eight digit values stand for a number from `least` to `greatest`. Bit `i` stands
/// for word `i`. Both bounds are at most 10^8. `None` if a value is above 9.
#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
pub(super) fn between(words: &[u64; 64], least: u32, greatest: u32) -> Option<u64> {
    let (mut invalid, mut between) = (0, 0);
    for (at, &ones) in words.iter().enumerate() {
        invalid |= digits_above_nine(ones);
        let integer = parse_digit_values(ones);
        between |= u64::from(u64::from(least) <= integer && integer <= u64::from(greatest)) << at;
    }
    (invalid == 0).then_some(between)
}

/// Returns a mask of the words whose eight digit values stand for a number from `least` to `greatest`. Bit `i` stands
/// for word `i`. Both bounds are at most 10^8. `None` if a value is above 9. Handles four words at a time.
#[cfg(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64"))]
pub(super) fn between(words: &[u64; 64], least: u32, greatest: u32) -> Option<u64> {
    let (mut beyond, mut between) = (vectors::NONE, 0);
    for (at, quad) in words.as_chunks::<4>().0.iter().enumerate() {
        let (integers, highest) = vectors::integers(quad);
        beyond = vectors::max(beyond, highest);
        between |= u64::from(vectors::between(integers, least, greatest)) << (4 * at);
    }
    (!vectors::has_above_9(beyond)).then_some(between)
}

/// Handles four words at a time, with WebAssembly SIMD. The result for a word with a value above 9 is undefined.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use core::arch::wasm32::*;

    pub(super) const NONE: v128 = u64x2(0, 0);

    /// Returns the four numbers that the words stand for, and 16 digit values. The greatest of these 16 values is the
    /// greatest digit value of all words.
    #[inline(always)]
    pub(super) fn integers(words: &[u64; 4]) -> (v128, v128) {
        let fours = |ones: v128| {
            let pairs =
                i16x8_add(i16x8_mul(v128_and(ones, u16x8_splat(0xFF)), u16x8_splat(10)), u16x8_shr(ones, 8));
            i32x4_dot_i16x8(pairs, u32x4_splat(1 << 16 | 100))
        };
        let (first, second) = (u64x2(words[0], words[1]), u64x2(words[2], words[3]));
        let fours = i16x8_narrow_i32x4(fours(first), fours(second));
        (i32x4_dot_i16x8(fours, u32x4_splat(1 << 16 | 10_000)), u8x16_max(first, second))
    }

    #[inline(always)]
    pub(super) fn max(left: v128, right: v128) -> v128 {
        u8x16_max(left, right)
    }

    #[inline(always)]
    pub(super) fn has_above_9(digits: v128) -> bool {
        v128_any_true(u8x16_gt(digits, u8x16_splat(9)))
    }

    /// Returns a mask of the integers that are from `least` to `greatest`. Bit `i`, from 0 to 3, stands for integer
    /// `i`.
    #[inline(always)]
    pub(super) fn between(integers: v128, least: u32, greatest: u32) -> u8 {
        let outside =
            v128_or(i32x4_lt(integers, u32x4_splat(least)), i32x4_gt(integers, u32x4_splat(greatest)));
        i32x4_bitmask(outside) ^ 0xF
    }
}

/// Handles four words at a time, with SSE2, which every x86-64 CPU has. The result for a word with a value above 9 is
/// undefined.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use core::arch::x86_64::*;

    /// A vector of 16 bytes.
    type Vector = __m128i;

    // SAFETY: every bit pattern is a valid vector of integers.
    pub(super) const NONE: Vector = unsafe { std::mem::transmute::<[u64; 2], Vector>([0; 2]) };

    #[inline(always)]
    pub(super) fn integers(words: &[u64; 4]) -> (Vector, Vector) {
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe {
            let fours = |ones: Vector| {
                let tens = _mm_mullo_epi16(_mm_and_si128(ones, _mm_set1_epi16(0xFF)), _mm_set1_epi16(10));
                _mm_madd_epi16(_mm_add_epi16(tens, _mm_srli_epi16::<8>(ones)), _mm_set1_epi32(1 << 16 | 100))
            };
            let pair = |first: u64, second: u64| _mm_set_epi64x(second.cast_signed(), first.cast_signed());
            let (first, second) = (pair(words[0], words[1]), pair(words[2], words[3]));
            let fours = _mm_packs_epi32(fours(first), fours(second));
            (_mm_madd_epi16(fours, _mm_set1_epi32(1 << 16 | 10_000)), _mm_max_epu8(first, second))
        }
    }

    #[inline(always)]
    pub(super) fn max(left: Vector, right: Vector) -> Vector {
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe { _mm_max_epu8(left, right) }
    }

    #[inline(always)]
    pub(super) fn has_above_9(digits: Vector) -> bool {
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe {
            let nine = _mm_set1_epi8(9);
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(digits, nine), nine)) != 0xFFFF
        }
    }

    #[inline(always)]
    pub(super) fn between(integers: Vector, least: u32, greatest: u32) -> u8 {
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe {
            let [least, greatest] = [least, greatest].map(|bound| _mm_set1_epi32(bound.cast_signed()));
            let outside = _mm_or_si128(_mm_cmplt_epi32(integers, least), _mm_cmpgt_epi32(integers, greatest));
            _mm_movemask_ps(_mm_castsi128_ps(outside)) as u8 ^ 0xF
        }
    }
}

/// Compares each byte of `word` with `byte`. In the result, the high bit of a byte is set if the bytes are equal. Only
/// the lowest set bit is reliable; a higher bit may be set although the bytes differ. Returns 0 if no byte of `word`
/// equals `byte`.
#[inline(always)]
pub(super) fn matching_bytes(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & (ONES << 7)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn between_finds_the_same_words_as_a_check_of_each_word(
            texts in proptest::collection::vec(prop_oneof!["[0-9]{1,8}", "[0-9]{3}"], 64),
            least in 0..100_000_001_u32, greatest in 0..100_000_001_u32, changed in 0..64_usize, byte in any::<u8>(),
        ) {
            let mut words = [0; 64];
            for (word, text) in words.iter_mut().zip(&texts) {
                *word = text.bytes().fold(0, |word, byte| word >> 8 | u64::from(byte - b'0') << 56);
            }
            let numbers = texts.iter().map(|text| text.parse::<u32>().unwrap());
            for (least, greatest) in [(least, greatest), (100, 500), (0, 99_999_999), (0, 100_000_000)] {
                let holds = |number| least <= number && number <= greatest;
                let expected = numbers.clone().rev().fold(0, |bits, number| bits << 1 | u64::from(holds(number)));
                prop_assert_eq!(between(&words, least, greatest), Some(expected));
            }
            words[changed] = words[changed] >> 8 | u64::from(byte) << 56;
            prop_assert_eq!(between(&words, least, greatest).is_some(), byte <= 9);
        }

        #[test]
        fn handling_eight_characters_at_once_gives_the_same_results_as_handling_each_character(
            text in prop_oneof!["[0-9]{8}", "[/-:]{8}", "[ -~]{8}"], byte in any::<[u8; 8]>(),
        ) {
            for bytes in [text.as_bytes().first_chunk().copied().unwrap_or(byte), byte] {
                let word = u64::from_le_bytes(bytes);
                prop_assert_eq!(are_ascii_digits(word), bytes.iter().all(u8::is_ascii_digit));
                prop_assert_eq!(are_ascii_digits(word), digits_above_nine(word ^ ZEROS) == 0);
                if are_ascii_digits(word) {
                    let value = bytes.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
                    prop_assert_eq!(parse_ascii_digits(word), value);
                }
                let first = bytes.iter().position(|&byte| byte == b'5').unwrap_or(8);
                prop_assert_eq!(matching_bytes(word, b'5').trailing_zeros() as usize / 8, first);
            }
        }
    }
}
