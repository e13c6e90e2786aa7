//! The growing delay after failed sign-in attempts.

use serde::{Deserialize, Serialize};

/// After this time without an attempt, the failures are forgotten, in milliseconds: 24 hours.
pub const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// The settings of the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayPolicy {
    /// Number of failures that cause no delay.
    pub free_failures: u32,
    /// The longest delay in seconds.
    pub max_delay_s: u32,
}

impl DelayPolicy {
    /// Returns the delay after a number of failures, in seconds: 0 for the free failures, then 1, 2, 4 and so on.
    fn delay_s(self, failures: u32) -> u32 {
        match failures.checked_sub(self.free_failures) {
            None | Some(0) => 0,
            Some(over) => 1_u32.checked_shl(over - 1).unwrap_or(u32::MAX).min(self.max_delay_s),
        }
    }
}

/// Failed sign-in attempts, since the last success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Their number. An attempt counts as failed until its success is reported.
    count: u32,
    /// When the last attempt began, in milliseconds of Unix time.
    last_ms: i64,
    /// When the attempt before it began.
    #[serde(default)]
    before_ms: i64,
}

impl Failures {
    /// Counts an attempt as failed.
    ///
    /// # Errors
    /// The number of seconds to wait, if the delay after the last attempt is not over. Then nothing is counted.
    pub fn attempt(&mut self, policy: DelayPolicy, now_ms: i64) -> Result<(), u32> {
        if self.is_forgotten(now_ms) {
            *self = Self::default();
        }
        let delay_s = policy.delay_s(self.count);
        // If the clock has gone backwards, the caller waits for one delay, not for longer.
        let elapsed_ms = now_ms.saturating_sub(self.last_ms).max(0);
        let left_ms = (i64::from(delay_s) * 1000).saturating_sub(elapsed_ms);
        if left_ms > 0 {
            self.last_ms = self.last_ms.min(now_ms);
            return Err(u32::try_from((left_ms + 999) / 1000).unwrap_or(u32::MAX));
        }
        *self = Self { count: self.count.saturating_add(1), last_ms: now_ms, before_ms: self.last_ms };
        Ok(())
    }

    /// Takes back an attempt that neither succeeded nor failed.
    pub fn take_back(&mut self) {
        *self = Self { count: self.count.saturating_sub(1), last_ms: self.before_ms, ..*self };
    }

    /// Whether so much time has passed that no failure counts any more.
    pub fn is_forgotten(&self, now_ms: i64) -> bool {
        self.count == 0 || now_ms.saturating_sub(self.last_ms) >= FORGOTTEN_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: DelayPolicy = DelayPolicy { free_failures: 3, max_delay_s: 900 };

    #[test]
    fn the_delay_begins_after_the_fourth_failure_and_doubles_up_to_its_maximum() {
        let delays: Vec<_> = (0..=15).map(|failures| POLICY.delay_s(failures)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(POLICY.delay_s(u32::MAX), 900);
    }

    #[test]
    fn an_attempt_within_the_delay_is_refused_and_does_not_make_the_delay_longer() {
        let mut failures = Failures::default();
        for _ in 0..4 {
            assert_eq!(failures.attempt(POLICY, 10_000), Ok(()));
        }
        assert_eq!(failures.attempt(POLICY, 10_000), Err(1));
        assert_eq!(failures.attempt(POLICY, 10_999), Err(1));
        assert_eq!(failures.attempt(POLICY, 11_000), Ok(()));
        assert_eq!(failures.attempt(POLICY, 11_500), Err(2));
        assert_eq!(failures.attempt(POLICY, 13_000), Ok(()));
        assert_eq!(failures.attempt(POLICY, 13_000), Err(4));
    }

    #[test]
    fn a_clock_that_goes_backwards_refuses_nobody_for_longer_than_the_delay() {
        let mut failures = Failures::default();
        for _ in 0..4 {
            assert_eq!(failures.attempt(POLICY, 1_000_000_000), Ok(()));
        }
        assert_eq!(failures.attempt(POLICY, 5_000), Err(1));
        assert_eq!(failures.attempt(POLICY, 6_000), Ok(()));
    }

    #[test]
    fn failures_are_forgotten_after_a_day_and_an_attempt_can_be_taken_back() {
        let mut failures = Failures::default();
        for _ in 0..4 {
            assert_eq!(failures.attempt(POLICY, 0), Ok(()));
        }
        failures.take_back();
        assert_eq!(failures.attempt(POLICY, 0), Ok(()));
        assert_eq!(failures.attempt(POLICY, 0), Err(1));
        assert!(!failures.is_forgotten(FORGOTTEN_AFTER_MS - 1) && failures.is_forgotten(FORGOTTEN_AFTER_MS));
        assert_eq!(failures.attempt(POLICY, FORGOTTEN_AFTER_MS), Ok(()));
        assert_eq!(failures.count, 1);
    }

    #[test]
    fn an_attempt_that_is_taken_back_causes_no_second_delay() {
        let mut failures = Failures::default();
        let mut now_ms = 0;
        for _ in 0..10 {
            now_ms += 1_000_000;
            assert_eq!(failures.attempt(POLICY, now_ms), Ok(()));
        }
        failures.take_back();
        assert_eq!(failures.attempt(POLICY, now_ms), Ok(()));
    }
}
