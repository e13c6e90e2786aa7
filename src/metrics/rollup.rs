//! Sums over entries of the audit log, before they are added to the stored sums.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::latency::{Latency, LatencyClass};
use crate::domain::time::Timestamp;

/// The length of the buckets in which operations are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricStep {
    /// 5 minutes.
    FiveMinutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl MetricStep {
    /// Every step, the shortest first.
    pub const ALL: [Self; 3] = [Self::FiveMinutes, Self::Hour, Self::Day];

    /// Returns the name in rows and queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Returns the step with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Returns the length of a bucket.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::FiveMinutes => TimeDelta::minutes(5),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// Returns how long the buckets are kept.
    pub fn retention(self) -> TimeDelta {
        match self {
            Self::FiveMinutes => TimeDelta::days(2),
            Self::Hour => TimeDelta::days(30),
            Self::Day => TimeDelta::days(731),
        }
    }

    /// Whether there are buckets for each user.
    pub fn has_users(self) -> bool {
        self != Self::FiveMinutes
    }

    /// Returns the start of the bucket that contains `time`.
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        let seconds = time.instant().timestamp();
        Timestamp::from_unix_s(seconds - seconds.rem_euclid(self.length().num_seconds()))
    }
}

/// An entry of the audit log, as far as the metrics need it. The types are those of the database.
#[derive(Debug, Clone, Deserialize)]
pub struct LoggedOperation {
    /// Number of the entry.
    pub seq: i64,
    timestamp: String,
    user_id: String,
    action: String,
    success: i64,
    error_code: Option<String>,
    bytes_transferred: Option<i64>,
    duration_ms: Option<i64>,
    cache_hit: Option<i64>,
    metadata: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EntryNumbers {
    scanned_bytes: u64,
    skipped_bytes: u64,
    counts: BTreeMap<String, u64>,
}

/// Sums of operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Sums {
    /// Number of operations.
    pub operations: u64,
    /// Number of operations that failed.
    #[serde(default)]
    pub failures: u64,
    /// Sum of the durations, in milliseconds.
    pub duration_ms: u64,
    /// Number of operations with a duration.
    pub timed: u64,
    /// Bytes transferred.
    pub bytes: u64,
    /// Bytes that cuts read.
    pub scanned: u64,
    /// Bytes that cuts skipped.
    pub skipped: u64,
    /// Operations that a cache answered.
    pub cache_hits: u64,
    /// Operations that no cache could answer.
    pub cache_misses: u64,
}

impl Sums {
    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.failures += other.failures;
        self.duration_ms += other.duration_ms;
        self.timed += other.timed;
        self.bytes += other.bytes;
        self.scanned += other.scanned;
        self.skipped += other.skipped;
        self.cache_hits += other.cache_hits;
        self.cache_misses += other.cache_misses;
    }

    /// Returns the mean duration in milliseconds.
    #[allow(clippy::cast_precision_loss)]
    pub fn mean_ms(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.duration_ms as f64 / self.timed as f64)
    }
}

/// A bucket: step, start, and user. The user is empty for all users together.
type BucketKey = (MetricStep, Timestamp, String);

/// Sums of several entries.
#[derive(Debug, Default)]
pub struct Rollup {
    sums: BTreeMap<(BucketKey, String), Sums>,
    errors: BTreeMap<(BucketKey, String), u64>,
    latencies: BTreeMap<(BucketKey, LatencyClass), Latency>,
    totals: BTreeMap<(String, String), Sums>,
    /// Number of entries that could not be read.
    pub unreadable: u64,
}

impl Rollup {
    /// Adds an entry.
    pub fn add(&mut self, entry: &LoggedOperation) {
        let Some(time) = Timestamp::parse(&entry.timestamp) else {
            self.unreadable += 1;
            return;
        };
        let metadata: EntryNumbers =
            entry.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        // An entry with counts stands for several refused requests whose senders are not known.
        let counted: u64 = metadata.counts.values().fold(0, |sum, count| sum.saturating_add(*count));
        let operations = counted.max(1);
        let sums = Sums {
            operations,
            failures: if entry.success == 0 { operations } else { 0 },
            duration_ms: number(entry.duration_ms).unwrap_or(0),
            timed: entry.duration_ms.is_some().into(),
            bytes: number(entry.bytes_transferred).unwrap_or(0),
            scanned: metadata.scanned_bytes,
            skipped: metadata.skipped_bytes,
            cache_hits: (entry.cache_hit == Some(1)).into(),
            cache_misses: (entry.cache_hit == Some(0)).into(),
        };
        let errors = match (&entry.error_code, metadata.counts.is_empty()) {
            (_, false) => metadata.counts,
            (Some(code), true) => BTreeMap::from([(code.clone(), 1)]),
            (None, true) => BTreeMap::new(),
        };
        for step in MetricStep::ALL {
            let mut users = vec![String::new()];
            if step.has_users() && !entry.user_id.is_empty() {
                users.push(entry.user_id.clone());
            }
            for user in users {
                let bucket = (step, step.start_of(time), user);
                self.sums.entry((bucket.clone(), entry.action.clone())).or_default().add(&sums);
                for (code, count) in &errors {
                    *self.errors.entry((bucket.clone(), code.clone())).or_default() += count;
                }
                if let Some(duration) = number(entry.duration_ms) {
                    let class = LatencyClass::of(&entry.action);
                    self.latencies.entry((bucket, class)).or_default().add(duration);
                }
            }
        }
        match errors.is_empty() {
            true => self.totals.entry((entry.action.clone(), String::new())).or_default().add(&sums),
            false => {
                for (code, count) in &errors {
                    let sums = Sums { operations: *count, ..sums };
                    self.totals.entry((entry.action.clone(), code.clone())).or_default().add(&sums);
                }
            }
        }
    }

    /// Returns the keys of the sketches, as a JSON array.
    pub fn latency_keys(&self) -> Value {
        let keys = self
            .latencies
            .keys()
            .map(|((step, at, user), class)| json!([step.name(), at.to_string(), user, class.name()]));
        keys.collect()
    }

    /// Merges a stored sketch into the sketch with the same key.
    pub fn merge_stored(
        &mut self,
        step: MetricStep,
        at: Timestamp,
        user: String,
        class: LatencyClass,
        stored: &Latency,
    ) {
        if let Some(latency) = self.latencies.get_mut(&((step, at, user), class)) {
            latency.merge(stored);
        }
    }

    /// Returns the rows with the sums, as a JSON array.
    pub fn sum_rows(&self) -> Value {
        let rows = self.sums.iter().map(|(((step, at, user), action), sums)| {
            let Sums { operations, failures, duration_ms, timed, bytes, scanned, skipped, .. } = sums;
            let (hits, misses) = (sums.cache_hits, sums.cache_misses);
            let at = at.to_string();
            json!([
                step.name(),
                at,
                user,
                action,
                operations,
                failures,
                duration_ms,
                timed,
                bytes,
                scanned,
                skipped,
                hits,
                misses
            ])
        });
        rows.collect()
    }

    /// Returns the rows with the numbers of errors, as a JSON array.
    pub fn error_rows(&self) -> Value {
        let rows = self.errors.iter();
        rows.map(|(((step, at, user), code), count)| json!([step.name(), at.to_string(), user, code, count]))
            .collect()
    }

    /// Returns the rows with the sketches, as a JSON array.
    pub fn latency_rows(&self) -> Value {
        let rows = self.latencies.iter().map(|(((step, at, user), class), latency)| {
            json!([step.name(), at.to_string(), user, class.name(), latency.encode()])
        });
        rows.collect()
    }

    /// Returns the rows with the sums since the beginning, as a JSON array.
    pub fn total_rows(&self) -> Value {
        let rows = self.totals.iter().map(|((action, code), sums)| {
            let Sums { operations, duration_ms, timed, bytes, scanned, skipped, .. } = sums;
            let (hits, misses) = (sums.cache_hits, sums.cache_misses);
            json!([action, code, operations, duration_ms, timed, bytes, scanned, skipped, hits, misses])
        });
        rows.collect()
    }
}
