//! Estimates: what a cut would read and cost, computed without running the cut.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::open::{OpenFile, digests_in};
use super::problems::request_problem;
use super::service::CutService;
use crate::csv::request::CutRequest;
use crate::error::Result;
use crate::storage::file::FileRow;

/// CPU time of a cut, in milliseconds per gigabyte read. It was measured locally, including the CPU time of the
/// simulators of R2 and D1, and rounded up.
const CPU_MS_PER_GB: f64 = 1500.0;

/// Number of D1 calls of a cut: one reads the account, one reads the file, and two write the receipt.
const D1_CALLS: u64 = 4;

/// List prices of the platform's paid plan, in US dollars: per million requests, per million CPU milliseconds, and per
/// million R2 reads (class B).
const USD_PER_MILLION_REQUESTS: f64 = 0.30;
const USD_PER_MILLION_CPU_MS: f64 = 0.02;
const USD_PER_MILLION_R2_READS: f64 = 0.36;

/// The estimate of a cut.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// `index` if the estimate uses the file's row index. `size` if the file has no row index, or if the cut uses
    /// another dialect than the file's profile does.
    pub basis: &'static str,
    /// Length of the file, in bytes.
    pub bytes_total: u64,
    /// Maximum number of bytes of the file that the cut would read.
    pub bytes_to_scan: u64,
    /// Number of bytes in skipped zones. No row of these zones can match.
    pub bytes_skipped: u64,
    /// Number of rows of the file; null if it is not known yet.
    pub rows_total: Option<u64>,
    /// Maximum number of rows of the result; null if it is not known yet.
    pub rows_at_most: Option<u64>,
    /// Number of R2 reads (class B operations).
    pub r2_reads: u64,
    /// Number of D1 calls.
    pub d1_calls: u64,
    /// Number of calls to other services. One request may make at most 1,000 such calls.
    pub subrequests: u64,
    /// Approximate CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Approximate cost in US dollars, by the platform's list prices of 2026.
    pub cost_usd: f64,
}

impl CutService {
    /// Estimates what a cut would read and cost.
    ///
    /// # Errors
    /// The errors of [`Self::prepare`].
    pub async fn estimate(&self, file: &FileRow, request: &CutRequest) -> Result<Estimate> {
        let profile = self.storage.profile(file).await?;
        self.check_operands(file, request, profile.as_deref())?;
        self.check_known_failure(file, request, profile.as_deref())?;
        let planned = self.usable_profile(file, request, profile.as_deref())?;
        if planned.is_none() {
            let (file, digests) = (Arc::new(file.clone()), digests_in(profile.as_deref()));
            let OpenFile { opened, mut scan, .. } =
                self.open(file, request.input.clone(), digests, None).await?;
            scan.cancel().await;
            request.plan(&opened.header).map_err(request_problem)?;
        }
        let profile_read = u64::from(profile.is_some());
        let has_index = planned.as_ref().is_some_and(|(profile, _)| profile.index.is_some());
        let rows_total = file.row_count.filter(|_| file.is_read_as_profiled(&request.input));
        let (scanned, skipped, reads, rows) = match planned.as_ref().and_then(|(_, plan)| plan.as_ref()) {
            Some(plan) => {
                let rows = rows_total.map(|total| total - plan.rows_skipped.min(total));
                (plan.bytes_scanned, plan.bytes_skipped, plan.ranges.len() as u64, rows)
            }
            None => (file.file_size, 0, 1, rows_total),
        };
        let wanted = request.limit.unwrap_or(u64::MAX);
        let r2_reads = reads + profile_read;
        let cpu_ms = (scanned as f64 / 1e9 * CPU_MS_PER_GB).ceil();
        Ok(Estimate {
            basis: if has_index { "index" } else { "size" },
            bytes_total: file.file_size,
            bytes_to_scan: scanned,
            bytes_skipped: skipped,
            rows_total,
            rows_at_most: rows.map(|rows| rows.saturating_sub(request.offset).min(wanted)),
            r2_reads,
            d1_calls: D1_CALLS,
            subrequests: r2_reads + D1_CALLS,
            cpu_ms: cpu_ms as u64,
            cost_usd: (USD_PER_MILLION_REQUESTS
                + cpu_ms * USD_PER_MILLION_CPU_MS
                + r2_reads as f64 * USD_PER_MILLION_R2_READS)
                / 1e6,
        })
    }
}
