//! What a cell is: a number, a date, a boolean, or text.
//!
//! Numbers and dates are exactly those that filters know, blanks around them included: zone maps rest on it.
//! What a number counts as in the type of its column is a matter of taste: one with a leading zero, as in
//! `00501`, is a code and counts as text.

use crate::csv::filter::{Instant, nearest_double, trim};
use crate::csv::record::Value;

/// What a cell that is not empty is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Text,
    /// `true` or `false` in any case.
    Boolean,
    /// The nearest double.
    Number(f64, Numeral),
    Date(Instant, Precision),
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeral {
    /// Sign and digits.
    Integer,
    /// With a point or an exponent.
    Decimal,
    /// With a zero before another digit.
    Code,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Day,
    Time,
}

impl Cell {
    /// What the cell, which is not empty, is.
    #[inline(always)]
    pub(super) fn of(value: Value<'_>) -> Self {
        let cell = value.bytes;
        match (value.head >> 56) as u8 {
            b'0'..=b'9' | b'+' | b'-' | b'.' => match short_number(value) {
                Some(number) => number,
                None if is_dated(cell) => date(cell),
                None => number(cell),
            },
            b' ' | b'\t' => Self::padded(cell),
            b't' | b'T' | b'f' | b'F' if is_boolean(cell) => Self::Boolean,
            _ => Self::Text,
        }
    }

    #[cold]
    fn padded(cell: &[u8]) -> Self {
        match trim(cell) {
            [] => Self::Text,
            trimmed => Self::of(Value::alone(trimmed)),
        }
    }
}

/// Eight zeros.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// The high half of every byte.
const HIGH_HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;

/// The number that a value of at most eight bytes is, if it is sign, digits and a point and nothing else: all
/// its bytes are looked at together.
#[inline(always)]
fn short_number(value: Value<'_>) -> Option<Cell> {
    let len = value.bytes.len() as u32;
    if len > 8 {
        return None;
    }
    let first = (value.head >> 56) as u8;
    let is_signed = matches!(first, b'+' | b'-');
    let mut digits = len - u32::from(is_signed);
    // The last character in the lowest byte, no sign.
    let mut text = value.tail;
    if is_signed {
        text &= u64::MAX.checked_shr(64 - 8 * digits).unwrap_or(0);
    }
    let leading = text >> (8 * digits.saturating_sub(2));
    let mut scale = 0;
    let points = bytes_equal(text, b'.');
    let is_decimal = points != 0;
    if is_decimal {
        scale = points.trailing_zeros() / 8;
        let behind = text & ((1 << (8 * scale)) - 1);
        text = (text >> (8 * scale) >> 8) << (8 * scale) | behind;
        digits -= 1;
    }
    if digits == 0 {
        return None;
    }
    let text = text | ZEROS.checked_shl(8 * digits).unwrap_or(0);
    let are_digits =
        text & HIGH_HALVES == ZEROS && text.wrapping_add(0x0606_0606_0606_0606) & HIGH_HALVES == ZEROS;
    if !are_digits {
        return None;
    }
    let mut size = value_of_digits(text) as f64;
    if is_decimal {
        size /= POWERS_OF_TEN[scale as usize];
    }
    let number = if first == b'-' { -size } else { size };
    let is_code = (leading >> 8) as u8 == b'0' && (leading as u8).is_ascii_digit();
    let numeral = match (is_code, is_decimal) {
        (true, _) => Numeral::Code,
        (false, true) => Numeral::Decimal,
        (false, false) => Numeral::Integer,
    };
    Some(Cell::Number(number, numeral))
}

/// The high bit of every byte that is `byte`, up from the lowest such; above it others may be set.
#[inline(always)]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_where_equal = word ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & (ONES << 7)
}

/// What eight digits stand for, the last in the lowest byte.
#[inline(always)]
fn value_of_digits(text: u64) -> u64 {
    const PAIRS: u64 = 0x00FF_00FF_00FF_00FF;
    const FOURS: u64 = 0x0000_FFFF_0000_FFFF;
    let ones = text - ZEROS;
    let pairs = (ones >> 8 & PAIRS) * 10 + (ones & PAIRS);
    let fours = (pairs >> 16 & FOURS) * 100 + (pairs & FOURS);
    (fours >> 32) * 10_000 + (fours & 0xFFFF_FFFF)
}

#[inline]
fn is_boolean(cell: &[u8]) -> bool {
    let cell = trim(cell);
    if !matches!(cell.len(), 4 | 5) {
        return false;
    }
    cell.eq_ignore_ascii_case(b"true") || cell.eq_ignore_ascii_case(b"false")
}

/// Whether a cell has the hyphens of a date; no number has.
#[inline(always)]
fn is_dated(cell: &[u8]) -> bool {
    matches!(cell, [_, _, _, _, b'-', _, _, b'-', _, _, ..])
}

fn date(cell: &[u8]) -> Cell {
    const DAY_BYTES: usize = "2024-01-31".len();
    match Instant::parse(cell) {
        Some(instant) if trim(cell).len() == DAY_BYTES => Cell::Date(instant, Precision::Day),
        Some(instant) => Cell::Date(instant, Precision::Time),
        None => Cell::Text,
    }
}

/// Digits of a number that a double holds exactly, whatever they are.
const EXACT_DIGITS: usize = 15;
/// Powers of ten that doubles hold exactly, so that one division rounds correctly.
const POWERS_OF_TEN: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads a cell that starts like a number, byte by byte.
#[inline(never)]
fn number(cell: &[u8]) -> Cell {
    let digits = match cell {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    let mut mantissa = 0_u64;
    let mut point = None;
    if digits.is_empty() || digits.len() > EXACT_DIGITS + 1 {
        return long_number(cell);
    }
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            b'e' | b'E' | b' ' | b'\t' => return long_number(cell),
            _ => return Cell::Text,
        }
    }
    let count = digits.len() - usize::from(point.is_some());
    if count == 0 || count > EXACT_DIGITS {
        return long_number(cell);
    }
    let scale = point.map_or(0, |at| digits.len() - at - 1);
    let size = mantissa as f64 / POWERS_OF_TEN[scale];
    let value = if cell[0] == b'-' { -size } else { size };
    Cell::Number(value, numeral(digits, point.is_some()))
}

#[inline(always)]
fn numeral(digits: &[u8], is_decimal: bool) -> Numeral {
    match digits {
        [b'0', b'0'..=b'9', ..] => Numeral::Code,
        _ if is_decimal => Numeral::Decimal,
        _ => Numeral::Integer,
    }
}

/// A number of many digits, with an exponent, or with blanks behind it.
#[inline(never)]
fn long_number(cell: &[u8]) -> Cell {
    match nearest_double(cell) {
        None => Cell::Text,
        Some(value) => {
            let digits = trim(cell);
            let digits = digits.strip_prefix(b"+").or(digits.strip_prefix(b"-")).unwrap_or(digits);
            let is_decimal = digits.iter().any(|byte| !byte.is_ascii_digit());
            Cell::Number(value, numeral(digits, is_decimal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_are_what_filters_take_them_for() {
        for (cell, wanted) in [
            ("5", Cell::Number(5.0, Numeral::Integer)),
            ("-12", Cell::Number(-12.0, Numeral::Integer)),
            ("+12.50", Cell::Number(12.5, Numeral::Decimal)),
            (" 7\t", Cell::Number(7.0, Numeral::Integer)),
            ("7 ", Cell::Number(7.0, Numeral::Integer)),
            ("1e3", Cell::Number(1000.0, Numeral::Decimal)),
            ("0", Cell::Number(0.0, Numeral::Integer)),
            ("0.5", Cell::Number(0.5, Numeral::Decimal)),
            (".5", Cell::Number(0.5, Numeral::Decimal)),
            ("5.", Cell::Number(5.0, Numeral::Decimal)),
            ("00501", Cell::Number(501.0, Numeral::Code)),
            ("12345678901234567890", Cell::Number(12345678901234567890.0, Numeral::Integer)),
            ("true", Cell::Boolean),
            (" FALSE ", Cell::Boolean),
            ("trueish", Cell::Text),
            ("1,234", Cell::Text),
            ("-", Cell::Text),
            (".", Cell::Text),
            ("1.2.3", Cell::Text),
            (" ", Cell::Text),
            ("2023-02-29", Cell::Text),
            ("12 Main St", Cell::Text),
        ] {
            assert_eq!(Cell::of(Value::alone(cell.as_bytes())), wanted, "{cell:?}");
        }
        assert!(matches!(Cell::of(Value::alone(b"2024-02-29")), Cell::Date(_, Precision::Day)));
        assert!(matches!(Cell::of(Value::alone(b" 2024-02-29 12:00")), Cell::Date(_, Precision::Time)));
    }

    proptest! {
        #[test]
        fn a_number_is_the_nearest_double_and_nothing_else_is_one(
            cell in prop_oneof![
                "[ \t]?[+-]?[0-9]{0,18}[.]?[0-9]{0,18}([eE][+-]?[0-9]{0,3})?[ \t]?",
                "[+-]?[0-9.]{1,17}",
                "[+-]?[0-9]{0,4}[.]?[0-9]{0,4}",
                "[+-]?[0-9./:]{1,8}",
                "[0-9a-z.+ -]{0,12}",
            ],
        ) {
            let cell = cell.as_bytes();
            prop_assume!(!cell.is_empty());
            let number = match Cell::of(Value::alone(cell)) {
                Cell::Number(number, _) => Some(number.to_bits()),
                _ => None,
            };
            prop_assert_eq!(number, nearest_double(cell).map(f64::to_bits));
        }

        #[test]
        fn a_date_is_the_instant_of_filters(
            cell in "[ ]?[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][012][0-9]:[0-5][0-9](:[0-5][0-9])?Z?)?[ ]?",
        ) {
            let instant = match Cell::of(Value::alone(cell.as_bytes())) {
                Cell::Date(instant, _) => Some(instant),
                _ => None,
            };
            prop_assert_eq!(instant, Instant::parse(cell.as_bytes()));
        }
    }
}
