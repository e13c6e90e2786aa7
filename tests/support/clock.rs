//! A clock that moves only when a test moves it or when the service sleeps.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use cutty::domain::time::Timestamp;
use cutty::ports::Clock;

/// The time of the clock at the start of every test.
pub const START: &str = "2026-01-02T03:04:05.678Z";

/// Greatest number of times that a sleep yields.
const MOST_YIELDS: i64 = 5;

/// The clock, with its current time.
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(START.parse().unwrap())))
    }

    /// Sets the clock to an RFC 3339 time.
    pub fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }

    /// Moves the clock forward.
    pub fn advance(&self, delta: TimeDelta) {
        *self.0.lock().unwrap() += delta;
    }

    /// Returns the current time in the form in which it is stored.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.now())
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    /// Yields to the other requests, then moves the clock forward by `delay`. A long sleep yields more often than a call to
    /// a port, so a deadline of seconds does not end before the call.
    async fn sleep(&self, delay: TimeDelta) {
        let mut left = delay.num_seconds().clamp(1, MOST_YIELDS);
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            left -= 1;
            if left < 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.advance(delay);
    }
}
