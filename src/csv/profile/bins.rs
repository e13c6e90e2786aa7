//! Histograms of the numbers and of the times in a column, counted in one pass.
//!
//! The bins have equal widths and are aligned to 0, so that their bounds are round: the width of a number is a power of
//! ten, and the width of a time is a second, a minute, an hour, a day, a month or a year. Counting begins with narrow
//! bins. When the values no longer fit into [`MAX_FINE_BINS`] bins, the bins become wider: each bin of the new width
//! gets the counts of the bins that it contains. So every count is exact. In the end, neighbours are joined until at most
//! [`MAX_BINS`] bins are left.

use super::statistics::{Bin, Histogram, HistogramKind};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::Instant;
use chrono::{Datelike, NaiveDate};

/// Maximum number of bins of a finished histogram.
pub(super) const MAX_BINS: usize = 40;
/// Maximum number of bins while a file is profiled. A month has 31 days, so at least 32 bins are left when days become
/// months.
const MAX_FINE_BINS: usize = 1_000;

/// The width of the bins.
trait Width: Copy {
    /// Returns the next greater width; `None` after the greatest width. Each of its bins contains whole bins of this
    /// width.
    fn wider(self) -> Option<Self>;

    /// Returns the index of the bin of the next greater width that contains a bin of this width.
    fn widened(self, index: i64) -> i64;

    /// Returns how many neighbours may become one bin in the end, ascending.
    fn groups(self) -> &'static [i64];

    /// Returns the start of a bin, in a form that a filter can compare; `None` if it has no such form.
    fn start(self, index: i64) -> Option<String>;
}

/// Counts in bins of one width.
#[derive(Debug, Clone, PartialEq)]
struct Bins<W> {
    width: W,
    /// Index of the first bin.
    first: i64,
    counts: Vec<u64>,
}

impl<W: Width> Bins<W> {
    fn new(width: W) -> Self {
        Self { width, first: 0, counts: Vec::new() }
    }

    /// Adds an empty bin with this index, and the empty bins between it and the others. Returns `false` and does nothing
    /// if there would be too many bins.
    fn reach(&mut self, index: i64) -> bool {
        if self.counts.is_empty() {
            (self.first, self.counts) = (index, vec![0]);
        }
        let end = self.first + self.counts.len() as i64;
        let (first, end) = (self.first.min(index), end.max(index.saturating_add(1)));
        let Some(count) = end.checked_sub(first).filter(|&count| count <= MAX_FINE_BINS as i64) else {
            return false;
        };
        let before = usize::try_from(self.first - first).unwrap_or_default();
        self.counts.splice(0..0, std::iter::repeat_n(0, before));
        self.counts.resize(usize::try_from(count).unwrap_or_default(), 0);
        self.first = first;
        true
    }

    /// Makes the bins wider. Returns `false` and does nothing if there is no greater width.
    fn widen(&mut self) -> bool {
        let Some(width) = self.width.wider() else { return false };
        let old = std::mem::replace(self, Self::new(width));
        for (index, count) in (old.first..).zip(old.counts) {
            if count > 0 || self.counts.is_empty() {
                let index = old.width.widened(index);
                if self.reach(index) {
                    self.counts[(index - self.first) as usize] += count;
                }
            }
        }
        true
    }

    /// Returns at most [`MAX_BINS`] bins. `is_wide_enough` says which widths are allowed.
    fn finish(mut self, kind: HistogramKind, is_wide_enough: impl Fn(W) -> bool) -> Option<Histogram> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 {
            return None;
        }
        loop {
            let last = self.first + self.counts.len() as i64 - 1;
            let fits =
                |group: &i64| last.div_euclid(*group) - self.first.div_euclid(*group) < MAX_BINS as i64;
            if is_wide_enough(self.width)
                && let Some(&group) = self.width.groups().iter().find(|group| fits(group))
            {
                return self.joined(group).map(|bins| Histogram { kind, bins });
            }
            if !self.widen() {
                return None;
            }
        }
    }

    /// Joins each `group` neighbours into one bin.
    fn joined(&self, group: i64) -> Option<Vec<Bin>> {
        let mut bins: Vec<Bin> = Vec::new();
        let mut joined = None;
        for (index, &count) in (self.first..).zip(&self.counts) {
            let of = index.div_euclid(group);
            if joined != Some(of) {
                let (from, to) = (self.width.start(of * group)?, self.width.start((of + 1) * group)?);
                bins.push(Bin { from, to, count: 0 });
                joined = Some(of);
            }
            if let Some(bin) = bins.last_mut() {
                bin.count += count;
            }
        }
        Some(bins)
    }

    fn save(&self, state: &mut StateWriter) {
        state.word(self.first as u64);
        state.list(&self.counts, |state, &count| state.number(count));
    }

    fn restore(width: W, state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let first = state.word()? as i64;
        let counts = state.list(StateReader::total)?;
        let is_small = counts.len() <= MAX_FINE_BINS && first.unsigned_abs() < 1 << 60;
        if is_small { Ok(Self { width, first, counts }) } else { Err(StateError::Damaged) }
    }
}

/// A width of 10^`exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PowerOfTen {
    exponent: i32,
}

/// The exponent of the narrowest bins.
const LEAST_EXPONENT: i32 = -15;
/// The exponent of the widest bins. No double reaches 1,000 of them.
const GREATEST_EXPONENT: i32 = 308;
/// Maximum index of a bin. Up to this index, a double can tell neighbours apart.
const MAX_INDEX: f64 = 1e14;

impl Width for PowerOfTen {
    fn wider(self) -> Option<Self> {
        (self.exponent < GREATEST_EXPONENT).then_some(Self { exponent: self.exponent + 1 })
    }

    fn widened(self, index: i64) -> i64 {
        index.div_euclid(10)
    }

    fn groups(self) -> &'static [i64] {
        &[1, 2, 5]
    }

    fn start(self, index: i64) -> Option<String> {
        let digits = index.unsigned_abs().to_string();
        let sign = if index < 0 { "-" } else { "" };
        if index == 0 {
            return Some("0".to_owned());
        }
        if let Ok(zeros) = usize::try_from(self.exponent) {
            return Some(format!("{sign}{digits}{}", "0".repeat(zeros)));
        }
        let decimals = usize::try_from(-self.exponent).ok()?;
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        Some(format!("{sign}{whole}{point}{fraction}"))
    }
}

/// A histogram of numbers, while a column is profiled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NumberBins {
    bins: Bins<PowerOfTen>,
    /// Number of bins per 1: the reciprocal of the width.
    per_one: f64,
    /// Index of the first bin.
    first: f64,
}

impl Default for NumberBins {
    fn default() -> Self {
        Self::from(Bins::new(PowerOfTen { exponent: LEAST_EXPONENT }))
    }
}

impl From<Bins<PowerOfTen>> for NumberBins {
    fn from(bins: Bins<PowerOfTen>) -> Self {
        let (per_one, first) = (10_f64.powi(-bins.width.exponent), bins.first as f64);
        Self { bins, per_one, first }
    }
}

impl NumberBins {
    /// Counts a number.
    #[inline(always)]
    pub(super) fn add(&mut self, number: f64) {
        let at = self.position(number);
        // A negative number becomes 0 when it is converted, so it needs its own check.
        match self.bins.counts.get_mut(at as usize) {
            Some(count) if at >= 0.0 => *count += 1,
            _ => self.add_outside(number),
        }
    }

    /// Counts a number that occurs several times.
    pub(super) fn add_times(&mut self, number: f64, times: u64) {
        self.add(number);
        let at = self.position(number);
        if let Some(count) = self.bins.counts.get_mut(at as usize).filter(|_| at >= 0.0) {
            *count += times.saturating_sub(1);
        }
    }

    /// Counts many integers.
    #[inline(always)]
    pub(super) fn add_all(&mut self, integers: &[u64]) {
        for &integer in integers {
            self.add(integer as f64);
        }
    }

    /// Returns the position of a number, counted in bins from the first bin. The nearest double of a number such as 0.29
    /// can be slightly less than the number. So the number is moved by a little more than such an error.
    #[inline(always)]
    fn position(&self, number: f64) -> f64 {
        let index = number * self.per_one;
        index + index.abs() * 1e-15 - self.first
    }

    #[inline(never)]
    fn add_outside(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        loop {
            let index = number * self.per_one;
            let index = (index + index.abs() * 1e-15).floor();
            let is_exact = index.abs() <= MAX_INDEX;
            if is_exact && self.bins.reach(index as i64) {
                self.bins.counts[(index as i64 - self.bins.first) as usize] += 1;
                self.first = self.bins.first as f64;
                return;
            }
            if !self.bins.widen() {
                return;
            }
            *self = Self::from(std::mem::replace(&mut self.bins, Bins::new(PowerOfTen { exponent: 0 })));
        }
    }

    /// Returns the memory of the bins, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bins.counts.capacity() * size_of::<u64>()
    }

    /// Returns the histogram; `None` if no number was counted. The bins of integers are at least 1 wide.
    pub(super) fn finish(self, are_integers: bool) -> Option<Histogram> {
        let is_wide_enough = |width: PowerOfTen| !are_integers || width.exponent >= 0;
        // One value needs no narrow bin.
        let mut bins = self.bins;
        while bins.counts.len() == 1 && bins.first.unsigned_abs() >= 1_000 && bins.first % 10 == 0 {
            if !bins.widen() {
                break;
            }
        }
        bins.finish(HistogramKind::Number, is_wide_enough)
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.word(i64::from(self.bins.width.exponent) as u64);
        self.bins.save(state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let exponent = i32::try_from(state.word()? as i64).map_err(|_| StateError::Damaged)?;
        if !(LEAST_EXPONENT..=GREATEST_EXPONENT).contains(&exponent) {
            return Err(StateError::Damaged);
        }
        Ok(Bins::restore(PowerOfTen { exponent }, state)?.into())
    }
}

/// The width of a bin of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum TimeWidth {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
    Century,
}

impl TimeWidth {
    const ALL: [Self; 7] =
        [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year, Self::Century];

    /// Returns the index of the bin that contains a time; `None` for a time that chrono does not know.
    fn index_of(self, time: Seconds) -> Option<i64> {
        Some(match self {
            Self::Second => time,
            Self::Minute => time.div_euclid(60),
            Self::Hour => time.div_euclid(3_600),
            Self::Day => time.div_euclid(SECONDS_PER_DAY),
            Self::Month => month_of(date_of(time)?),
            Self::Year => date_of(time)?.year().into(),
            Self::Century => i64::from(date_of(time)?.year()).div_euclid(100),
        })
    }

    /// Returns the first second of a bin.
    fn first_second(self, index: i64) -> Option<Seconds> {
        let first_of_month = |year: i64, month: i64| {
            let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, 1)?;
            Some((i64::from(date.num_days_from_ce()) - 1) * SECONDS_PER_DAY)
        };
        match self {
            Self::Second => Some(index),
            Self::Minute => index.checked_mul(60),
            Self::Hour => index.checked_mul(3_600),
            Self::Day => index.checked_mul(SECONDS_PER_DAY),
            Self::Month => first_of_month(index.div_euclid(12), index.rem_euclid(12) + 1),
            Self::Year => first_of_month(index, 1),
            Self::Century => first_of_month(index.checked_mul(100)?, 1),
        }
    }
}

/// Seconds since 0001-01-01T00:00:00 UTC. That day was a Monday, so each seven days are a week from Monday to Sunday.
type Seconds = i64;

const SECONDS_PER_DAY: i64 = 86_400;

fn date_of(time: Seconds) -> Option<NaiveDate> {
    let day = time.div_euclid(SECONDS_PER_DAY).checked_add(1)?;
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day).ok()?)
}

/// Returns the number of a month: twelve times the year, and the months before it in the year.
fn month_of(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

impl Width for TimeWidth {
    fn wider(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    fn widened(self, index: i64) -> i64 {
        let of = |width: Self| self.first_second(index).and_then(|seconds| width.index_of(seconds));
        self.wider().and_then(of).unwrap_or(index)
    }

    fn groups(self) -> &'static [i64] {
        match self {
            Self::Second | Self::Minute => &[1, 2, 5, 10, 15, 30],
            Self::Hour => &[1, 2, 3, 6, 12],
            Self::Day => &[1, 2, 7, 14],
            Self::Month => &[1, 2, 3, 6],
            Self::Year => &[1, 2, 5, 10, 20, 50],
            Self::Century => &[1, 2, 5, 10, 50],
        }
    }

    fn start(self, index: i64) -> Option<String> {
        let time = self.first_second(index)?;
        // 10000-01-01 is the end of the last bin. A filter reads it as a text, so the bin ends before it.
        let (date, is_after_all) = match date_of(time)? {
            date if date.year() > 9_999 => (NaiveDate::from_ymd_opt(9_999, 12, 31)?, true),
            date => (date, false),
        };
        let second = time.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Some(match (self >= Self::Day, is_after_all) {
            (true, _) => date.to_string(),
            (false, true) => format!("{date}T23:59:59Z"),
            (false, false) => format!("{date}T{hour:02}:{minute:02}:{second:02}Z"),
        })
    }
}

/// A histogram of times, while a column is profiled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeBins(Bins<TimeWidth>);

impl Default for TimeBins {
    fn default() -> Self {
        Self(Bins::new(TimeWidth::Second))
    }
}

impl TimeBins {
    /// Counts a time.
    #[inline]
    pub(super) fn add(&mut self, instant: Instant) {
        self.add_times(instant, 1);
    }

    /// Counts a time that occurs several times.
    pub(super) fn add_times(&mut self, instant: Instant, times: u64) {
        let time = instant.seconds() - SECONDS_PER_DAY;
        loop {
            let Some(index) = self.0.width.index_of(time) else { return };
            let at = usize::try_from(index - self.0.first);
            if let Some(count) = at.ok().and_then(|at| self.0.counts.get_mut(at)) {
                *count += times;
                return;
            }
            if !self.0.reach(index) && !self.0.widen() {
                return;
            }
        }
    }

    /// Returns the memory of the bins, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.counts.capacity() * size_of::<u64>()
    }

    /// Returns the histogram; `None` if no time was counted. The bins of dates without times are at least a day wide.
    pub(super) fn finish(self, are_dates: bool) -> Option<Histogram> {
        self.0.finish(HistogramKind::Time, |width| !are_dates || width >= TimeWidth::Day)
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.byte(self.0.width as u8);
        self.0.save(state);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let width = TimeWidth::ALL.get(usize::from(state.byte()?)).copied();
        Ok(Self(Bins::restore(width.ok_or(StateError::Damaged)?, state)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn of_numbers(numbers: &[f64], are_integers: bool) -> Histogram {
        let mut bins = NumberBins::default();
        numbers.iter().for_each(|&number| bins.add(number));
        bins.finish(are_integers).unwrap()
    }

    fn shown(histogram: &Histogram) -> Vec<(&str, &str, u64)> {
        histogram.bins.iter().map(|bin| (bin.from.as_str(), bin.to.as_str(), bin.count)).collect()
    }

    #[test]
    fn bins_have_round_bounds() {
        let ages: Vec<f64> = (0..100).map(f64::from).collect();
        let found = of_numbers(&ages, true);
        assert_eq!(found.bins.len(), 20);
        assert_eq!(shown(&found)[..2], [("0", "5", 5), ("5", "10", 5)]);
        assert_eq!(shown(&of_numbers(&[3.0], true)), [("3", "4", 1)]);
        assert_eq!(shown(&of_numbers(&[-7.0, 12.0], true)).first(), Some(&("-7", "-6", 1)));
        let tenths: Vec<f64> = (0..30).map(|tenth| f64::from(tenth) / 10.0).collect();
        let found = of_numbers(&tenths, false);
        assert!(found.bins.iter().all(|bin| bin.count == 1) && found.bins.len() == 30, "{found:?}");
        assert_eq!(shown(&found)[29], ("2.9", "3", 1));
        let cents: Vec<f64> = (0..100).map(|cent| f64::from(cent) / 100.0).collect();
        assert!(of_numbers(&cents, false).bins.iter().all(|bin| bin.count == 5));
        let large = of_numbers(&[1e300, 2e300, -1e300], false);
        assert_eq!(large.bins.iter().map(|bin| bin.count).sum::<u64>(), 3);
        assert!(large.bins.len() <= MAX_BINS && large.bins[0].from.len() == 302);
        assert_eq!(NumberBins::default().finish(false), None);
    }

    fn of_times(times: &[&str], are_dates: bool) -> Histogram {
        let mut bins = TimeBins::default();
        for time in times {
            bins.add(Instant::parse(time.as_bytes()).unwrap());
        }
        bins.finish(are_dates).unwrap()
    }

    #[test]
    fn bins_of_times_follow_the_calendar() {
        let found = of_times(&["2024-01-31", "2024-02-01", "2024-03-15"], true);
        assert_eq!(shown(&found)[0], ("2024-01-30", "2024-02-01", 1));
        let found = of_times(&["2024-01-31", "2024-08-01"], true);
        assert_eq!(shown(&found)[0], ("2024-01-29", "2024-02-05", 1), "a week begins on Monday");
        let found = of_times(&["1999-12-31", "2024-02-29", "2003-01-01"], true);
        assert_eq!(shown(&found)[0], ("1999-01-01", "2000-01-01", 1));
        assert_eq!(found.bins.len(), 26);
        let found = of_times(&["2024-01-01T00:00:00Z", "2024-01-01T12:34:56Z"], false);
        assert_eq!(shown(&found)[0], ("2024-01-01T00:00:00Z", "2024-01-01T00:30:00Z", 1));
        let found = of_times(&["0001-01-01", "9999-12-31"], true);
        assert_eq!(found.bins.iter().map(|bin| bin.count).sum::<u64>(), 2);
        assert_eq!(shown(&found)[0].0, "0000-01-01");
        assert_eq!(shown(&found).last().unwrap().1, "9999-12-31");
    }

    /// The filter's own order of numbers decides how many numbers a bin has.
    fn counted(numbers: &[String], bin: &Bin) -> usize {
        use crate::csv::filter::compare_numbers;
        let is_inside = |number: &&String| {
            compare_numbers(number.as_bytes(), bin.from.as_bytes()).unwrap().is_ge()
                && compare_numbers(number.as_bytes(), bin.to.as_bytes()).unwrap().is_lt()
        };
        numbers.iter().filter(is_inside).count()
    }

    proptest! {
        #[test]
        fn the_count_of_a_bin_is_the_number_of_rows_that_its_filter_keeps(
            numbers in prop::collection::vec((-5_000_000_i64..5_000_000, 0_usize..6), 1..200),
            scale in 0_usize..4,
        ) {
            let texts: Vec<String> = numbers
                .iter()
                .map(|&(number, decimals)| {
                    let number = number / 10_i64.pow(scale as u32 * 2);
                    format!("{:.decimals$}", number as f64 / 10_f64.powi(decimals as i32))
                })
                .collect();
            let values: Vec<f64> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let found = of_numbers(&values, false);
            prop_assert!(found.bins.len() <= MAX_BINS);
            prop_assert_eq!(found.bins.iter().map(|bin| bin.count).sum::<u64>(), values.len() as u64);
            for bin in &found.bins {
                prop_assert_eq!(counted(&texts, bin) as u64, bin.count, "{:?}", bin);
            }
        }

        #[test]
        fn saved_bins_continue(numbers in prop::collection::vec(any::<f64>(), 0..100), at in 0_usize..100) {
            let mut whole = NumberBins::default();
            let mut resumed = NumberBins::default();
            for (number, &value) in numbers.iter().enumerate() {
                if number == at {
                    let seal = crate::csv::checkpoint::Seal { magic: *b"test", version: 1 };
                    let mut state = seal.writer();
                    resumed.save(&mut state);
                    let bytes = state.sealed();
                    resumed = NumberBins::restore(&mut seal.open(&bytes).unwrap()).unwrap();
                }
                whole.add(value);
                resumed.add(value);
            }
            prop_assert_eq!(whole, resumed);
        }
    }
}
