//! The definition of each operator as plain, slow code: the oracle of the filter tests.
//!
//! This module shares only `fold_character` with the code under test, because `fold_character` is itself the definition
//! of folding.

use std::cmp::Ordering;

use chrono::{Duration, NaiveDate, NaiveDateTime};

use crate::csv::filter::Operator;
use crate::csv::filter::fold::fold_character;

/// Whether `operator` with `values` keeps `cell`. There must be as many values as the operator takes.
pub(in crate::csv) fn is_kept(operator: Operator, values: &[&str], cell: &[u8]) -> bool {
    let value = || values[0];
    let compared = |index: usize, edge: Edge| compare(cell, values[index], Kind::of(values), edge);
    let same = |value: &str| folded(cell) == folded(value.as_bytes());
    match operator {
        Operator::Equal => cell == value().as_bytes(),
        Operator::NotEqual => cell != value().as_bytes(),
        Operator::Greater => compared(0, Edge::Last).is_some_and(|order| order == Ordering::Greater),
        Operator::GreaterOrEqual => compared(0, Edge::First).is_some_and(|order| order != Ordering::Less),
        Operator::Less => compared(0, Edge::First).is_some_and(|order| order == Ordering::Less),
        Operator::LessOrEqual => compared(0, Edge::Last).is_some_and(|order| order != Ordering::Greater),
        Operator::EqualIgnoringCase => same(value()),
        Operator::NotEqualIgnoringCase => !same(value()),
        Operator::NumberEqual => compare(cell, value(), Kind::Number, Edge::First) == Some(Ordering::Equal),
        Operator::NotNumberEqual => {
            compare(cell, value(), Kind::Number, Edge::First) != Some(Ordering::Equal)
        }
        Operator::On => is_on(cell, value()),
        Operator::NotOn => !is_on(cell, value()),
        Operator::Contains => holds(&folded(cell), &folded(value().as_bytes())),
        Operator::NotContains => !holds(&folded(cell), &folded(value().as_bytes())),
        Operator::StartsWith => folded(cell).starts_with(&folded(value().as_bytes())),
        Operator::NotStartsWith => !folded(cell).starts_with(&folded(value().as_bytes())),
        Operator::EndsWith => folded(cell).ends_with(&folded(value().as_bytes())),
        Operator::NotEndsWith => !folded(cell).ends_with(&folded(value().as_bytes())),
        Operator::Like => is_like(&folded(cell), &folded(value().as_bytes())),
        Operator::NotLike => !is_like(&folded(cell), &folded(value().as_bytes())),
        Operator::Regex => is_found(value(), cell),
        Operator::NotRegex => !is_found(value(), cell),
        Operator::In => values.iter().any(|value| cell == value.as_bytes()),
        Operator::NotIn => values.iter().all(|value| cell != value.as_bytes()),
        Operator::InIgnoringCase => values.iter().any(|value| same(value)),
        Operator::NotInIgnoringCase => !values.iter().any(|value| same(value)),
        Operator::Between => {
            compared(0, Edge::First).is_some_and(|order| order != Ordering::Less)
                && compared(1, Edge::Last).is_some_and(|order| order != Ordering::Greater)
        }
        Operator::NotBetween => !is_kept(Operator::Between, values, cell),
        Operator::IsEmpty => cell.is_empty(),
        Operator::NotEmpty => !cell.is_empty(),
    }
}

/// The syntax of regular expressions is defined by the `regex` crate.
fn is_found(pattern: &str, cell: &[u8]) -> bool {
    regex::bytes::Regex::new(pattern).expect("the operator refuses other patterns").is_match(cell)
}

/// Whether the date in `cell` is within the day `value`.
fn is_on(cell: &[u8], value: &str) -> bool {
    let first = date(value).expect("the operator refuses other values");
    let found = str::from_utf8(cell).ok().and_then(date);
    found.is_some_and(|found| first <= found && found < first + Duration::days(1))
}

/// Which instant of the day a value without a time stands for.
#[derive(Clone, Copy, PartialEq)]
enum Edge {
    First,
    Last,
}

/// The kind that all values of a condition have. Cells are compared with the values as this kind.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Date,
    Text,
}

impl Kind {
    /// Returns `Number` if all values are numbers, else `Date` if all values are dates, else `Text`.
    fn of(values: &[&str]) -> Self {
        if values.iter().all(|value| Number::parse(value).is_some()) {
            Self::Number
        } else if values.iter().all(|value| date(value).is_some()) {
            Self::Date
        } else {
            Self::Text
        }
    }
}

/// Compares a cell with a value of the kind `kind`. Returns `None` if the cell is of another kind.
fn compare(cell: &[u8], value: &str, kind: Kind, edge: Edge) -> Option<Ordering> {
    let text = || str::from_utf8(cell).ok();
    match kind {
        Kind::Number => Some(Number::parse(text()?)?.cmp(&Number::parse(value)?)),
        Kind::Date => {
            let is_day = !value.contains(':');
            let rest_of_day = Duration::days(1) - Duration::nanoseconds(1);
            let more = if is_day && edge == Edge::Last { rest_of_day } else { Duration::zero() };
            Some(date(text()?)?.cmp(&(date(value)? + more)))
        }
        Kind::Text => Some(cell.cmp(value.as_bytes())),
    }
}

/// The number ± 0.`digits` × 10^`magnitude`. `digits` neither begins nor ends with a zero. The number zero has no
/// digits.
struct Number {
    is_negative: bool,
    digits: String,
    magnitude: i128,
}

impl Number {
    /// Parses `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`, with optional spaces and tabs around the number.
    fn parse(text: &str) -> Option<Self> {
        let are_digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
        let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
        let text = text.trim_matches([' ', '\t']);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let is_negative = mantissa.starts_with('-');
        let mantissa = unsigned(mantissa);
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
        let has_digits = !integer.is_empty() || !fraction.is_empty();
        let is_sound = has_digits && are_digits(integer) && are_digits(fraction);
        if !is_sound || unsigned(exponent).is_empty() || !are_digits(&unsigned(exponent)) {
            return None;
        }
        let exponent: i128 = exponent.parse().expect("exponents in the tests fit into an i128");
        let digits = format!("{integer}{fraction}");
        let zeros = digits.len() - digits.trim_start_matches('0').len();
        Some(Self {
            is_negative,
            digits: digits.trim_matches('0').to_owned(),
            magnitude: integer.len() as i128 - zeros as i128 + exponent,
        })
    }

    /// Returns -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let sizes = (self.magnitude, &self.digits).cmp(&(other.magnitude, &other.digits));
        match (self.sign(), other.sign()) {
            (1, 1) => sizes,
            (-1, -1) => sizes.reverse(),
            (one, other) => one.cmp(&other),
        }
    }
}

/// Parses `YYYY-MM-DD` into an instant in UTC. A time `hh:mm[:ss[.f]]` may follow the day, and an offset may follow the
/// time. Spaces and tabs may be around the date.
fn date(text: &str) -> Option<NaiveDateTime> {
    const DATE: &str = "dddd-dd-dd";
    let text = text.trim_matches([' ', '\t']).to_ascii_uppercase().replace(',', ".");
    let shape: String =
        text.chars().map(|letter| if letter.is_ascii_digit() { 'd' } else { letter }).collect();
    let number = |from: usize, digits: usize| text[from..from + digits].parse::<u32>().ok();
    let shape = shape.strip_prefix(DATE)?;
    let day = NaiveDate::from_ymd_opt(number(0, 4)? as i32, number(5, 2)?, number(8, 2)?)?;
    if shape.is_empty() {
        return day.and_hms_opt(0, 0, 0);
    }
    let clock = shape.strip_prefix(['T', ' '])?;
    let zone_at = clock.find([' ', 'Z', 'U', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone_at);
    let (whole, fraction) = clock.split_once('.').map_or((clock, None), |(whole, rest)| (whole, Some(rest)));
    let seconds = match (whole, fraction) {
        ("dd:dd", None) => 0,
        ("dd:dd:dd", _) => number(17, 2)?,
        _ => return None,
    };
    let nanoseconds = match fraction.map(str::len) {
        None => 0,
        Some(1..=9) if fraction.is_some_and(|digits| digits.chars().all(|letter| letter == 'd')) => {
            let digits = &text[20..DATE.len() + 1 + zone_at];
            format!("{digits:0<9}").parse().ok()?
        }
        Some(_) => return None,
    };
    let local = day.and_hms_nano_opt(number(11, 2)?, number(14, 2)?, seconds, nanoseconds)?;
    let zone_at = DATE.len() + 1 + zone_at + usize::from(zone.starts_with(' '));
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    let (hours, minutes) = match zone {
        "" | "Z" | "UTC" => (0, 0),
        "+dd" | "-dd" => (number(zone_at + 1, 2)?, 0),
        "+dddd" | "-dddd" => (number(zone_at + 1, 2)?, number(zone_at + 3, 2)?),
        "+dd:dd" | "-dd:dd" => (number(zone_at + 1, 2)?, number(zone_at + 4, 2)?),
        _ => return None,
    };
    let ahead = Duration::minutes(i64::from(hours * 60 + minutes));
    match zone.starts_with('-') {
        _ if hours >= 24 || minutes >= 60 => None,
        true => Some(local + ahead),
        false => Some(local - ahead),
    }
}

/// A character, or a byte that is not part of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum Letter {
    Character(char),
    Byte(u8),
}

/// Returns the letters of `text`, folded.
pub(in crate::csv) fn folded(text: &[u8]) -> Vec<Letter> {
    let letters = |chunk: std::str::Utf8Chunk<'_>| {
        let characters = chunk.valid().chars().map(|character| Letter::Character(fold_character(character)));
        let bytes = chunk.invalid().iter().map(|byte| Letter::Byte(*byte));
        characters.chain(bytes).collect::<Vec<_>>()
    };
    text.utf8_chunks().flat_map(letters).collect()
}

fn holds(text: &[Letter], wanted: &[Letter]) -> bool {
    (0..=text.len()).any(|start| text[start..].starts_with(wanted))
}

/// Whether the whole `text` matches `pattern`. Both must be folded.
pub(in crate::csv) fn is_like(text: &[Letter], pattern: &[Letter]) -> bool {
    use Letter::Character;
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([Character('%'), pattern @ ..], _) => (0..=text.len()).any(|taken| is_like(&text[taken..], pattern)),
        ([Character('_'), pattern @ ..], [_, text @ ..]) => is_like(text, pattern),
        ([Character('\\'), wanted @ Character('%' | '_' | '\\'), pattern @ ..], [first, text @ ..])
        | ([wanted, pattern @ ..], [first, text @ ..]) => wanted == first && is_like(text, pattern),
        (_, []) => false,
    }
}
