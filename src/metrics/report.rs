//! What the sums say about a range of time.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MetricsService;
use super::latency::{Latency, LatencyClass};
use super::rollup::{MetricStep, Sums};
use crate::domain::prices::{needed_operations, stores_bytes};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, from_row};
use crate::sql::metrics as sql;

/// Maximum number of points of a series.
pub const MAX_POINTS: i64 = 1000;

/// A range of time, and whose operations are asked for.
#[derive(Debug, Clone)]
pub struct MetricsQuery {
    /// The length of the buckets that are read.
    pub step: MetricStep,
    /// Start, at the start of a bucket.
    pub from: Timestamp,
    /// End, at the start of a bucket. The operations at this time are not included.
    pub to: Timestamp,
    /// Id of a user; empty for all users.
    pub user: String,
}

impl MetricsQuery {
    /// Chooses the buckets for a range: the shortest that are kept for the whole range and are few.
    pub fn choose((from, to): (Timestamp, Timestamp), user: String, now: Timestamp) -> Self {
        let fits = |step: &MetricStep| {
            let is_kept = from >= now.plus(-step.retention());
            let buckets = (to.instant() - from.instant()).num_seconds() / step.length().num_seconds();
            is_kept && buckets <= 336 && (user.is_empty() || step.has_users())
        };
        let step = MetricStep::ALL.into_iter().find(fits).unwrap_or(MetricStep::Day);
        Self::with_step(step, (from, to), user)
    }

    /// Makes a query with buckets of this length. The range is extended to whole buckets.
    pub fn with_step(step: MetricStep, (from, to): (Timestamp, Timestamp), user: String) -> Self {
        let end = step.start_of(to);
        let to = if end == to { to } else { end.plus(step.length()) };
        Self { step, from: step.start_of(from), to, user }
    }

    /// Returns the number of buckets.
    pub fn buckets(&self) -> i64 {
        (self.to.instant() - self.from.instant()).num_seconds() / self.step.length().num_seconds()
    }
}

/// Operations of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActionMetrics {
    /// Number of operations.
    pub operations: u64,
    /// Number of operations that failed.
    pub failures: u64,
}

/// A user with many operations.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopUser {
    /// Id of the user.
    pub user_id: String,
    /// Username; null if the account does not exist.
    pub username: Option<String>,
    /// Number of operations.
    pub operations: u64,
    /// Bytes transferred.
    pub bytes_transferred: u64,
}

/// All operations of a range of time. Means and percentiles are in milliseconds, and null if no operation has a duration.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSummary {
    /// Start of the range.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// End of the range.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Number of operations.
    pub total_operations: u64,
    /// Part of the operations that succeeded, 0 to 1; null without operations.
    pub success_rate: Option<f64>,
    /// Mean duration.
    pub average_response_time: Option<f64>,
    /// Median of the durations.
    pub p50: Option<f64>,
    /// 95th percentile of the durations.
    pub p95: Option<f64>,
    /// 99th percentile of the durations.
    pub p99: Option<f64>,
    /// Bytes in and out.
    pub total_bytes_transferred: u64,
    /// Bytes of uploads and saved cuts.
    pub bytes_in: u64,
    /// Bytes of downloads, and of the results of cuts.
    pub bytes_out: u64,
    /// Bytes of files that cuts read.
    pub scanned_bytes: u64,
    /// Bytes of files that cuts skipped.
    pub skipped_bytes: u64,
    /// Operations that a cache answered.
    pub cache_hits: u64,
    /// Operations that no cache could answer.
    pub cache_misses: u64,
    /// Part of the operations with a cache that it answered, 0 to 1; null without such operations.
    pub cache_hit_rate: Option<f64>,
    /// Operations by action.
    pub operation_breakdown: BTreeMap<String, ActionMetrics>,
    /// Number of errors by code.
    pub error_breakdown: BTreeMap<String, u64>,
    /// The ten users with the most operations; empty if the query names a user.
    pub top_users: Vec<TopUser>,
}

/// Uploads of a range of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadMetrics {
    /// Mean duration in milliseconds.
    pub average_upload_time: Option<f64>,
    /// Bytes per second of an upload.
    pub average_upload_speed: Option<f64>,
    /// Part of the uploads that succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// Number of uploads.
    pub total_uploads: u64,
    /// Median of the durations.
    pub p50: Option<f64>,
    /// 95th percentile of the durations.
    pub p95: Option<f64>,
    /// 99th percentile of the durations.
    pub p99: Option<f64>,
}

/// Downloads of a range of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DownloadMetrics {
    /// Mean duration in milliseconds.
    pub average_download_time: Option<f64>,
    /// Bytes per second of a download.
    pub average_download_speed: Option<f64>,
    /// Part of the downloads that a cache answered, 0 to 1; null if none had a cache.
    pub cache_hit_rate: Option<f64>,
    /// Number of downloads.
    pub total_downloads: u64,
    /// Median of the durations.
    pub p50: Option<f64>,
    /// 95th percentile of the durations.
    pub p95: Option<f64>,
    /// 99th percentile of the durations.
    pub p99: Option<f64>,
}

/// Cuts and saved cuts of a range of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessingMetrics {
    /// Mean duration in milliseconds.
    pub average_processing_time: Option<f64>,
    /// Number of cuts.
    pub total_processing_operations: u64,
    /// Part of the cuts that succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// Median of the durations.
    pub p50: Option<f64>,
    /// 95th percentile of the durations.
    pub p95: Option<f64>,
    /// 99th percentile of the durations.
    pub p99: Option<f64>,
}

/// How fast uploads, downloads and cuts were in a range of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceMetrics {
    /// Start of the range.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// End of the range.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Uploads.
    pub upload_metrics: UploadMetrics,
    /// Downloads.
    pub download_metrics: DownloadMetrics,
    /// Cuts.
    pub processing_metrics: ProcessingMetrics,
}

/// The operations of one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPoint {
    /// Start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Number of operations.
    pub operations: u64,
    /// Number of operations that failed.
    pub failures: u64,
    /// Mean duration in milliseconds.
    pub average_response_time: Option<f64>,
    /// Median of the durations.
    pub p50: Option<f64>,
    /// 95th percentile of the durations.
    pub p95: Option<f64>,
    /// 99th percentile of the durations.
    pub p99: Option<f64>,
    /// Bytes of uploads and saved cuts.
    pub bytes_in: u64,
    /// Bytes of downloads, and of the results of cuts.
    pub bytes_out: u64,
    /// Operations that a cache answered.
    pub cache_hits: u64,
    /// Operations that no cache could answer.
    pub cache_misses: u64,
    /// Operations of R2 class A that the operations need, as estimated for the cost.
    pub r2_class_a: u64,
    /// Operations of R2 class B, estimated.
    pub r2_class_b: u64,
    /// Rows that D1 reads, estimated.
    pub d1_rows_read: u64,
    /// Rows that D1 writes, estimated.
    pub d1_rows_written: u64,
    /// Bytes that all users stored at the end of the bucket; null if it is not known, or if the query names a user.
    pub stored_bytes: Option<u64>,
    /// Files of all users at the end of the bucket; null like `storedBytes`.
    pub files: Option<u64>,
}

/// Operations by bucket.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MetricsSeries {
    /// Length of a bucket: `5m`, `1h` or `1d`.
    pub step: &'static str,
    /// Start of the first bucket.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// End of the last bucket.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The buckets in the order of time, also those without operations.
    pub points: Vec<SeriesPoint>,
}

#[derive(Deserialize)]
struct TopUserRow {
    user_id: String,
    username: Option<String>,
    operations: u64,
    bytes: u64,
}

impl From<TopUserRow> for TopUser {
    fn from(row: TopUserRow) -> Self {
        let TopUserRow { user_id, username, operations, bytes } = row;
        Self { user_id, username, operations, bytes_transferred: bytes }
    }
}

#[derive(Deserialize)]
struct ActionSums {
    action: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Deserialize)]
struct BucketSums {
    at: Timestamp,
    action: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Deserialize)]
struct ErrorCount {
    code: String,
    count: u64,
}

#[derive(Deserialize)]
struct StoredSketch {
    at: Timestamp,
    class: String,
    sketch: String,
}

#[derive(Deserialize)]
struct StoredGauge {
    at: Timestamp,
    stored_bytes: i64,
    files: i64,
}

impl MetricsService<'_> {
    /// Returns the summary of a range. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn summary(&self, query: &MetricsQuery) -> Result<MetricsSummary> {
        let MetricsQuery { step, from, to, user } = query;
        let (step, from, to, user) = (step.name(), *from, *to, user.as_str());
        // Buckets of 5 minutes have no users, so their operations come from the buckets of an hour.
        let users_step = if query.step.has_users() { query.step } else { MetricStep::Hour };
        let of_users = sql::TopUsers { step: users_step.name(), from: users_step.start_of(from), to };
        let mut statements = vec![
            sql::SumsByAction { step, from, to, user }.statement(),
            sql::ErrorsByCode { step, from, to, user }.statement(),
            sql::Latencies { step, from, to, user }.statement(),
        ];
        if user.is_empty() {
            statements.push(of_users.statement());
        }
        let mut results = self.app.database.batch(statements).await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let actions = read_all::<ActionSums>(next())?;
        let errors = read_all::<ErrorCount>(next())?;
        let latency = merged(&read_all(next())?, |_| true);
        let top_users = read_all::<TopUserRow>(next())?.into_iter().map(TopUser::from).collect();
        let (mut all, mut bytes_in, mut bytes_out) = (Sums::default(), 0, 0);
        for ActionSums { action, sums } in &actions {
            all.add(sums);
            *(if stores_bytes(action) { &mut bytes_in } else { &mut bytes_out }) += sums.bytes;
        }
        Ok(MetricsSummary {
            from,
            to,
            total_operations: all.operations,
            success_rate: success_rate(&all),
            average_response_time: all.mean_ms(),
            p50: latency.percentile(0.5),
            p95: latency.percentile(0.95),
            p99: latency.percentile(0.99),
            total_bytes_transferred: all.bytes,
            bytes_in,
            bytes_out,
            scanned_bytes: all.scanned,
            skipped_bytes: all.skipped,
            cache_hits: all.cache_hits,
            cache_misses: all.cache_misses,
            cache_hit_rate: rate(all.cache_hits, all.cache_hits + all.cache_misses),
            operation_breakdown: actions
                .into_iter()
                .map(|ActionSums { action, sums: Sums { operations, failures, .. } }| {
                    (action, ActionMetrics { operations, failures })
                })
                .collect(),
            error_breakdown: errors.into_iter().map(|error| (error.code, error.count)).collect(),
            top_users,
        })
    }

    /// Returns how fast uploads, downloads and cuts were. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn performance(&self, query: &MetricsQuery) -> Result<PerformanceMetrics> {
        let MetricsQuery { step, from, to, user } = query;
        let (step, from, to, user) = (step.name(), *from, *to, user.as_str());
        let statements = vec![
            sql::SumsByAction { step, from, to, user }.statement(),
            sql::Latencies { step, from, to, user }.statement(),
        ];
        let mut results = self.app.database.batch(statements).await?.into_iter();
        let actions = read_all::<ActionSums>(results.next().unwrap_or_default())?;
        let sketches = read_all::<StoredSketch>(results.next().unwrap_or_default())?;
        let of = |class: LatencyClass| {
            let mut all = Sums::default();
            for row in actions.iter().filter(|row| LatencyClass::of(&row.action) == class) {
                all.add(&row.sums);
            }
            let latency = merged(&sketches, |row| row.class == class.name());
            (all, latency)
        };
        let (uploads, upload_latency) = of(LatencyClass::Upload);
        let (downloads, download_latency) = of(LatencyClass::Download);
        let (cuts, cut_latency) = of(LatencyClass::Process);
        Ok(PerformanceMetrics {
            from,
            to,
            upload_metrics: UploadMetrics {
                average_upload_time: uploads.mean_ms(),
                average_upload_speed: speed(&uploads),
                success_rate: success_rate(&uploads),
                total_uploads: uploads.operations,
                p50: upload_latency.percentile(0.5),
                p95: upload_latency.percentile(0.95),
                p99: upload_latency.percentile(0.99),
            },
            download_metrics: DownloadMetrics {
                average_download_time: downloads.mean_ms(),
                average_download_speed: speed(&downloads),
                cache_hit_rate: rate(downloads.cache_hits, downloads.cache_hits + downloads.cache_misses),
                total_downloads: downloads.operations,
                p50: download_latency.percentile(0.5),
                p95: download_latency.percentile(0.95),
                p99: download_latency.percentile(0.99),
            },
            processing_metrics: ProcessingMetrics {
                average_processing_time: cuts.mean_ms(),
                total_processing_operations: cuts.operations,
                success_rate: success_rate(&cuts),
                p50: cut_latency.percentile(0.5),
                p95: cut_latency.percentile(0.95),
                p99: cut_latency.percentile(0.99),
            },
        })
    }

    /// Returns the operations of each bucket. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn series(&self, query: &MetricsQuery) -> Result<MetricsSeries> {
        let MetricsQuery { step, from, to, user } = query;
        let (name, from, to, user) = (step.name(), *from, *to, user.as_str());
        let statements = vec![
            sql::SumsByBucket { step: name, from, to, user }.statement(),
            sql::Latencies { step: name, from, to, user }.statement(),
            sql::Gauges { step: name, from, to }.statement(),
        ];
        let mut results = self.app.database.batch(statements).await?.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let mut buckets: BTreeMap<Timestamp, Vec<(String, Sums)>> = BTreeMap::new();
        for BucketSums { at, action, sums } in read_all(next())? {
            buckets.entry(at).or_default().push((action, sums));
        }
        let mut latencies: BTreeMap<Timestamp, Latency> = BTreeMap::new();
        for StoredSketch { at, sketch, .. } in read_all(next())? {
            if let Some(one) = Latency::decode(&sketch) {
                latencies.entry(at).or_default().merge(&one);
            }
        }
        let gauges = read_all::<StoredGauge>(next())?;
        let gauges: BTreeMap<_, _> = gauges.into_iter().map(|row| (row.at, row)).collect();
        let count = i32::try_from(query.buckets().min(MAX_POINTS)).unwrap_or(0);
        let points = (0..count).map(|place| {
            let at = from.plus(step.length() * place);
            let gauge = gauges.get(&at).filter(|_| user.is_empty());
            point(at, buckets.get(&at).map_or(&[], Vec::as_slice), latencies.get(&at), gauge)
        });
        Ok(MetricsSeries { step: name, from, to, points: points.collect() })
    }
}

fn point(
    at: Timestamp,
    actions: &[(String, Sums)],
    latency: Option<&Latency>,
    gauge: Option<&StoredGauge>,
) -> SeriesPoint {
    let (mut all, mut bytes_in, mut bytes_out) = (Sums::default(), 0, 0);
    let mut needed = [0; 4];
    for (action, sums) in actions {
        all.add(sums);
        *(if stores_bytes(action) { &mut bytes_in } else { &mut bytes_out }) += sums.bytes;
        for (sum, each) in needed.iter_mut().zip(needed_operations(action)) {
            *sum += each * sums.operations;
        }
    }
    let [r2_class_a, r2_class_b, d1_rows_read, d1_rows_written] = needed;
    let percentile = |fraction| latency.and_then(|latency| latency.percentile(fraction));
    SeriesPoint {
        at,
        operations: all.operations,
        failures: all.failures,
        average_response_time: all.mean_ms(),
        p50: percentile(0.5),
        p95: percentile(0.95),
        p99: percentile(0.99),
        bytes_in,
        bytes_out,
        cache_hits: all.cache_hits,
        cache_misses: all.cache_misses,
        r2_class_a,
        r2_class_b,
        d1_rows_read,
        d1_rows_written,
        stored_bytes: gauge.and_then(|gauge| u64::try_from(gauge.stored_bytes).ok()),
        files: gauge.and_then(|gauge| u64::try_from(gauge.files).ok()),
    }
}

fn read_all<T: serde::de::DeserializeOwned>(rows: Vec<Row>) -> Result<Vec<T>> {
    rows.into_iter().map(from_row).collect()
}

fn merged(rows: &[StoredSketch], wanted: impl Fn(&StoredSketch) -> bool) -> Latency {
    let mut all = Latency::default();
    for row in rows.iter().filter(|row| wanted(row)) {
        if let Some(one) = Latency::decode(&row.sketch) {
            all.merge(&one);
        }
    }
    all
}

#[allow(clippy::cast_precision_loss)]
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn success_rate(sums: &Sums) -> Option<f64> {
    rate(sums.operations - sums.failures.min(sums.operations), sums.operations)
}

#[allow(clippy::cast_precision_loss)]
fn speed(sums: &Sums) -> Option<f64> {
    let seconds =
        TimeDelta::milliseconds(i64::try_from(sums.duration_ms).unwrap_or(i64::MAX)).as_seconds_f64();
    (seconds > 0.0).then(|| sums.bytes as f64 / seconds)
}
