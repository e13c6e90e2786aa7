//! What a cell is: a number, a date, a boolean, or text.
//!
//! Numbers and dates are exactly those that filters know, blanks around them included: zone maps rest on it.
//! What a number counts as in the type of its column is a matter of taste: one with a leading zero, as in
//! `00501`, is a code and counts as text.

use crate::csv::filter::{Instant, nearest_double, trim};

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
    /// What `cell` is.
    #[inline]
    pub(super) fn of(cell: &[u8]) -> Self {
        match cell.first() {
            Some(b'0'..=b'9') if is_dated(cell) => date(cell),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(cell),
            Some(b' ' | b'\t') => Self::padded(cell),
            Some(b't' | b'T' | b'f' | b'F') if is_boolean(cell) => Self::Boolean,
            _ => Self::Text,
        }
    }

    #[cold]
    fn padded(cell: &[u8]) -> Self {
        match trim(cell) {
            [] => Self::Text,
            trimmed => Self::of(trimmed),
        }
    }
}

fn is_boolean(cell: &[u8]) -> bool {
    let cell = trim(cell);
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

/// Reads a cell that starts like a number.
#[inline]
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
            assert_eq!(Cell::of(cell.as_bytes()), wanted, "{cell:?}");
        }
        assert!(matches!(Cell::of(b"2024-02-29"), Cell::Date(_, Precision::Day)));
        assert!(matches!(Cell::of(b" 2024-02-29 12:00"), Cell::Date(_, Precision::Time)));
    }

    proptest! {
        #[test]
        fn a_number_is_the_nearest_double_and_nothing_else_is_one(
            cell in prop_oneof![
                "[ \t]?[+-]?[0-9]{0,18}[.]?[0-9]{0,18}([eE][+-]?[0-9]{0,3})?[ \t]?",
                "[+-]?[0-9.]{1,17}",
                "[0-9a-z.+ -]{0,12}",
            ],
        ) {
            let cell = cell.as_bytes();
            prop_assume!(!cell.is_empty());
            let number = match Cell::of(cell) {
                Cell::Number(number, _) => Some(number.to_bits()),
                _ => None,
            };
            prop_assert_eq!(number, nearest_double(cell).map(f64::to_bits));
        }

        #[test]
        fn a_date_is_the_instant_of_filters(
            cell in "[ ]?[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][012][0-9]:[0-5][0-9](:[0-5][0-9])?Z?)?[ ]?",
        ) {
            let instant = match Cell::of(cell.as_bytes()) {
                Cell::Date(instant, _) => Some(instant),
                _ => None,
            };
            prop_assert_eq!(instant, Instant::parse(cell.as_bytes()));
        }
    }
}
