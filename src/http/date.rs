//! HTTP-dates (RFC 9110 §5.6.7). Database rows and JSON use [`crate::domain::time::Timestamp`] instead.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Formats a time as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`. RFC 9110 requires senders to use this form.
pub fn format_http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Parses an HTTP-date in any of its three forms (IMF-fixdate, RFC 850, asctime), as RFC 9110 requires of recipients.
///
/// `now` decides the century of the two-digit year in the RFC 850 form: a date more than 50 years in the future is
/// moved 100 years back. The name of the day must be valid, but this function does not compare it with the date. A leap
/// second is read as the second before it. Returns `None` for any other text.
pub fn parse_http_date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let parse = match text.find(',') {
        Some(3) => parse_imf_fixdate,
        Some(_) => parse_rfc850,
        None => parse_asctime,
    };
    parse(text, now).map(|time| time.and_utc())
}

/// Parses `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse_imf_fixdate(text: &str, _now: DateTime<Utc>) -> Option<NaiveDateTime> {
    let [day_name, day, month, year, time, zone] = words(text)?;
    let known_day = SHORT_DAYS.contains(&day_name.strip_suffix(',')?);
    let date = NaiveDate::from_ymd_opt(digits(year, 4)? as i32, parse_month(month)?, digits(day, 2)?)?;
    (known_day && zone == "GMT").then_some(())?;
    Some(date.and_time(parse_time(time)?))
}

/// Parses `Sunday, 06-Nov-94 08:49:37 GMT`.
fn parse_rfc850(text: &str, now: DateTime<Utc>) -> Option<NaiveDateTime> {
    let [day_name, date, time, zone] = words(text)?;
    let known_day = LONG_DAYS.contains(&day_name.strip_suffix(',')?);
    (known_day && zone == "GMT").then_some(())?;
    let mut fields = date.split('-');
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    fields.next().is_none().then_some(())?;
    let (day, month, time) = (digits(day, 2)?, parse_month(month)?, parse_time(time)?);

    let latest = now.naive_utc().checked_add_months(Months::new(50 * 12))?;
    let century = latest.year() - latest.year().rem_euclid(100);
    let year = century + digits(year, 2)? as i32;
    // 29 February may be valid in only one of the two candidate years: 2000 is a leap year, 2100 is not.
    let candidate = |year| Some(NaiveDate::from_ymd_opt(year, month, day)?.and_time(time));
    candidate(year).filter(|time| *time <= latest).or_else(|| candidate(year - 100))
}

/// Parses `Sun Nov  6 08:49:37 1994`.
fn parse_asctime(text: &str, _now: DateTime<Utc>) -> Option<NaiveDateTime> {
    let one_digit_day = text.as_bytes().get(8) == Some(&b' ');
    let single_spaced = if one_digit_day { text.replacen("  ", " ", 1) } else { text.to_owned() };
    let [day_name, month, day, time, year] = words(&single_spaced)?;
    SHORT_DAYS.contains(&day_name).then_some(())?;
    let day = digits(day, if one_digit_day { 1 } else { 2 })?;
    let date = NaiveDate::from_ymd_opt(digits(year, 4)? as i32, parse_month(month)?, day)?;
    Some(date.and_time(parse_time(time)?))
}

/// Splits a text into exactly `N` words, separated by one space each.
fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split(' ').collect::<Vec<_>>().try_into().ok()
}

/// Parses a number of exactly `count` ASCII digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn parse_month(name: &str) -> Option<u32> {
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

/// Parses `08:49:37`. Second 60 (a leap second) is read as 59.
fn parse_time(text: &str) -> Option<NaiveTime> {
    let mut fields = text.split(':');
    let mut next = || digits(fields.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    fields.next().is_none().then_some(())?;
    NaiveTime::from_hms_opt(hour, minute, if second == 60 { 59 } else { second })
}

/// Removes the fraction of a second, which an HTTP-date cannot express.
pub fn truncate_to_second(time: DateTime<Utc>) -> DateTime<Utc> {
    time.with_nanosecond(0).unwrap_or(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap()
    }

    #[test]
    fn all_three_forms_of_the_rfc_are_parsed() {
        let expected = Utc.with_ymd_and_hms(1994, 11, 6, 8, 49, 37).unwrap();
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_http_date(text, now()), Some(expected), "{text}");
        }
        assert_eq!(format_http_date(expected), "Sun, 06 Nov 1994 08:49:37 GMT");
        let sixteenth = Utc.with_ymd_and_hms(1994, 11, 16, 8, 49, 37).unwrap();
        assert_eq!(parse_http_date("Wed Nov 16 08:49:37 1994", now()), Some(sixteenth));
    }

    #[test]
    fn a_two_digit_year_is_at_most_fifty_years_ahead() {
        for (text, year) in [
            ("Sunday, 01-Mar-76 00:00:00 GMT", 2076),
            ("Sunday, 01-Mar-76 00:00:01 GMT", 1976),
            ("Sunday, 01-Jan-77 00:00:00 GMT", 1977),
            ("Sunday, 01-Jan-99 00:00:00 GMT", 1999),
            ("Sunday, 29-Feb-00 00:00:00 GMT", 2000),
        ] {
            assert_eq!(parse_http_date(text, now()).unwrap().year(), year, "{text}");
        }
        let late = Utc.with_ymd_and_hms(2060, 1, 1, 0, 0, 0).unwrap();
        assert_eq!(parse_http_date("Friday, 01-Jan-99 00:00:00 GMT", late).unwrap().year(), 2099);
        assert_eq!(parse_http_date("Tuesday, 29-Feb-00 00:00:00 GMT", late).unwrap().year(), 2000);
    }

    #[test]
    fn a_leap_second_is_read_as_the_second_before() {
        let time = parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now()).unwrap();
        assert_eq!(time.second(), 59);
    }

    #[test]
    fn malformed_dates_are_refused() {
        for text in [
            "",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
            "784111777",
        ] {
            assert_eq!(parse_http_date(text, now()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn http_dates_round_trip(ms in 0i64..253_402_300_800_000) {
            let time = Utc.timestamp_millis_opt(ms).unwrap();
            let second = truncate_to_second(time);
            prop_assert_eq!(parse_http_date(&format_http_date(time), now()), Some(second));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}", shaped in "[SunFri]{3,6}[, ]{0,2}[0-9 :A-Zn-]{0,30}") {
            for text in [text, shaped] {
                let _ = parse_http_date(&text, now());
            }
        }
    }
}
