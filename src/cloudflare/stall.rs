//! Ends transfers that make no progress, so that stalled clients cannot hold memory.

use std::pin::Pin;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::{Either, select};
use worker::Delay;
use worker::send::SendFuture;

use super::isolate::MEMORY;
use crate::memory::{MAX_STALL, MAX_STALL_IN_CONTENTION, MAX_UNREAD, MAX_UNREAD_IN_CONTENTION};

/// Watches the steps of one transfer. A timer lasts one second. Steps that end before this second is over use the same
/// timer.
pub struct StallWatch {
    max: TimeDelta,
    max_in_contention: TimeDelta,
    timer: Option<Pin<Box<SendFuture<Delay>>>>,
}

impl StallWatch {
    /// Creates a watch for the reads of a request body.
    pub fn of_request_body() -> Self {
        Self { max: MAX_STALL, max_in_contention: MAX_STALL_IN_CONTENTION, timer: None }
    }

    /// Creates a watch for the writes of a response.
    pub fn of_response() -> Self {
        Self { max: MAX_UNREAD, max_in_contention: MAX_UNREAD_IN_CONTENTION, timer: None }
    }

    /// Waits for a step. Returns `None` if the transfer stalls.
    ///
    /// The watch counts how often a timer of one second fires before the step ends. It does not read the clock, because
    /// the clock also advances while another request computes. In that time, no step of this transfer can end, so that
    /// time must not count as a stall.
    pub async fn watch<T>(&mut self, mut step: Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        let (mut seconds, mut seconds_in_contention) = (0, 0);
        loop {
            let timer = self
                .timer
                .take()
                .unwrap_or_else(|| Box::pin(SendFuture::new(Delay::from(Duration::from_secs(1)))));
            match select(step, timer).await {
                Either::Left((outcome, timer)) => {
                    self.timer = Some(timer);
                    return Some(outcome);
                }
                Either::Right(((), unfinished)) => step = unfinished,
            }
            seconds += 1;
            seconds_in_contention += i64::from(MEMORY.is_contended());
            if seconds > self.max.num_seconds()
                || seconds_in_contention > self.max_in_contention.num_seconds()
            {
                return None;
            }
        }
    }
}
