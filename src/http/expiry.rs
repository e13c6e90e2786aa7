//! The time at which a file expires. The owner of the file sends this time as text.

use chrono::{DateTime, Datelike, Utc};

/// Reasons to refuse an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// The text is not a date and time with a time zone (RFC 3339), or its year in UTC is not from 0 to 9999.
    #[error("the expiry must be a date and time with a time zone, for example 2030-01-31T12:00:00Z")]
    Malformed,
    /// The time is not in the future.
    #[error("the expiry must be in the future: send a later time")]
    Past,
}

/// Parses an expiry (RFC 3339, any time zone and precision) and returns it in UTC, in whole milliseconds.
///
/// # Errors
/// [`ExpiryError`] if the text is malformed, if its year in UTC is not from 0 to 9999, or if the time is not after
/// `now`. A year must have four digits, because stored times are compared as text.
pub fn parse(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, ExpiryError> {
    let parsed = DateTime::parse_from_rfc3339(text.trim()).map_err(|_| ExpiryError::Malformed)?;
    let expiry = DateTime::from_timestamp_millis(parsed.timestamp_millis()).ok_or(ExpiryError::Malformed)?;
    if !(0..=9999).contains(&expiry.year()) {
        return Err(ExpiryError::Malformed);
    }
    if expiry > now { Ok(expiry) } else { Err(ExpiryError::Past) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap().instant()
    }

    #[test]
    fn an_expiry_in_any_time_zone_is_converted_to_utc() {
        for (text, expected) in [
            ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00.000Z"),
            (" 2030-01-31T12:00:00.123456+02:00 ", "2030-01-31T10:00:00.123Z"),
            ("2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00.001Z"),
            ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp::new(parse(text, now()).unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn malformed_and_past_times_are_refused() {
        for text in
            ["", "tomorrow", "2030-01-31", "2030-01-31T12:00:00", "1893456000", "9999-12-31T23:59:59-01:00"]
        {
            assert_eq!(parse(text, now()), Err(ExpiryError::Malformed), "{text}");
        }
        for text in ["2026-01-01T00:00:00.000Z", "2025-12-31T23:59:59Z", "2026-01-01T00:30:00+01:00"] {
            assert_eq!(parse(text, now()), Err(ExpiryError::Past), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}", shaped in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.Z+-]{0,20}") {
            let _ = parse(&text, now());
            let _ = parse(&shaped, now());
        }
    }
}
