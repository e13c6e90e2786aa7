//! The runtime's clock, randomness and log.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::ports::{Clock, Log, Random};

/// `Date.now()`, which advances only at I/O.
pub struct WorkerClock;

impl Clock for WorkerClock {
    fn now(&self) -> DateTime<Utc> {
        let ms = js_sys::Date::now();
        DateTime::from_timestamp_millis(ms as i64).unwrap_or_default()
    }
}

/// `crypto.getRandomValues`.
pub struct WorkerRandom;

impl Random for WorkerRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the runtime always has randomness");
    }
}

/// `console.log` with one JSON line for each call.
pub struct ConsoleLog;

impl Log for ConsoleLog {
    fn line(&self, line: &Value) {
        worker::console_log!("{line}");
    }
}

/// Writes a line where there is no [`App`](crate::app::App).
pub fn write_log(line: LogLine) {
    ConsoleLog.line(&line.into_json(Timestamp::new(WorkerClock.now())));
}
