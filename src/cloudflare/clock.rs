//! The runtime's clock, randomness and log.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use worker::send::IntoSendFuture;

use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::ports::{Clock, Log, Random};

/// The clock `Date.now()`. It advances only when the Worker does I/O.
pub struct WorkerClock;

#[async_trait]
impl Clock for WorkerClock {
    fn now(&self) -> DateTime<Utc> {
        let ms = js_sys::Date::now();
        DateTime::from_timestamp_millis(ms as i64).unwrap_or_default()
    }

    async fn sleep(&self, delay: TimeDelta) {
        worker::Delay::from(delay.to_std().unwrap_or_default()).into_send().await;
    }
}

/// Random bytes from `crypto.getRandomValues`.
pub struct WorkerRandom;

impl Random for WorkerRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the runtime always provides random bytes");
    }
}

/// A log that writes each line as JSON with `console.log`.
pub struct ConsoleLog;

impl Log for ConsoleLog {
    fn line(&self, line: &Value) {
        worker::console_log!("{line}");
    }
}

/// Writes a line to the log, for code that has no [`App`](crate::app::App).
pub fn write_log(line: LogLine) {
    ConsoleLog.line(&line.into_json(Timestamp::new(WorkerClock.now())));
}
