//! Numbers in cells, compared exactly.
//!
//! A number matches `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`; spaces and tabs around it are ignored. `1,234`, `0x10`,
//! `NaN` and `2024-01-01` are not numbers. A number of up to 18 digits is compared as an integer with a scale (the
//! number of digits after the decimal point). Longer numbers, and numbers with an exponent, are compared digit by digit
//! in the text. Both comparisons are exact. A comparison in floating point would not be exact: `9007199254740993` would
//! be equal to `9007199254740992`.

use super::relation::Relation;
use crate::csv::short_cell::ShortCell;
use crate::csv::swar_digits::between;
use std::cmp::Ordering;

/// Maximum number of digits of the mantissa of a [`SmallDecimal`]. A number of 18 digits fits into an `i64`.
const SMALL_DIGITS: usize = 18;
/// The item with the index n is 10^n. A call of `pow` would run a loop for every cell.
const POWERS_OF_TEN: [i64; SMALL_DIGITS + 1] = {
    let mut powers = [1; SMALL_DIGITS + 1];
    let mut exponent = 1;
    while exponent <= SMALL_DIGITS {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};
/// Larger exponents are replaced by this limit. The limit is far greater than the number of digits in any cell, so the
/// order of numbers stays correct.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000_000;

/// A number that cells are compared with.
#[derive(Debug, Clone)]
pub(super) struct NumberBound {
    text: Box<[u8]>,
    small: Option<SmallDecimal>,
}

impl NumberBound {
    /// Parses a number; `None` if `text` is not a number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        Literal::parse(text)?;
        Some(Self { text: text.into(), small: SmallDecimal::parse(trim(text)) })
    }

    /// Returns the nearest double.
    pub(super) fn nearest_double(&self) -> Option<f64> {
        nearest_double(&self.text)
    }

    /// Compares the number in `cell` with this number; `None` if `cell` is not a number.
    #[inline]
    pub(super) fn compare(&self, cell: &[u8]) -> Option<Ordering> {
        let cell = trim(cell);
        if let Some(bound) = self.small
            && let Some(cell) = SmallDecimal::parse(cell)
        {
            return Some(cell.cmp(bound));
        }
        Some(Literal::parse(cell)?.cmp(&Literal::parse(&self.text)?))
    }

    /// Multiplies this number by 10^`scale`. Returns two integers: (1) the product, rounded down; (2) the product,
    /// rounded up. If the product has more than [`SMALL_DIGITS`] digits before the decimal point, both integers are
    /// `i64::MAX`, or `-i64::MAX` if the number is negative. Comparisons stay correct, because the number of every
    /// short cell is between `-i64::MAX` and `i64::MAX`.
    fn integer_bounds(&self, scale: i64) -> (i64, i64) {
        let Some(number) = Literal::parse(&self.text) else { return (0, 0) };
        let Some((magnitude, mut digits)) = number.significant() else { return (0, 0) };
        let whole_digits = magnitude.saturating_add(scale);
        let (below, above) = if whole_digits > SMALL_DIGITS as i64 {
            (i64::MAX, i64::MAX)
        } else {
            let digit = |next: Option<u8>| i64::from(next.unwrap_or(b'0') - b'0');
            let whole = (0..whole_digits).fold(0, |whole, _| whole * 10 + digit(digits.next()));
            let is_whole = whole_digits >= 0 && digits.all(|digit| digit == b'0');
            (whole, whole + i64::from(!is_whole))
        };
        if number.negative { (-above, -below) } else { (below, above) }
    }
}

/// A range of numbers, prepared for short cells. A short cell is compared as an integer: the cell without its decimal
/// point. Entry `n` is for cells with `n` digits after the decimal point. The entry has the smallest and the greatest
/// integer of the cells that are in the range.
#[derive(Debug, Clone)]
pub(super) struct NumberRange([(i64, i64); ShortCell::MAX_BYTES]);

impl NumberRange {
    /// Returns the range of numbers that are in `relation` to `bound`.
    pub(super) fn from_relation(relation: Relation, bound: &NumberBound) -> Self {
        Self::for_each_scale(|scale| {
            let (below, above) = bound.integer_bounds(scale);
            match relation {
                Relation::GreaterOrEqual => (above, i64::MAX),
                Relation::Greater => (below.saturating_add(1), i64::MAX),
                Relation::LessOrEqual => (i64::MIN, below),
                Relation::Less => (i64::MIN, above.saturating_sub(1)),
            }
        })
    }

    /// Returns the range of numbers from `low` to `high`, both included.
    pub(super) fn between(low: &NumberBound, high: &NumberBound) -> Self {
        Self::for_each_scale(|scale| (low.integer_bounds(scale).1, high.integer_bounds(scale).0))
    }

    fn for_each_scale(limits: impl FnMut(i64) -> (i64, i64)) -> Self {
        Self([0, 1, 2, 3, 4, 5, 6, 7].map(limits))
    }

    /// Returns the non-negative integers in this range.
    pub(super) fn integers(&self) -> IntegerRange {
        let [(least, greatest), ..] = self.0;
        let least = least.max(0);
        match greatest.checked_sub(least) {
            Some(span @ 0..) => IntegerRange { least: least.cast_unsigned(), span: span.cast_unsigned() },
            _ => IntegerRange { least: u64::MAX, span: 0 },
        }
    }

    /// Whether the number in `cell` is in the range; `None` if [`ShortCell::number`] cannot parse the cell.
    #[inline(always)]
    pub(super) fn contains(&self, cell: ShortCell) -> Option<bool> {
        let (number, scale) = cell.number()?;
        let &(least, greatest) = self.0.get(scale)?;
        Some((least <= number) & (number <= greatest))
    }
}

/// A range of unsigned integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntegerRange {
    least: u64,
    /// Difference between the greatest and the smallest integer.
    span: u64,
}

impl IntegerRange {
    /// Whether `number` is in the range. `number` must not be `u64::MAX`: a range without integers is stored as a range
    /// with only this number.
    #[inline(always)]
    pub(super) fn contains(self, number: u64) -> bool {
        number.wrapping_sub(self.least) <= self.span
    }

    /// Returns a mask of the cells that are in the range: bit `i` stands for cell `i`. Each cell must be in the form
    /// of [`ShortCell::digits`]. `None` if a cell has bytes other than digits.
    #[inline(always)]
    pub(super) fn between(self, cells: &[u64; 64]) -> Option<u64> {
        /// Greater than every number of eight digits.
        const BEYOND: u64 = 100_000_000;
        let greatest = self.least.saturating_add(self.span).min(BEYOND);
        between(cells, self.least.min(BEYOND) as u32, greatest as u32)
    }
}

/// Returns the double nearest to the number in `text`; `None` if `text` is not a number. Rounding keeps the order: the
/// double of a smaller number is never greater than the double of a greater number.
pub(in crate::csv) fn nearest_double(text: &[u8]) -> Option<f64> {
    let text = trim(text);
    Literal::parse(text)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Compares two numbers exactly; `None` if one of the texts is not a number.
pub(in crate::csv) fn compare_numbers(one: &[u8], other: &[u8]) -> Option<Ordering> {
    Some(Literal::parse(one)?.cmp(&Literal::parse(other)?))
}

/// The number `mantissa` × 10^-`scale`.
#[derive(Debug, Clone, Copy)]
struct SmallDecimal {
    mantissa: i64,
    scale: u8,
}

impl SmallDecimal {
    /// Parses trimmed text without an exponent and with at most [`SMALL_DIGITS`] digits.
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
                // A mantissa of 19 digits can overflow. The check of `count` below refuses this mantissa.
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

    /// Returns the mantissa of this number for `scale`, which must be at least the scale of this number. The result is
    /// below 10^36, because the mantissa has at most 18 digits and the scale is at most 18.
    fn at_scale(self, scale: u8) -> i128 {
        i128::from(self.mantissa) * i128::from(POWERS_OF_TEN[usize::from(scale - self.scale)])
    }
}

/// A parsed number. Its digits are slices of the text.
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

    /// Returns two items, `magnitude` and `digits`. Without its sign, the number is 0.`digits` × 10^`magnitude`. The
    /// first of the digits is not zero. `None` if the number is zero.
    fn significant(&self) -> Option<(i64, impl Iterator<Item = u8>)> {
        let digits = || self.integer.iter().chain(self.fraction).copied();
        let first = digits().position(|digit| digit != b'0')?;
        // Slices are shorter than isize::MAX, so the casts keep the value.
        let magnitude = self.integer.len() as i64 - first as i64 + self.exponent;
        Some((magnitude, digits().skip(first)))
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = match (self.significant(), other.significant()) {
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return order_of_sign(self.negative),
            (None, Some(_)) => return order_of_sign(other.negative).reverse(),
            (Some(mine), Some(theirs)) => (mine, theirs),
        };
        if self.negative != other.negative {
            return order_of_sign(self.negative);
        }
        let size = mine.0.cmp(&theirs.0).then_with(|| cmp_digits(mine.1, theirs.1));
        if self.negative { size.reverse() } else { size }
    }
}

fn order_of_sign(negative: bool) -> Ordering {
    if negative { Ordering::Less } else { Ordering::Greater }
}

/// Compares the numbers 0.`mine` and 0.`theirs`. The iterators return the digits after the decimal point. The shorter
/// number is extended with zeros.
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

/// Returns `text` without the spaces and tabs around it.
#[inline]
pub(in crate::csv) fn trim(mut text: &[u8]) -> &[u8] {
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
    fn only_the_documented_forms_are_numbers() {
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
    fn numbers_are_compared_exactly_by_value() {
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

    /// Returns two items: whether the number is negative, and its digits as a text. The text has 200 digits before the
    /// decimal point and 200 digits after it; missing digits are zeros. If two numbers are positive, their texts have
    /// the same order as the numbers.
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

    fn short(text: &str) -> Option<ShortCell> {
        let mut at_start = [b','; 8];
        at_start.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty()).then(|| ShortCell::new(u64::from_le_bytes(at_start), text.len() as u32))
    }

    fn short_number() -> impl Strategy<Value = String> {
        prop_oneof!["[+-]?[0-9]{1,3}", "[+-]?[0-9]{0,2}[.][0-9]{1,3}", "[+-]?[0-9]{1,6}[.]?", "[0-9.]{1,8}"]
    }

    proptest! {
        #[test]
        fn ranges_agree_with_the_exact_comparison(
            cell in short_number(),
            low in prop_oneof![number(), short_number()],
            high in prop_oneof![number(), short_number()],
        ) {
            let (Some(low), Some(high)) = (NumberBound::parse(&low), NumberBound::parse(&high)) else {
                return Ok(());
            };
            let order = |bound: &NumberBound| bound.compare(cell.as_bytes());
            let cell = short(&cell).unwrap();
            for relation in [Relation::Greater, Relation::GreaterOrEqual, Relation::Less, Relation::LessOrEqual] {
                let expected = order(&low).map(|order| relation.holds(order));
                let range = NumberRange::from_relation(relation, &low);
                prop_assert_eq!(range.contains(cell), expected);
                prop_assert_eq!(cell.whole().map(|number| range.integers().contains(number)), cell.whole().and(expected));
            }
            let expected = order(&low).zip(order(&high)).map(|(low, high)| low.is_ge() && high.is_le());
            let range = NumberRange::between(&low, &high);
            prop_assert_eq!(range.contains(cell), expected);
            prop_assert_eq!(cell.whole().map(|number| range.integers().contains(number)), cell.whole().and(expected));
        }

        #[test]
        fn comparing_agrees_with_the_order_of_padded_digits(cell in number(), bound in number()) {
            prop_assert_eq!(compare(&cell, &bound), Some(on_grid_order(&cell, &bound)));
        }

        #[test]
        fn comparing_never_panics(cell in prop::collection::vec(any::<u8>(), 0..40), bound in number()) {
            NumberBound::parse(&bound).unwrap().compare(&cell);
        }
    }
}
