//! What a user has stored, beside what the user may store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;

/// A row of the quota of a user, with what counts against it.
#[derive(Debug, Deserialize)]
pub struct QuotaRow {
    quota_bytes: u64,
    used_bytes: u64,
    reserved_bytes: u64,
    files: u64,
    waiting_files: u64,
    waiting_bytes: u64,
}

/// What a user has stored, beside what the user may store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Bytes that the user may keep.
    pub quota_bytes: u64,
    /// Bytes of the files that are kept, those in the trash included.
    pub used_bytes: u64,
    /// Bytes reserved for uploads that are not complete.
    pub reserved_bytes: u64,
    /// Bytes of permanently deleted files that wait for their purge.
    pub waiting_bytes: u64,
    /// Allowance for waiting bytes. Uploads are refused while used, reserved and waiting bytes together exceed quota and
    /// allowance.
    pub waiting_allowance_bytes: u64,
    /// Number of files, those in the trash and unfinished uploads included.
    pub files: u64,
    /// Number of permanently deleted files that wait for their purge.
    pub waiting_files: u64,
    /// Number of files that the user may have; with waiting files, twice as many.
    pub max_files: u64,
}

impl UsageView {
    /// The view of a row.
    pub fn new(row: QuotaRow, config: &Config) -> Self {
        let percent = u64::from(config.waiting_quota_percent);
        Self {
            quota_bytes: row.quota_bytes,
            used_bytes: row.used_bytes,
            reserved_bytes: row.reserved_bytes,
            waiting_bytes: row.waiting_bytes,
            waiting_allowance_bytes: row.quota_bytes.saturating_mul(percent) / 100,
            files: row.files,
            waiting_files: row.waiting_files,
            max_files: config.max_files_per_user,
        }
    }
}
