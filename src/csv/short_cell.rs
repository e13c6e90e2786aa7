//! Cells of up to eight bytes, as one word each: most numbers, codes and flags are that short, and a word is compared or
//! read as a number in a handful of instructions, without a guess at how long it is.

/// A cell of one to eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortCell {
    /// The bytes, the last one highest; below the first there are zeros.
    word: u64,
    bytes: u32,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = ONES << 7;

impl ShortCell {
    /// The most bytes it has.
    pub const MAX_BYTES: usize = 8;

    /// The cell of the `bytes` (one to eight) lowest bytes of a word, whatever the others are.
    #[inline(always)]
    pub fn new(at_start: u64, bytes: u32) -> Self {
        debug_assert!((1..=8).contains(&bytes));
        Self { word: at_start << (u64::BITS - u8::BITS * bytes), bytes }
    }

    /// The cell at `place` in `text`, with its quotes if it has some; none, too, if nothing stands behind it to be read
    /// along.
    #[inline(always)]
    pub fn within(text: &[u8], place: std::ops::Range<usize>) -> Option<Self> {
        let bytes = place.end.wrapping_sub(place.start);
        // One load, however long the cell is.
        let at_start = text.get(place.start..place.start.wrapping_add(Self::MAX_BYTES))?.first_chunk()?;
        let is_short = bytes.wrapping_sub(1) < Self::MAX_BYTES;
        is_short.then(|| Self::new(u64::from_le_bytes(*at_start), bytes as u32))
    }

    /// The number that the cell is, as an integer and how many of its digits stand behind the point. `None` if it is
    /// none, and where that takes a closer look: blanks around it, quotes, an exponent.
    #[inline(always)]
    pub(in crate::csv) fn number(self) -> Option<(i64, usize)> {
        match parse_digit_values(self.digits()) {
            Some(whole) => Some((whole, 0)),
            None => self.decimal(),
        }
    }

    /// The number that the cell is if it has digits only.
    #[inline(always)]
    pub(in crate::csv) fn whole(self) -> Option<u64> {
        parse_digit_values(self.digits()).map(i64::cast_unsigned)
    }

    /// The bytes as digits: what is a digit becomes its value, anything else more than 9. In front are zeros.
    #[inline(always)]
    pub(in crate::csv) fn digits(self) -> u64 {
        self.word ^ ((ONES * u64::from(b'0')) << (u64::BITS - u8::BITS * self.bytes))
    }

    /// The number that has a sign or a point.
    #[inline(never)]
    fn decimal(self) -> Option<(i64, usize)> {
        let first = (self.word >> (u64::BITS - u8::BITS * self.bytes)) as u8;
        let mut bytes = self.bytes - u32::from(matches!(first, b'+' | b'-'));
        // A sign becomes one more zero in front.
        let mut digits = self.digits() & u64::MAX.checked_shl(u64::BITS - u8::BITS * bytes).unwrap_or(0);
        let mut scale = 0;
        let points = digits ^ (ONES * u64::from(b'.' ^ b'0'));
        let is_point = points.wrapping_sub(ONES) & !points & HIGH_BITS;
        if is_point != 0 {
            // What stands before the point takes its place; the lowest bit set is exact, whatever is above it.
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

/// The number whose eight digits these bytes are, the first one lowest; `None` if one of them is above 9.
#[inline(always)]
fn parse_digit_values(digits: u64) -> Option<i64> {
    if (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & HIGH_BITS != 0 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to all eight.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// What lies behind the cell must not matter.
    fn number(text: &str, behind: u8) -> Option<(i64, usize)> {
        let mut bytes = [behind; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        ShortCell::new(u64::from_le_bytes(bytes), text.len() as u32).number()
    }

    /// The same by the standard library.
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
    fn signs_and_points_are_read_and_all_else_is_left_to_others() {
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
        fn every_short_text_is_the_number_it_reads_as(
            text in prop_oneof!["[+-]?[0-9]{0,7}", "[-+0-9.:/ e]{1,8}", "[+-]?[0-9]{0,3}[.][0-9]{0,3}", "\\PC{1,2}"],
            behind in any::<u8>(),
        ) {
            prop_assume!((1..=8).contains(&text.len()));
            prop_assert_eq!(number(&text, behind), parsed(&text));
        }
    }
}
