//! Times. All times are stored and shown in one form: UTC text, `YYYY-MM-DDTHH:MM:SS.sssZ`. Times in this form can be
//! compared as text.

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, with a precision of one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z: a time before all stored times.
    pub const EARLIEST: Self = Self(DateTime::UNIX_EPOCH);

    /// Creates a time from `instant`, truncated to milliseconds.
    pub fn new(instant: DateTime<Utc>) -> Self {
        Self(instant.trunc_subsecs(3))
    }

    /// Creates a time from Unix seconds. Seconds that are out of range become [`Timestamp::EARLIEST`].
    pub fn from_unix_s(seconds: i64) -> Self {
        DateTime::from_timestamp(seconds, 0).map_or(Self::EARLIEST, Self)
    }

    /// Parses RFC 3339 text with any UTC offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|instant| Self::new(instant.to_utc()))
    }

    /// Returns the point in time as a `chrono` value.
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }

    /// Adds `delta`, which may be negative. Returns the latest possible time if the result is out of range.
    #[must_use]
    pub fn plus(self, delta: TimeDelta) -> Self {
        Self(self.0.checked_add_signed(delta).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds_and_parsed_unchanged() {
        let time = Timestamp::parse("2026-01-02T03:04:05.6789+02:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-02T01:04:05.678Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
