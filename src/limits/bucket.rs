//! The arithmetic of a token bucket.
//!
//! A bucket holds tokens: calls, or bytes. It begins full. Each operation takes tokens, and the bucket refills at a
//! constant rate, so that an empty bucket is full after one window. All numbers are integers. The level is kept in
//! tokens × milliseconds of the window, so no rounding adds up.

use serde::{Deserialize, Serialize};

/// The size of a bucket and its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPolicy {
    /// Tokens in a full bucket: 1 to [`MAX_CAPACITY`].
    pub capacity: u64,
    /// Seconds in which an empty bucket becomes full; at least 1.
    pub window_s: u32,
}

/// Maximum number of tokens in a bucket. An integer of a structured field has at most 15 digits (RFC 9651).
pub const MAX_CAPACITY: u64 = 999_999_999_999_999;

impl BucketPolicy {
    fn window_ms(self) -> i128 {
        i128::from(self.window_s.max(1)) * 1000
    }

    fn capacity(self) -> i128 {
        i128::from(self.capacity.clamp(1, MAX_CAPACITY))
    }

    /// The level of a full bucket.
    fn full(self) -> i128 {
        self.capacity() * self.window_ms()
    }
}

/// A bucket. Its text form is `level window_ms at_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bucket {
    /// Tokens × milliseconds of the window. Negative if an operation used more than it had reserved.
    level: i128,
    /// The window at the last refill.
    window_ms: i128,
    /// When the bucket was last refilled, in milliseconds of Unix time.
    at_ms: i64,
}

impl Bucket {
    /// Makes a full bucket.
    pub fn full(policy: BucketPolicy, now_ms: i64) -> Self {
        Self { level: policy.full(), window_ms: policy.window_ms(), at_ms: now_ms }
    }

    /// Refills the bucket up to now. If the clock has gone backwards, adds nothing, and counts from the new time. The
    /// policy may have changed since the last refill.
    #[must_use]
    pub fn refilled(self, policy: BucketPolicy, now_ms: i64) -> Self {
        let window_ms = policy.window_ms();
        let level = match self.window_ms == window_ms {
            true => self.level,
            false => self.level.saturating_mul(window_ms) / self.window_ms.max(1),
        };
        let elapsed_ms = (i128::from(now_ms) - i128::from(self.at_ms)).max(0);
        let level = level.saturating_add(policy.capacity().saturating_mul(elapsed_ms));
        Self { level: level.clamp(-policy.full(), policy.full()), window_ms, at_ms: now_ms }
    }

    /// Takes `tokens` from a refilled bucket and returns the number of tokens taken. An operation that needs more than
    /// a full bucket takes a full bucket.
    ///
    /// # Errors
    /// The number of seconds after which the bucket has enough tokens, if nobody else takes some. The bucket is
    /// unchanged.
    pub fn take(&mut self, policy: BucketPolicy, tokens: u64) -> Result<u64, u32> {
        let taken = i128::from(tokens).min(policy.capacity());
        let missing = taken * policy.window_ms() - self.level;
        if taken > 0 && missing > 0 {
            return Err(seconds(missing, policy).max(1));
        }
        self.level -= taken * policy.window_ms();
        Ok(u64::try_from(taken).unwrap_or(0))
    }

    /// Corrects a refilled bucket after an operation that took `taken` tokens and used `used`: gives tokens back, or
    /// takes more. A bucket can owe at most as many tokens as it can hold, so it is full after at most two windows.
    pub fn settle(&mut self, policy: BucketPolicy, taken: u64, used: u64) {
        let difference = (i128::from(taken) - i128::from(used)).saturating_mul(policy.window_ms());
        self.level = self.level.saturating_add(difference).clamp(-policy.full(), policy.full());
    }

    /// Returns the number of tokens in a refilled bucket.
    pub fn remaining(&self, policy: BucketPolicy) -> u64 {
        u64::try_from(self.level.div_euclid(policy.window_ms()).max(0)).unwrap_or(0)
    }

    /// Returns the number of seconds after which a refilled bucket is full; 0 if it is full.
    pub fn reset_s(&self, policy: BucketPolicy) -> u32 {
        seconds(policy.full() - self.level, policy)
    }
}

/// Returns the number of seconds, rounded up, in which a bucket gains `level`.
fn seconds(level: i128, policy: BucketPolicy) -> u32 {
    let per_second = policy.capacity() * 1000;
    u32::try_from((level + per_second - 1).div_euclid(per_second).max(0)).unwrap_or(u32::MAX)
}

impl From<Bucket> for String {
    fn from(Bucket { level, window_ms, at_ms }: Bucket) -> Self {
        format!("{level} {window_ms} {at_ms}")
    }
}

impl TryFrom<String> for Bucket {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut parts = text.split(' ');
        let mut number = || parts.next().and_then(|part| part.parse::<i128>().ok());
        let (level, window_ms, at_ms) = (number(), number(), number());
        match (level, window_ms, at_ms.and_then(|at_ms| i64::try_from(at_ms).ok())) {
            (Some(level), Some(window_ms), Some(at_ms)) if window_ms > 0 => {
                Ok(Self { level, window_ms, at_ms })
            }
            _ => Err("not a bucket"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const CALLS: BucketPolicy = BucketPolicy { capacity: 120, window_s: 60 };

    #[test]
    fn a_full_bucket_admits_its_capacity_and_then_one_call_every_half_second() {
        let mut bucket = Bucket::full(CALLS, 0);
        for taken in 1..=120 {
            assert_eq!(bucket.take(CALLS, 1), Ok(1));
            assert_eq!(bucket.remaining(CALLS), 120 - taken);
        }
        assert_eq!(bucket.take(CALLS, 1), Err(1));
        assert_eq!((bucket.remaining(CALLS), bucket.reset_s(CALLS)), (0, 60));
        let mut early = bucket.refilled(CALLS, 499);
        assert_eq!(early.take(CALLS, 1), Err(1));
        let mut later = early.refilled(CALLS, 500);
        assert_eq!((later.take(CALLS, 1), later.take(CALLS, 1)), (Ok(1), Err(1)));
        assert_eq!(later.refilled(CALLS, 60_500).remaining(CALLS), 120);
    }

    #[test]
    fn an_operation_that_needs_more_than_a_full_bucket_takes_a_full_bucket() {
        let mut bucket = Bucket::full(CALLS, 0);
        assert_eq!(bucket.take(CALLS, 1_000), Ok(120));
        assert_eq!(bucket.take(CALLS, 0), Ok(0));
        bucket.settle(CALLS, 120, 1_000);
        assert_eq!((bucket.remaining(CALLS), bucket.reset_s(CALLS)), (0, 120));
        assert_eq!(bucket.take(CALLS, 0), Ok(0));
        assert_eq!(bucket.refilled(CALLS, 120_000), Bucket::full(CALLS, 120_000));
    }

    #[test]
    fn a_changed_window_or_capacity_keeps_the_tokens() {
        let mut bucket = Bucket::full(CALLS, 0);
        bucket.take(CALLS, 20).unwrap();
        let longer = BucketPolicy { capacity: 120, window_s: 3600 };
        assert_eq!(bucket.refilled(longer, 0).remaining(longer), 100);
        let smaller = BucketPolicy { capacity: 10, window_s: 60 };
        assert_eq!(bucket.refilled(smaller, 0), Bucket::full(smaller, 0));
    }

    #[test]
    fn the_text_form_is_stable() {
        let bucket = Bucket { level: -5, window_ms: 60_000, at_ms: 1_700_000_000_000 };
        let text = String::from(bucket);
        assert_eq!(text, "-5 60000 1700000000000");
        assert_eq!(Bucket::try_from(text).unwrap(), bucket);
        for wrong in ["", "1 2", "1 0 3", "a b c", "1 2 99999999999999999999"] {
            assert!(Bucket::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(i64),
        Take(u64),
        Settle(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (-100_000_i64..100_000).prop_map(Step::Wait),
            (0..2_000_u64).prop_map(Step::Take),
            (0..2_000_u64).prop_map(Step::Settle),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn no_step_breaks_the_bounds_and_a_bucket_admits_no_more_than_its_rate(
            capacity in 1..1_000_u64, window_s in 1..4_000_u32, steps in steps()
        ) {
            let policy = BucketPolicy { capacity, window_s };
            let mut bucket = Bucket::full(policy, 0);
            let (mut now, mut forward_ms, mut used, mut open) = (0_i64, 0_i64, 0_u64, Vec::new());
            for step in steps {
                match step {
                    Step::Wait(ms) => {
                        now += ms;
                        forward_ms += ms.max(0);
                    }
                    Step::Take(tokens) => {
                        bucket = bucket.refilled(policy, now);
                        let before = bucket;
                        match bucket.take(policy, tokens) {
                            Ok(taken) => {
                                prop_assert_eq!(taken, tokens.min(capacity));
                                used += taken;
                                open.push(taken);
                            }
                            Err(wait_s) => {
                                prop_assert_eq!(bucket, before);
                                let mut later = bucket.refilled(policy, now + i64::from(wait_s) * 1000);
                                prop_assert!(later.take(policy, tokens).is_ok());
                            }
                        }
                    }
                    Step::Settle(less) => {
                        if let Some(taken) = open.pop() {
                            let really = taken.saturating_sub(less);
                            bucket = bucket.refilled(policy, now);
                            bucket.settle(policy, taken, really);
                            used -= taken - really;
                        }
                    }
                }
                prop_assert!(bucket.level <= policy.full() && bucket.level >= -policy.full());
                prop_assert!(bucket.remaining(policy) <= capacity);
                prop_assert_eq!(Bucket::try_from(String::from(bucket)).unwrap(), bucket);
            }
            let gained = i128::from(capacity) * i128::from(forward_ms);
            prop_assert!(i128::from(used) * policy.window_ms() <= policy.full() + gained);
        }

        #[test]
        fn extreme_numbers_do_not_overflow(
            capacity in any::<u64>(), window_s in any::<u32>(), times in prop::collection::vec(any::<i64>(), 3),
            tokens in any::<u64>(), used in any::<u64>()
        ) {
            let policy = BucketPolicy { capacity, window_s };
            let mut bucket = Bucket::full(policy, times[0]).refilled(policy, times[1]);
            let taken = bucket.take(policy, tokens).unwrap_or(0);
            bucket = bucket.refilled(policy, times[2]);
            bucket.settle(policy, taken, used);
            prop_assert!(bucket.remaining(policy) <= MAX_CAPACITY);
            prop_assert!(bucket.level <= policy.full() && bucket.level >= -policy.full());
            bucket.reset_s(policy);
        }
    }
}
