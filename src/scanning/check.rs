//! The last known state of the scanner, for the health routes.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use crate::domain::time::Timestamp;

/// Time for which an outcome is used, so that health checks cost few scans.
const VALID_FOR: TimeDelta = TimeDelta::seconds(30);

/// The time and the outcome of the last scan in this isolate; `None` before the first scan. `true` means that the
/// scanner gave a usable answer.
#[derive(Default)]
pub struct ScannerCheck(Mutex<Option<(Timestamp, bool)>>);

impl ScannerCheck {
    /// Notes the outcome of a scan.
    pub fn note(&self, now: Timestamp, works: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, works));
    }

    /// Returns the outcome of the last scan if it is less than 30 s old. Otherwise returns `None` and notes that the
    /// caller probes the scanner now. Until the caller notes its outcome, other callers get the old outcome, or `true`
    /// if there is none.
    pub fn begin(&self, now: Timestamp) -> Option<bool> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, works)) if now < at.plus(VALID_FOR) => Some(works),
            old => {
                *last = Some((now, old.is_none_or(|(_, works)| works)));
                None
            }
        }
    }
}
