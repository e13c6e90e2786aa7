//! Calendar months in UTC.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};

use super::time::Timestamp;

/// A month, named `YYYY-MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(NaiveDate);

impl Month {
    /// Returns the month of a time.
    pub fn of(time: Timestamp) -> Self {
        let day = time.instant().date_naive();
        Self(day.with_day(1).unwrap_or(day))
    }

    /// Parses `YYYY-MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-').filter(|_| text.len() == 7)?;
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        NaiveDate::from_ymd_opt(i32::try_from(number(year)?).ok()?, number(month)?, 1).map(Self)
    }

    /// Returns the month `months` earlier.
    #[must_use]
    pub fn earlier(self, months: u32) -> Self {
        Self(self.0.checked_sub_months(Months::new(months)).unwrap_or(self.0))
    }

    /// Returns the number of days of the month.
    pub fn length(self) -> u32 {
        self.0.num_days_in_month().into()
    }

    /// Returns the days of the month, as `YYYY-MM-DD`, from the first day until the day of `now`.
    pub fn days_until(self, now: Timestamp) -> Vec<String> {
        let today = now.instant().date_naive();
        let days = (0..u64::from(self.length())).filter_map(|day| self.0.checked_add_days(Days::new(day)));
        days.take_while(|day| *day <= today).map(|day| day.to_string()).collect()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_month_has_a_name_and_days() {
        let now = Timestamp::parse("2028-02-28T23:59:59.999Z").unwrap();
        let month = Month::of(now);
        assert_eq!((month.to_string().as_str(), month.length()), ("2028-02", 29));
        assert_eq!(month.days_until(now).last().unwrap(), "2028-02-28");
        assert_eq!(month.earlier(2).to_string(), "2027-12");
        assert_eq!(month.earlier(1).days_until(now).len(), 31);
        assert!(Month::parse("2028-03").unwrap().days_until(now).is_empty());
    }

    #[test]
    fn other_texts_are_no_months() {
        assert_eq!(Month::parse("2026-11").unwrap().to_string(), "2026-11");
        for text in
            ["2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "2026/11", "+026-11", "2026-+1", ""]
        {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
