//! Numbers in cells, compared exactly.
//!
//! A number is `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?` once spaces and tabs around it are trimmed; `1,234`,
//! `0x10`, `NaN` and `2024-01-01` are not numbers. Up to 18 digits are compared as an integer and a scale.
//! Anything longer, or with an exponent, is compared digit by digit where it stands, which is exact too and
//! spares a conversion to floating point that would make `9007199254740993` equal to `9007199254740992`.

use super::ShortCell;
use std::cmp::Ordering;

/// Digits that a mantissa can hold: 10^18 < 2^63.
const SMALL_DIGITS: usize = 18;
/// By exponent; a table because `pow` would loop for every cell.
const POWERS_OF_TEN: [i64; SMALL_DIGITS + 1] = {
    let mut powers = [1; SMALL_DIGITS + 1];
    let mut exponent = 1;
    while exponent <= SMALL_DIGITS {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};
/// Exponents beyond this (far more than a cell has digits) all count as this.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000_000;

/// A number to compare cells with.
#[derive(Debug, Clone)]
pub(super) struct NumberBound {
    text: Box<[u8]>,
    small: Option<Small>,
    /// By the digits a short cell has behind its point.
    steps: [Step; 8],
}

impl NumberBound {
    /// The number that `text` is, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let literal = Literal::parse(text)?;
        let steps = [0, 1, 2, 3, 4, 5, 6, 7].map(|scale| literal.step(scale));
        Some(Self { text: text.into(), small: Small::parse(trim(text)), steps })
    }

    /// As [`NumberBound::compare`]; `None` also when it takes a closer look to tell.
    #[inline(always)]
    pub(super) fn compare_short(&self, cell: ShortCell) -> Option<Ordering> {
        if let Some(whole) = digits(cell) {
            return Some(self.steps[0].order_of(whole));
        }
        let (number, scale) = decimal(cell)?;
        Some(self.steps.get(scale)?.order_of(number))
    }

    /// How the number in `cell` compares with this one; `None` when `cell` is not a number.
    #[inline]
    pub(super) fn compare(&self, cell: &[u8]) -> Option<Ordering> {
        let cell = trim(cell);
        if let Some(bound) = self.small
            && let Some(cell) = Small::parse(cell)
        {
            return Some(cell.cmp(bound));
        }
        Some(Literal::parse(cell)?.cmp(&Literal::parse(&self.text)?))
    }
}

/// Where a bound lies among the multiples of a power of ten.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The last multiple that is not above the bound (far beyond any short cell at most).
    floor: i64,
    /// Whether the bound is that multiple.
    is_exact: bool,
}

impl Step {
    #[inline(always)]
    fn order_of(self, number: i64) -> Ordering {
        match number.cmp(&self.floor) {
            Ordering::Equal if !self.is_exact => Ordering::Less,
            order => order,
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = ONES << 7;

/// The number that a cell is, if all of it is digits.
#[inline(always)]
fn digits(cell: ShortCell) -> Option<i64> {
    // Only bytes of the cell lose the bits that make a digit a character; the zeros below stay leading zeros.
    value_of_digits(cell.word ^ ((ONES * u64::from(b'0')) << (u64::BITS - u8::BITS * cell.bytes)))
}

/// The number whose eight digits these bytes are, the lowest first; `None` if one of them is above 9.
#[inline(always)]
fn value_of_digits(digits: u64) -> Option<i64> {
    if (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & HIGH_BITS != 0 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to all eight.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF) as i64)
}

/// The number that a cell is that has a sign or a point, as an integer and how many of its digits stand behind
/// the point.
#[inline]
fn decimal(cell: ShortCell) -> Option<(i64, usize)> {
    let ShortCell { word, mut bytes } = cell;
    let first = (word >> (u64::BITS - u8::BITS * bytes)) as u8;
    bytes -= u32::from(matches!(first, b'+' | b'-'));
    // Bytes that are no digits of the number become zeros in front.
    let behind_first = |bytes: u32| u64::MAX.checked_shl(u64::BITS - u8::BITS * bytes).unwrap_or(0);
    let mut digits = (word ^ (ONES * u64::from(b'0'))) & behind_first(bytes);
    let points = digits ^ (ONES * u64::from(b'.' ^ b'0'));
    let mut scale = 0;
    let is_point = points.wrapping_sub(ONES) & !points & HIGH_BITS;
    if is_point != 0 {
        let place = is_point.trailing_zeros() & !7;
        let before = digits & ((1 << place) - 1);
        digits = digits & (u64::MAX << place << 8) | before << 8;
        scale = 7 - place / 8;
        bytes -= 1;
    }
    let number = value_of_digits(digits).filter(|_| bytes > 0)?;
    Some((if first == b'-' { -number } else { number }, scale as usize))
}

/// `mantissa` × 10^-`scale`.
#[derive(Debug, Clone, Copy)]
struct Small {
    mantissa: i64,
    scale: u8,
}

impl Small {
    /// Reads trimmed text without an exponent and with at most [`SMALL_DIGITS`] digits.
    #[inline]
    fn parse(text: &[u8]) -> Option<Self> {
        let (negative, digits) = split_sign(text);
        if digits.is_empty() || digits.len() > SMALL_DIGITS + 1 {
            return None;
        }
        let mut mantissa = 0_i64;
        let mut point = None;
        for (at, &byte) in digits.iter().enumerate() {
            match byte {
                // At most 19 digits: no overflow; the count is checked below.
                b'0'..=b'9' => mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
                b'.' if point.is_none() => point = Some(at),
                _ => return None,
            }
        }
        let count = digits.len() - usize::from(point.is_some());
        if count == 0 || count > SMALL_DIGITS {
            return None;
        }
        let scale = point.map_or(0, |at| digits.len() - at - 1);
        let mantissa = if negative { -mantissa } else { mantissa };
        Some(Self { mantissa, scale: u8::try_from(scale).ok()? })
    }

    #[inline]
    fn cmp(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let scale = self.scale.max(other.scale);
        self.at_scale(scale).cmp(&other.at_scale(scale))
    }

    /// The mantissa at a larger scale, below 10^36 as both are at most 18.
    fn at_scale(self, scale: u8) -> i128 {
        i128::from(self.mantissa) * i128::from(POWERS_OF_TEN[usize::from(scale - self.scale)])
    }
}

/// A number as its digits stand in the text.
struct Literal<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Literal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = split_sign(trim(text));
        let (integer, text) = split_digits(text);
        let (fraction, text) = match text.split_first() {
            Some((b'.', rest)) => split_digits(rest),
            _ => (&[] as &[u8], text),
        };
        let exponent = match text.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => parse_exponent(rest)?,
            Some(_) => return None,
        };
        let has_digits = !integer.is_empty() || !fraction.is_empty();
        has_digits.then_some(Self { negative, integer, fraction, exponent })
    }

    /// The digits from the first that is not zero, and the power of ten above it; `None` for zero.
    fn significant(&self) -> Option<(i64, impl Iterator<Item = u8>)> {
        let digits = || self.integer.iter().chain(self.fraction).copied();
        let first = digits().position(|digit| digit != b'0')?;
        // Slices are shorter than isize::MAX, so the casts keep the value.
        let magnitude = self.integer.len() as i64 - first as i64 + self.exponent;
        Some((magnitude, digits().skip(first)))
    }

    /// Where the number lies among the multiples of 10^-`scale`.
    fn step(&self, scale: i64) -> Step {
        let Some((magnitude, mut digits)) = self.significant() else {
            return Step { floor: 0, is_exact: true };
        };
        let beyond = if self.negative { i64::MIN } else { i64::MAX };
        let whole_digits = magnitude.saturating_add(scale);
        if whole_digits > SMALL_DIGITS as i64 {
            return Step { floor: beyond, is_exact: false };
        }
        let whole = (0..whole_digits).fold(0, |whole: i64, _| {
            whole * 10 + i64::from(digits.next().unwrap_or(b'0') - b'0')
        });
        let is_exact = digits.all(|digit| digit == b'0') && (whole_digits >= 0);
        let floor = if self.negative { -whole - i64::from(!is_exact) } else { whole };
        Step { floor, is_exact }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = match (self.significant(), other.significant()) {
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return below_zero(self.negative),
            (None, Some(_)) => return below_zero(other.negative).reverse(),
            (Some(mine), Some(theirs)) => (mine, theirs),
        };
        if self.negative != other.negative {
            return below_zero(self.negative);
        }
        let size = mine.0.cmp(&theirs.0).then_with(|| cmp_digits(mine.1, theirs.1));
        if self.negative { size.reverse() } else { size }
    }
}

fn below_zero(negative: bool) -> Ordering {
    if negative { Ordering::Less } else { Ordering::Greater }
}

/// Compares digits after the same point; the shorter goes on with zeros.
fn cmp_digits(mut mine: impl Iterator<Item = u8>, mut theirs: impl Iterator<Item = u8>) -> Ordering {
    loop {
        let (a, b) = (mine.next(), theirs.next());
        if a.is_none() && b.is_none() {
            return Ordering::Equal;
        }
        let order = a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0'));
        if order.is_ne() {
            return order;
        }
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size =
        digits.iter().fold(0, |size: i64, digit| (size * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT));
    Some(if negative { -size } else { size })
}

/// `text` without the spaces and tabs around it.
#[inline]
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn compare(cell: &str, bound: &str) -> Option<Ordering> {
        NumberBound::parse(bound).unwrap().compare(cell.as_bytes())
    }

    #[test]
    fn the_grammar_of_numbers_is_closed() {
        for number in ["0", "+1", "-1", "1.", ".5", "1.5", "  7\t", "1e3", "1E-3", "1.e+05", "-.5e1", "000"] {
            assert!(NumberBound::parse(number).is_some(), "{number}");
        }
        let others =
            ["", " ", ".", "+", "-.", "e5", "1e", "1e+", "1,234", "1 234", "2024-01-01", "0x10", "1_000"];
        for other in
            others.into_iter().chain(["NaN", "inf", "1f", "٣", "1..2", "--1", "12:30", "\u{a0}1", "1\n"])
        {
            assert!(NumberBound::parse(other).is_none(), "{other}");
            assert_eq!(compare(other, "0"), None, "{other}");
        }
    }

    #[test]
    fn numbers_compare_by_value_and_exactly() {
        use Ordering::{Equal, Greater, Less};
        for (cell, bound, wanted) in [
            ("30", "30.0", Equal),
            ("9", "10", Less),
            ("-9", "-10", Greater),
            ("-0", "0", Equal),
            ("-0.000", "+.0", Equal),
            ("0.1", "0.10000000000000000001", Less),
            ("9007199254740993", "9007199254740992", Greater),
            ("123456789012345678901234567890", "123456789012345678901234567891", Less),
            ("1e3", "1000", Equal),
            ("1e-3", "0.001", Equal),
            ("1e400", "1e399", Greater),
            ("-1e400", "1", Less),
            ("1e99999999999999999999999", "1e5", Greater),
            ("0e99999999999999999999999", "0", Equal),
            ("9999999999999999999", "999999999999999999", Greater),
            ("999999999999999999", ".000000000000000001", Greater),
        ] {
            assert_eq!(compare(cell, bound), Some(wanted), "{cell} to {bound}");
            assert_eq!(compare(bound, cell), Some(wanted.reverse()), "{bound} to {cell}");
        }
    }

    /// Sign and digits on a fixed grid of 400 places, so that plain text order is the order of sizes.
    fn on_grid(number: &str) -> (bool, String) {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let exponent: i32 = exponent.parse().unwrap();
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches(['+', '-']);
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut grid = vec!['0'; 400];
        let first = 200 - i32::try_from(integer.len()).unwrap() - exponent;
        for (digit, at) in integer.chars().chain(fraction.chars()).zip(first..) {
            grid[usize::try_from(at).unwrap()] = digit;
        }
        let zero = grid.iter().all(|&digit| digit == '0');
        (negative && !zero, grid.into_iter().collect())
    }

    fn on_grid_order(a: &str, b: &str) -> Ordering {
        match (on_grid(a), on_grid(b)) {
            ((false, a), (false, b)) => a.cmp(&b),
            ((true, a), (true, b)) => b.cmp(&a),
            ((true, _), (false, _)) => Ordering::Less,
            ((false, _), (true, _)) => Ordering::Greater,
        }
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            "[+-]?[0-9]{1,3}",
            "[+-]?0{0,2}[19]{0,2}[.][01]{1,3}",
            "[+-]?([0-9]{1,25}[.]?[0-9]{0,25}|[.][0-9]{1,25})",
            "[+-]?([0-9]{1,12}[.]?[0-9]{0,12}|[.][0-9]{1,12})[eE][+-]?[0-9]{1,2}",
        ]
    }

    proptest! {
        #[test]
        fn comparison_agrees_with_long_decimals(cell in number(), bound in number()) {
            prop_assert_eq!(compare(&cell, &bound), Some(on_grid_order(&cell, &bound)));
        }

        #[test]
        fn no_cell_makes_it_panic(cell in prop::collection::vec(any::<u8>(), 0..40), bound in number()) {
            NumberBound::parse(&bound).unwrap().compare(&cell);
        }
    }
}
