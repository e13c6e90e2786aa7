//! Metrics in the text format of OpenMetrics 1.0, for Prometheus and others.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::json;

use super::MetricsService;
use super::rollup::Sums;
use crate::domain::prices::{needed_operations, stores_bytes};
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::from_row;
use crate::sql::metrics as sql;

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Deserialize)]
struct TotalSums {
    action: String,
    code: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Deserialize)]
struct CurrentState {
    stored_bytes: i64,
    files: i64,
    findings: i64,
    waiting_entries: i64,
    waiting_messages: i64,
}

#[derive(Deserialize)]
struct LastRun {
    kind: String,
    finished_at: Option<Timestamp>,
    failed: Option<i64>,
    has_error: Option<i64>,
}

/// The text, as far as it is written.
struct Text(String);

impl Text {
    /// Begins a family of metrics. `unit` is empty if the name has no unit.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ok = writeln!(self.0, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ok = writeln!(self.0, "# UNIT {name} {unit}");
        }
        let _ok = writeln!(self.0, "# HELP {name} {help}");
    }

    /// Writes a sample.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ok = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl MetricsService<'_> {
    /// Returns all metrics as text. `sweeps` are the names of the sweeps. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn open_metrics(&self, sweeps: &[&str]) -> Result<String> {
        let kinds = json!(sweeps).to_string();
        let statements = vec![
            sql::Totals {}.statement(),
            sql::Now {}.statement(),
            sql::LastRuns { kinds: &kinds }.statement(),
        ];
        let mut results = self.app.database.batch(statements).await?.into_iter();
        let totals = results
            .next()
            .unwrap_or_default()
            .into_iter()
            .map(from_row)
            .collect::<Result<Vec<TotalSums>>>()?;
        let now = results.next().and_then(|mut rows| rows.pop());
        let now: CurrentState = from_row(now.ok_or_else(|| Problem::internal("metric_stored has no row"))?)?;
        let runs =
            results.next().unwrap_or_default().into_iter().map(from_row).collect::<Result<Vec<LastRun>>>()?;
        let mut text = Text(String::new());
        write_operations(&mut text, &totals);
        write_state(&mut text, &now);
        write_sweeps(&mut text, &runs);
        text.family("cutty_build", "info", "", "Version of the Worker.");
        text.sample("cutty_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        text.0 += "# EOF\n";
        Ok(text.0)
    }
}

fn write_operations(text: &mut Text, totals: &[TotalSums]) {
    text.family(
        "cutty_operations",
        "counter",
        "",
        "Operations by action and error code; the code of a success is empty.",
    );
    for TotalSums { action, code, sums } in totals {
        text.sample("cutty_operations_total", &[("action", action), ("code", code)], sums.operations);
    }
    let mut actions: BTreeMap<&str, Sums> = BTreeMap::new();
    for TotalSums { action, sums, .. } in totals {
        actions.entry(action).or_default().add(sums);
    }
    text.family(
        "cutty_operation_duration_seconds",
        "summary",
        "seconds",
        "Durations of operations by action.",
    );
    for (action, sums) in &actions {
        let labels = [("action", *action)];
        #[allow(clippy::cast_precision_loss)]
        let seconds = sums.duration_ms as f64 / 1000.0;
        text.sample("cutty_operation_duration_seconds_count", &labels, sums.timed);
        text.sample("cutty_operation_duration_seconds_sum", &labels, seconds);
    }
    let (mut bytes_in, mut bytes_out, mut all, mut needed) = (0, 0, Sums::default(), [0; 4]);
    for (action, sums) in &actions {
        *(if stores_bytes(action) { &mut bytes_in } else { &mut bytes_out }) += sums.bytes;
        all.add(sums);
        for (sum, each) in needed.iter_mut().zip(needed_operations(action)) {
            *sum += each * sums.operations;
        }
    }
    let [class_a, class_b, rows_read, rows_written] = needed;
    let counters = [
        ("cutty_received_bytes", "bytes", "Bytes of uploads and saved cuts.", bytes_in),
        ("cutty_sent_bytes", "bytes", "Bytes of downloads and of the results of cuts.", bytes_out),
        ("cutty_scanned_bytes", "bytes", "Bytes of files that cuts read.", all.scanned),
        ("cutty_skipped_bytes", "bytes", "Bytes of files that cuts skipped.", all.skipped),
        ("cutty_cache_hits", "", "Operations that a cache answered.", all.cache_hits),
        ("cutty_cache_misses", "", "Operations that no cache could answer.", all.cache_misses),
        (
            "cutty_r2_class_a_operations",
            "",
            "R2 operations of class A, estimated from the operations.",
            class_a,
        ),
        (
            "cutty_r2_class_b_operations",
            "",
            "R2 operations of class B, estimated from the operations.",
            class_b,
        ),
        ("cutty_d1_rows_read", "", "Rows that D1 read, estimated from the operations.", rows_read),
        ("cutty_d1_rows_written", "", "Rows that D1 wrote, estimated from the operations.", rows_written),
    ];
    for (name, unit, help, value) in counters {
        text.family(name, "counter", unit, help);
        text.sample(&format!("{name}_total"), &[], value);
    }
}

fn write_state(text: &mut Text, now: &CurrentState) {
    let gauges = [
        ("cutty_stored_bytes", "bytes", "Bytes of all stored files.", now.stored_bytes),
        ("cutty_files", "", "Stored files.", now.files),
        ("cutty_open_findings", "", "Findings that are not resolved, at most 1,000.", now.findings),
        (
            "cutty_waiting_audit_entries",
            "",
            "Sealed entries of the audit log that the metrics do not count yet.",
            now.waiting_entries,
        ),
        ("cutty_waiting_emails", "", "Messages that wait to be sent, at most 1,000.", now.waiting_messages),
    ];
    for (name, unit, help, value) in gauges {
        text.family(name, "gauge", unit, help);
        text.sample(name, &[], value);
    }
}

fn write_sweeps(text: &mut Text, runs: &[LastRun]) {
    text.family(
        "cutty_sweep_last_run_timestamp_seconds",
        "gauge",
        "seconds",
        "When the last run of a sweep ended.",
    );
    for run in runs {
        if let Some(finished_at) = run.finished_at {
            let seconds = finished_at.instant().timestamp();
            text.sample("cutty_sweep_last_run_timestamp_seconds", &[("sweep", &run.kind)], seconds);
        }
    }
    text.family("cutty_sweep_failed_items", "gauge", "", "Items that failed in the last run of a sweep.");
    for run in runs {
        if let Some(failed) = run.failed {
            text.sample("cutty_sweep_failed_items", &[("sweep", &run.kind)], failed);
        }
    }
    text.family("cutty_sweep_stopped", "gauge", "", "1 if an error stopped the last run of a sweep.");
    for run in runs {
        if let Some(has_error) = run.has_error {
            text.sample("cutty_sweep_stopped", &[("sweep", &run.kind)], has_error);
        }
    }
}
