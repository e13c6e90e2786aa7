//! Cells of up to eight bytes, stored in one 64-bit word. Most numbers, codes and flags are that short. A few
//! instructions compare such a word or parse it as a number, without a branch on the length of the cell.

/// A cell of one to eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortCell {
    /// The bytes of the cell. The last byte of the cell is in the highest byte of the word. If the cell is shorter than
    /// the word, the lowest bytes of the word are zero.
    word: u64,
    bytes: u32,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = ONES << 7;

impl ShortCell {
    /// Maximum number of bytes that a short cell has.
    pub const MAX_BYTES: usize = 8;

    /// Creates a cell of `bytes` bytes (1 to 8) from the lowest bytes of the word `at_start`. The other bytes of the
    /// word may have any value.
    #[inline(always)]
    pub fn new(at_start: u64, bytes: u32) -> Self {
        debug_assert!((1..=8).contains(&bytes));
        Self { word: at_start << (u64::BITS - u8::BITS * bytes), bytes }
    }

    /// Creates a cell from the field at the range `place` in `text`. If the field has quotes, the cell has them too.
    /// `None` if the field is empty or longer than eight bytes, or if `text` ends less than eight bytes after the start
    /// of the field.
    #[inline(always)]
    pub fn within(text: &[u8], place: std::ops::Range<usize>) -> Option<Self> {
        let bytes = place.end.wrapping_sub(place.start);
        // Loads eight bytes for every length, because this needs no branch.
        let at_start = text.get(place.start..place.start.wrapping_add(Self::MAX_BYTES))?.first_chunk()?;
        let is_short = bytes.wrapping_sub(1) < Self::MAX_BYTES;
        is_short.then(|| Self::new(u64::from_le_bytes(*at_start), bytes as u32))
    }

    /// Parses the cell as a number. Returns all its digits as an integer, and the number of digits after the decimal
    /// point. `None` if the cell is not a number. Also `None` if the cell has spaces, quotes or an exponent: such a
    /// cell needs the full parser.
    #[inline(always)]
    pub(in crate::csv) fn number(self) -> Option<(i64, usize)> {
        match parse_digit_values(self.digits()) {
            Some(whole) => Some((whole, 0)),
            None => self.decimal(),
        }
    }

    /// Parses the cell as a whole number without a sign. `None` if a byte of the cell is not a digit.
    #[inline(always)]
    pub(in crate::csv) fn whole(self) -> Option<u64> {
        parse_digit_values(self.digits()).map(i64::cast_unsigned)
    }

    /// Returns the bytes as digit values: a digit becomes its value, and any other byte becomes a value above 9. The
    /// unused lower bytes are zero.
    #[inline(always)]
    pub(in crate::csv) fn digits(self) -> u64 {
        self.word ^ ((ONES * u64::from(b'0')) << (u64::BITS - u8::BITS * self.bytes))
    }

    /// Parses a number with a sign or a decimal point.
    #[inline(never)]
    fn decimal(self) -> Option<(i64, usize)> {
        let first = (self.word >> (u64::BITS - u8::BITS * self.bytes)) as u8;
        let mut bytes = self.bytes - u32::from(matches!(first, b'+' | b'-'));
        // Replaces the sign with a zero.
        let mut digits = self.digits() & u64::MAX.checked_shl(u64::BITS - u8::BITS * bytes).unwrap_or(0);
        let mut scale = 0;
        let points = digits ^ (ONES * u64::from(b'.' ^ b'0'));
        let is_point = points.wrapping_sub(ONES) & !points & HIGH_BITS;
        if is_point != 0 {
            // Moves the digits before the point one byte up, so that they overwrite the point. The lowest set bit of
            // `is_point` is exact; higher bits may be wrong.
            let place = is_point.trailing_zeros() & !7;
            let before = digits & ((1 << place) - 1);
            digits = digits & (u64::MAX << place << u8::BITS) | before << u8::BITS;
            scale = 7 - place as usize / 8;
            bytes -= 1;
        }
        let number = parse_digit_values(digits).filter(|_| bytes > 0)?;
        Some((if first == b'-' { -number } else { number }, scale))
    }
}

/// Returns the number whose eight digit values are the bytes of `digits`. The first digit is in the lowest byte. `None`
/// if a value is above 9.
#[inline(always)]
fn parse_digit_values(digits: u64) -> Option<i64> {
    if (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & HIGH_BITS != 0 {
        return None;
    }
    // Combines neighbours: digits into pairs, pairs into groups of four, and the two groups into one number.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Parses `text` as a cell. `following` is the value of all bytes after the cell, which must not change the result.
    fn number(text: &str, following: u8) -> Option<(i64, usize)> {
        let mut bytes = [following; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        ShortCell::new(u64::from_le_bytes(bytes), text.len() as u32).number()
    }

    /// Parses `text` with the standard library.
    fn parsed(text: &str) -> Option<(i64, usize)> {
        let (sign, size) = match text.strip_prefix(['+', '-']) {
            Some(size) => (if text.starts_with('-') { -1 } else { 1 }, size),
            None => (1, text),
        };
        let scale = size.find('.').map_or(0, |at| size.len() - at - 1);
        let digits = size.replacen('.', "", 1);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (sign * digits.parse::<i64>().unwrap(), scale))
    }

    #[test]
    fn only_digits_with_an_optional_sign_and_an_optional_decimal_point_are_parsed() {
        for (text, wanted) in [
            ("0", Some((0, 0))),
            ("00000007", Some((7, 0))),
            ("99999999", Some((99_999_999, 0))),
            ("-1.5", Some((-15, 1))),
            ("+.5", Some((5, 1))),
            ("5.", Some((5, 0))),
            ("-1234567", Some((-1_234_567, 0))),
            (".1234567", Some((1_234_567, 7))),
            ("-0", Some((0, 0))),
            (".", None),
            ("-", None),
            ("-.", None),
            ("1.2.3", None),
            ("1..", None),
            ("--1", None),
            ("1-", None),
            (" 1", None),
            ("1e3", None),
            ("12:30", None),
            ("1/2", None),
            ("½", None),
            ("\"5\"", None),
            ("\"-.5\"", None),
        ] {
            assert_eq!(number(text, b','), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_short_cell_and_the_standard_library_parse_the_same_numbers(
            text in prop_oneof!["[+-]?[0-9]{0,7}", "[-+0-9.:/ e]{1,8}", "[+-]?[0-9]{0,3}[.][0-9]{0,3}", "\\PC{1,2}"],
            following in any::<u8>(),
        ) {
            prop_assume!((1..=8).contains(&text.len()));
            prop_assert_eq!(number(&text, following), parsed(&text));
        }
    }
}
