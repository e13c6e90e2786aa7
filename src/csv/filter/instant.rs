//! Dates in cells, compared as instants.
//!
//! A date has one of two common forms of ISO 8601. The first form is a day, `YYYY-MM-DD`. The second form is a day,
//! then `T`, `t` or a space, then a time. The time is `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`; `f` stands for one to nine
//! digits, and a comma may replace the point. An offset from UTC may follow the time: `Z`, `UTC` (both in upper or
//! lower case), `±hh`, `±hhmm` or `±hh:mm`. One space may stand before the offset. Spaces and tabs around a date are
//! ignored. A time without an offset is in UTC. A cell without a time means midnight in UTC. An operand without a time
//! means the whole day in UTC. These are not dates: a day that is not in the calendar, the time 24:00, the second 60,
//! `2024`, `20240131`.

use chrono::{Datelike, NaiveDate};

use super::number::trim;
use crate::csv::swar_digits::{are_ascii_digits, parse_ascii_digits};

const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::csv) struct Instant {
    /// Whole seconds since 0000-12-31T00:00:00 UTC.
    seconds: i64,
    nanoseconds: u32,
}

impl Instant {
    /// Creates an instant. [`Instant::seconds`] and [`Instant::nanoseconds`] describe the two numbers.
    pub(in crate::csv) fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self { seconds, nanoseconds }
    }

    /// Returns the whole seconds since 0000-12-31T00:00:00 UTC.
    pub(in crate::csv) fn seconds(self) -> i64 {
        self.seconds
    }

    /// Returns the nanoseconds within the second.
    pub(in crate::csv) fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Parses a date without a time, and returns the first and the last instant of this day in UTC. `None` if `text`
    /// is not a date, or if it has a time.
    pub(in crate::csv) fn parse_day(text: &[u8]) -> Option<(Self, Self)> {
        let (date, []) = trim(text).split_first_chunk()? else { return None };
        let first = i64::from(day(*date)?.num_days_from_ce()) * SECONDS_PER_DAY;
        let last = Self { seconds: first + SECONDS_PER_DAY - 1, nanoseconds: 999_999_999 };
        Some((Self { seconds: first, nanoseconds: 0 }, last))
    }

    /// Parses a date; `None` if `text` is not a date.
    #[inline]
    pub(in crate::csv) fn parse(text: &[u8]) -> Option<Self> {
        let (date, time) = trim(text).split_first_chunk()?;
        let day = day(*date)?;
        let (seconds, nanoseconds) = match time.split_first() {
            None => (0, 0),
            Some((b'T' | b't' | b' ', time)) => time_of_day(time)?,
            Some(_) => return None,
        };
        Some(Self { seconds: i64::from(day.num_days_from_ce()) * SECONDS_PER_DAY + seconds, nanoseconds })
    }
}

/// Parses `YYYY-MM-DD`.
#[inline]
fn day(date: [u8; 10]) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let digits = u64::from_le_bytes([y1, y2, y3, y4, m1, m2, d1, d2]);
    if !are_ascii_digits(digits) {
        return None;
    }
    let number = parse_ascii_digits(digits) as u32;
    NaiveDate::from_ymd_opt((number / 10_000) as i32, number / 100 % 100, number % 100)
}

/// Parses a time with an optional offset from UTC. Returns the seconds since midnight UTC, and the nanoseconds. Because
/// of the offset, the seconds can be negative or more than a day.
#[inline]
fn time_of_day(text: &[u8]) -> Option<(i64, u32)> {
    if let Some((&[h1, h2, b':', m1, m2, b':', s1, s2], rest)) = text.split_first_chunk() {
        let digits = u64::from_le_bytes([b'0', b'0', h1, h2, m1, m2, s1, s2]);
        let number = are_ascii_digits(digits).then(|| parse_ascii_digits(digits) as u32)?;
        let [hours, minutes, seconds] = [number / 10_000, number / 100 % 100, number % 100];
        if hours >= 24 || minutes >= 60 || seconds >= 60 {
            return None;
        }
        let (nanoseconds, rest) = match rest.split_first() {
            Some((b'.' | b',', rest)) => fraction(rest)?,
            _ => (0, rest),
        };
        return Some((
            i64::from(hours * 3_600 + minutes * 60 + seconds) - offset_seconds(rest)?,
            nanoseconds,
        ));
    }
    let (clock, rest) = text.split_at_checked(5)?;
    let (hours, minutes) = hours_and_minutes(&clock[..2], &clock[2..])?;
    Some((i64::from(hours * 3_600 + minutes * 60) - offset_seconds(rest)?, 0))
}

fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end > 9 {
        return None;
    }
    let (digits, rest) = text.split_at(end);
    let unit = 10_u32.pow(9 - u32::try_from(end).ok()?);
    Some((number(digits)? * unit, rest))
}

/// Parses the offset from UTC. Returns the seconds to subtract from local time to get UTC.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").filter(|rest| !rest.is_empty()).unwrap_or(text);
    let (sign, offset) = match text.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', offset)) => (1, offset),
        Some((b'-', offset)) => (-1, offset),
        Some(_) => return text.eq_ignore_ascii_case(b"UTC").then_some(0),
    };
    let (hours, minutes) = offset.split_at_checked(2)?;
    let (hours, minutes) = match minutes.len() {
        0 => (number_below(24, hours)?, 0),
        2 => (number_below(24, hours)?, number_below(60, minutes)?),
        _ => hours_and_minutes(hours, minutes)?,
    };
    Some(sign * i64::from(hours * 3_600 + minutes * 60))
}

/// Parses `hh` and `:mm`.
fn hours_and_minutes(hours: &[u8], minutes: &[u8]) -> Option<(u32, u32)> {
    let (b':', minutes) = minutes.split_first()? else { return None };
    if minutes.len() != 2 {
        return None;
    }
    Some((number_below(24, hours)?, number_below(60, minutes)?))
}

fn number_below(limit: u32, digits: &[u8]) -> Option<u32> {
    number(digits).filter(|value| *value < limit)
}

/// Parses at most nine digits; `None` if `digits` is empty or has a byte that is not a digit.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value: u32, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_a_date_only_if_its_form_is_documented_and_its_day_exists() {
        for date in [
            "2024-02-29",
            "0000-01-01",
            "9999-12-31",
            " 2024-01-01\t",
            "2024-01-01T00:00",
            "2024-01-01 23:59:59",
            "2024-01-01T12:00:00.123456789Z",
            "2024-01-01T12:00Z",
            "2024-01-01 12:00+02:00",
            "2024-01-01T12:00:00-0530",
            "2024-01-01 10:00:00+00",
            "2024-01-01T10:00-08",
            "2024-01-01t10:00:00z",
            "2024-01-01T10:00:00,5Z",
            "2024-01-01 10:00:00 UTC",
            "2024-01-01 10:00 Z",
            "2024-01-01 10:00:00 +0200",
            "2024-01-01 10:00:00.25utc",
        ] {
            assert!(Instant::parse(date.as_bytes()).is_some(), "{date}");
        }
        for other in [
            "",
            "2024",
            "2024-01",
            "20240101",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-32",
            "2024-1-1",
            "01/02/2024",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T12",
            "2024-01-01T12:60",
            "2024-01-01T12:00:60",
            "2024-01-01T12:00.5",
            "2024-01-01T12:00:00.",
            "2024-01-01T12:00:00.1234567890",
            "2024-01-01T12:00:00,",
            "2024-01-01T12:00+2",
            "2024-01-01T12:00 02:00",
            "2024-01-01T12:00  Z",
            "2024-01-01T12:00 CET",
            "2024-01-01 UTC",
            "2024-01-01T12:00UTC+1",
            "2024-01-01T12:00+24:00",
            "2024-01-01T12:00+0260",
            "2024-01-01T12:00+02:0",
            "2024-01-01T12:00Z ago",
            "2024-01-01Z",
            "+2024-01-01",
            "２０２４-01-01",
        ] {
            assert_eq!(Instant::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn dates_with_different_offsets_are_compared_as_instants() {
        let instant = |text: &str| Instant::parse(text.as_bytes()).unwrap();
        for (one, other) in [
            ("2024-01-01", "2024-01-01T00:00:00.000Z"),
            ("2024-01-01T00:30+02:00", "2023-12-31 22:30"),
            ("2024-02-28T23:00:00-0130", "2024-02-29T00:30Z"),
            ("2024-01-01T00:00:00.5", "2024-01-01T00:00:00.500000000"),
            ("2024-01-01T00:00:00,5", "2024-01-01t00:00:00.5 utc"),
            ("2024-01-01 10:00:00+02", "2024-01-01T08:00Z"),
            ("2024-01-01 10:00 -0130", "2024-01-01 11:30:00 UTC"),
        ] {
            assert_eq!(instant(one), instant(other), "{one} and {other}");
        }
        assert!(instant("2024-01-01T00:00:00.000000001") > instant("2024-01-01"));
        assert!(instant("0999-12-31") < instant("1000-01-01"));
    }

    #[test]
    fn a_day_ends_one_nanosecond_before_the_next_day() {
        let (first, last) = Instant::parse_day(b" 2024-02-28 ").unwrap();
        assert_eq!(Some(first), Instant::parse(b"2024-02-28T00:00"));
        assert_eq!(Some(last), Instant::parse(b"2024-02-28T23:59:59.999999999"));
        for other in ["2024-02-28T00:00", "2024-02-30", "2024-02", ""] {
            assert_eq!(Instant::parse_day(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn parsed_instants_agree_with_chrono(seconds in 0_i64..253_402_300_799, minutes in -1_439_i32..1_440) {
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let utc = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            let local = utc.with_timezone(&zone).to_rfc3339();
            prop_assume!(local.len() == 25);
            let epoch = Instant::parse(b"1970-01-01").unwrap();
            prop_assert_eq!(Instant::parse(local.as_bytes()).unwrap().seconds - epoch.seconds, seconds);
        }

        #[test]
        fn parsing_never_panics(cell in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ]?[0-9:.,ZzUTCé +-]{0,12}") {
            Instant::parse(cell.as_bytes());
        }
    }
}
