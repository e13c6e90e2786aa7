//! Classifies a cell: number, date, boolean, a word for a missing value, or text.
//!
//! Filters and zone maps must agree on which cells are numbers and which are dates, even if blanks surround the value.
//! Otherwise, pruning would skip rows that match. For the type of a column, a number with a leading zero, such as
//! `00501`, is a code and counts as text.

use crate::csv::filter::{Instant, nearest_double, trim};
use crate::csv::record::value::{Value, WORD_BYTES};
use crate::csv::swar_digits::{ZEROS, are_ascii_digits, matching_bytes, parse_ascii_digits};

/// The kind of a non-empty cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Text,
    /// A word for a missing value, such as `NA` ([`is_missing`]).
    Missing,
    /// `true` or `false`, ignoring case.
    Boolean,
    /// A number: the nearest double, and how the number is written.
    Number(f64, Numeral),
    Date(Instant, Precision),
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeral {
    /// With digits only, or a sign and digits.
    Integer,
    /// With a decimal point or an exponent.
    Decimal,
    /// With a zero as the first of several digits, such as `007`.
    Code,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Day,
    Time,
}

impl Cell {
    /// Classifies a non-empty cell.
    #[inline(always)]
    pub(super) fn classify(value: Value<'_>) -> Self {
        match value.head as u8 {
            b'0'..=b'9' | b'+' | b'-' | b'.' => {
                if value.bytes.len() <= WORD_BYTES {
                    short_number(value.head, value.bytes.len() as u32).unwrap_or_else(|| number(value.bytes))
                } else {
                    long_cell(value)
                }
            }
            b' ' | b'\t' => Self::padded(value.bytes),
            b'n' | b'N' | b'?' | b'#' if is_missing(value) => Self::Missing,
            _ if is_boolean(value) => Self::Boolean,
            _ => Self::Text,
        }
    }

    #[cold]
    fn padded(cell: &[u8]) -> Self {
        match trim(cell) {
            [] => Self::Text,
            trimmed => Self::classify(Value::new(trimmed)),
        }
    }
}

/// Classifies a cell that starts like a number and has more than eight bytes.
#[inline(never)]
fn long_cell(value: Value<'_>) -> Cell {
    if has_date_hyphens(value) {
        return date(value.bytes);
    }
    match value.bytes.len() {
        ..=MEDIUM_BYTES => medium_number(value).unwrap_or_else(|| number(value.bytes)),
        _ => number(value.bytes),
    }
}

/// Parses a text of `len` bytes (at most eight): digits with an optional sign and an optional decimal point. All bytes
/// are checked at once. `None` for any other text.
#[inline(always)]
pub(super) fn short_number(text: u64, len: u32) -> Option<Cell> {
    let first = text as u8;
    let is_signed = matches!(first, b'+' | b'-');
    let mut text = text >> (8 * u32::from(is_signed));
    let mut digits = len - u32::from(is_signed);
    let start = text as u16;
    let points = matching_bytes(text, b'.');
    let mut scale = 0;
    if points != 0 {
        let whole = points.trailing_zeros() / 8;
        let before = (1_u64 << (8 * whole)) - 1;
        text = text & before | text >> 8 & !before;
        digits -= 1;
        scale = digits - whole;
    }
    if digits == 0 {
        return None;
    }
    let text = text << (64 - 8 * digits) | ZEROS.checked_shr(8 * digits).unwrap_or(0);
    are_ascii_digits(text).then(|| make_number(parse_ascii_digits(text), scale, points != 0, first, start))
}

/// Bytes in two words.
const MEDIUM_BYTES: usize = 2 * WORD_BYTES;

/// Does the same as [`short_number`], for nine to sixteen bytes.
#[inline(always)]
fn medium_number(value: Value<'_>) -> Option<Cell> {
    let first = value.head as u8;
    let is_signed = matches!(first, b'+' | b'-');
    let mut text = (u128::from(value.rest()) << 64 | u128::from(value.head)) >> (8 * u32::from(is_signed));
    let mut digits = value.bytes.len() as u32 - u32::from(is_signed);
    let start = text as u16;
    let whole = match (matching_bytes(text as u64, b'.'), matching_bytes((text >> 64) as u64, b'.')) {
        (0, 0) => None,
        (0, points) => Some(8 + points.trailing_zeros() / 8),
        (points, _) => Some(points.trailing_zeros() / 8),
    };
    let mut scale = 0;
    if let Some(whole) = whole {
        let before = (1_u128 << (8 * whole)) - 1;
        text = text & before | text >> 8 & !before;
        digits -= 1;
        scale = digits - whole;
    }
    if digits as usize > EXACT_DIGITS {
        return None;
    }
    let zeros = u128::from(ZEROS) << 64 | u128::from(ZEROS);
    let text = text << (128 - 8 * digits) | zeros >> (8 * digits);
    let (high, low) = (text as u64, (text >> 64) as u64);
    (are_ascii_digits(high) && are_ascii_digits(low)).then(|| {
        let mantissa = parse_ascii_digits(high) * 100_000_000 + parse_ascii_digits(low);
        make_number(mantissa, scale, whole.is_some(), first, start)
    })
}

/// Makes a number from `mantissa`, with `scale` digits after the decimal point. `first` is the first byte of the cell.
/// `start` holds the first two bytes after the sign, or the first two bytes of a cell without a sign.
#[inline(always)]
fn make_number(mantissa: u64, scale: u32, is_decimal: bool, first: u8, start: u16) -> Cell {
    let mut size = mantissa as f64;
    if is_decimal {
        size /= POWERS_OF_TEN[scale as usize];
    }
    let number = if first == b'-' { -size } else { size };
    let is_code = start as u8 == b'0' && ((start >> 8) as u8).is_ascii_digit();
    let numeral = match (is_code, is_decimal) {
        (true, _) => Numeral::Code,
        (false, true) => Numeral::Decimal,
        (false, false) => Numeral::Integer,
    };
    Cell::Number(number, numeral)
}

/// Whether the value is `true` or `false`, ignoring case, with optional blanks after it.
#[inline(always)]
pub(super) fn is_boolean(value: Value<'_>) -> bool {
    may_be_boolean(value.head) && is_whole_boolean(value.bytes)
}

/// Whether a value with this head can be a boolean.
#[inline(always)]
pub(super) fn may_be_boolean(head: u64) -> bool {
    const LOWER: u32 = 0x2020_2020;
    let start = head as u32 | LOWER;
    (start == u32::from_le_bytes(*b"true")) | (start == u32::from_le_bytes(*b"fals"))
}

/// The words for a missing value, in lower case.
const MISSING_WORDS: [&[u8]; 8] = [b"na", b"n/a", b"nan", b"null", b"none", b"-", b"?", b"#n/a"];

/// Whether the value is a word for a missing value, ignoring case, with optional blanks after it. `classify` decides
/// whether a hyphen is such a word, because a hyphen can begin a number.
#[inline(always)]
pub(super) fn is_missing(value: Value<'_>) -> bool {
    may_be_missing(value.head) && is_missing_word(value.bytes)
}

/// Whether a value with this head can be a word for a missing value.
#[inline(always)]
pub(super) fn may_be_missing(head: u64) -> bool {
    const LOWER: u32 = 0x2020_2020;
    const LONG: [u32; 3] =
        [u32::from_le_bytes(*b"null"), u32::from_le_bytes(*b"none"), u32::from_le_bytes(*b"#n/a")];
    /// The first two letters of the shorter words.
    const SHORT: [u16; 2] = [u16::from_le_bytes(*b"na"), u16::from_le_bytes(*b"n/")];
    let start = head as u32 | LOWER;
    let is_long = LONG.into_iter().fold(false, |any, word| any | (start == word));
    SHORT.into_iter().fold(is_long | (head as u8 == b'?'), |any, word| any | (start as u16 == word))
}

#[inline(never)]
fn is_missing_word(cell: &[u8]) -> bool {
    let cell = trim(cell);
    MISSING_WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

fn is_whole_boolean(cell: &[u8]) -> bool {
    let cell = trim(cell);
    if !matches!(cell.len(), 4 | 5) {
        return false;
    }
    cell.eq_ignore_ascii_case(b"true") || cell.eq_ignore_ascii_case(b"false")
}

/// Whether the cell has hyphens at the positions at which a date has hyphens. A number has no hyphens at these
/// positions.
#[inline(always)]
fn has_date_hyphens(value: Value<'_>) -> bool {
    const HYPHENS: u64 = (b'-' as u64) << 56 | (b'-' as u64) << 32;
    value.head & (0xFF << 56 | 0xFF << 32) == HYPHENS && value.bytes.len() >= 10
}

fn date(cell: &[u8]) -> Cell {
    const DAY_BYTES: usize = "2024-01-31".len();
    match Instant::parse(cell) {
        Some(instant) if trim(cell).len() == DAY_BYTES => Cell::Date(instant, Precision::Day),
        Some(instant) => Cell::Date(instant, Precision::Time),
        None => Cell::Text,
    }
}

/// A double represents an integer exactly if the integer has at most this number of digits.
const EXACT_DIGITS: usize = 15;
/// Powers of ten. A double holds each of them exactly, so a single division by one of them rounds correctly.
const POWERS_OF_TEN: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Parses a cell that starts like a number, byte by byte.
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

/// Parses a number with many digits, with an exponent, or with blanks after it.
#[inline(never)]
fn long_number(cell: &[u8]) -> Cell {
    match nearest_double(cell) {
        None if is_missing_word(cell) => Cell::Missing,
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
    fn cells_are_classified_by_their_kind() {
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
            ("-", Cell::Missing),
            ("- ", Cell::Missing),
            (" NA", Cell::Missing),
            ("n/a", Cell::Missing),
            ("NaN\t", Cell::Missing),
            ("NULL", Cell::Missing),
            ("None", Cell::Missing),
            ("#N/A", Cell::Missing),
            ("?", Cell::Missing),
            ("nano", Cell::Text),
            ("na na", Cell::Text),
            ("--", Cell::Text),
            ("nil", Cell::Text),
            (".", Cell::Text),
            ("1.2.3", Cell::Text),
            (" ", Cell::Text),
            ("2023-02-29", Cell::Text),
            ("12 Main St", Cell::Text),
        ] {
            assert_eq!(Cell::classify(Value::new(cell.as_bytes())), wanted, "{cell:?}");
        }
        assert!(matches!(Cell::classify(Value::new(b"2024-02-29")), Cell::Date(_, Precision::Day)));
        assert!(matches!(Cell::classify(Value::new(b" 2024-02-29 12:00")), Cell::Date(_, Precision::Time)));
    }

    proptest! {
        #[test]
        fn filters_and_profiles_recognise_the_same_numbers(
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
            let number = match Cell::classify(Value::new(cell)) {
                Cell::Number(number, _) => Some(number.to_bits()),
                _ => None,
            };
            prop_assert_eq!(number, nearest_double(cell).map(f64::to_bits));
        }

        #[test]
        fn filters_and_profiles_recognise_the_same_dates(
            cell in "[ ]?[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][012][0-9]:[0-5][0-9](:[0-5][0-9])?Z?)?[ ]?",
        ) {
            let instant = match Cell::classify(Value::new(cell.as_bytes())) {
                Cell::Date(instant, _) => Some(instant),
                _ => None,
            };
            prop_assert_eq!(instant, Instant::parse(cell.as_bytes()));
        }
    }
}
