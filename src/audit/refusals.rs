//! Counts of refused requests whose senders are not known. Such requests cost the service nothing but a number, so a
//! flood of them cannot fill the audit log or the queue.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::domain::time::Timestamp;

/// The counts of an isolate become one entry of the audit log at most once in this time. If the isolate ends earlier, the
/// counts since its last entry are lost; the log lines of the requests are not.
const REPORT_EVERY: TimeDelta = TimeDelta::seconds(60);

/// The counts since the last entry.
#[derive(Debug, Default)]
pub struct RefusalCounts(Mutex<CountState>);

#[derive(Debug, Default)]
struct CountState {
    reported_at: Option<Timestamp>,
    counts: BTreeMap<&'static str, u64>,
}

impl RefusalCounts {
    /// Counts a refused request with the code `code`. Returns the counts by code if an entry is due; they then begin
    /// again at 0.
    pub fn add(&self, code: &'static str, now: Timestamp) -> Option<Map<String, Value>> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state.counts.entry(code).or_default() += 1;
        let is_due = state.reported_at.is_none_or(|last| now >= last.plus(REPORT_EVERY));
        is_due.then(|| {
            state.reported_at = Some(now);
            let counts = std::mem::take(&mut state.counts);
            counts.into_iter().map(|(code, count)| (code.to_owned(), count.into())).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn counts_are_reported_at_once_and_then_once_a_minute() {
        let counts = RefusalCounts::default();
        let at = |seconds: i64| Timestamp::from_unix_s(1_800_000_000 + seconds);
        assert_eq!(counts.add("forbidden", at(0)).unwrap()["forbidden"], 1);
        assert_eq!(counts.add("forbidden", at(1)), None);
        assert_eq!(counts.add("unauthenticated", at(59)), None);
        let reported = counts.add("forbidden", at(60)).unwrap();
        assert_eq!(Value::from(reported), serde_json::json!({"forbidden": 2, "unauthenticated": 1}));
    }
}
