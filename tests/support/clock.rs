//! A clock that moves only when a test moves it or when the service sleeps.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use cutty::domain::time::Timestamp;
use cutty::ports::Clock;

/// The time of the clock at the start of every test.
pub const START: &str = "2026-01-02T03:04:05.678Z";

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

    /// Yields once to the other requests, then moves the clock forward by `delay`.
    async fn sleep(&self, delay: TimeDelta) {
        let mut has_yielded = false;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.advance(delay);
    }
}
