//! The quota and the usage of a user.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;

/// A row that the database returns: the quota of a user, and how many bytes and files the user has.
#[derive(Debug, Deserialize)]
pub struct QuotaRow {
    quota_bytes: u64,
    used_bytes: u64,
    reserved_bytes: u64,
    files: u64,
    waiting_files: u64,
    waiting_bytes: u64,
    spool_bytes: u64,
}

/// The quota and the usage of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Bytes that the user may keep.
    pub quota_bytes: u64,
    /// Bytes of the user's files, including files in the trash.
    pub used_bytes: u64,
    /// Bytes reserved for uploads that are not complete.
    pub reserved_bytes: u64,
    /// Bytes reserved for spools. A spool is the whole result of a cut, stored until the result has been sent.
    pub spool_bytes: u64,
    /// Bytes of permanently deleted files that wait for their purge.
    pub waiting_bytes: u64,
    /// Allowance for waiting bytes. An upload is refused if used, reserved, spooled and waiting bytes together would
    /// exceed the sum of quota and allowance.
    pub waiting_allowance_bytes: u64,
    /// Number of files, including files in the trash and unfinished uploads.
    pub files: u64,
    /// Number of permanently deleted files that wait for their purge.
    pub waiting_files: u64,
    /// Greatest number of files that the user may have. The sum of `files` and `waitingFiles` may be up to twice this
    /// number.
    pub max_files: u64,
}

impl UsageView {
    /// Creates the view of a row.
    pub fn new(row: QuotaRow, config: &Config) -> Self {
        let percent = u64::from(config.waiting_quota_percent);
        Self {
            quota_bytes: row.quota_bytes,
            used_bytes: row.used_bytes,
            reserved_bytes: row.reserved_bytes,
            spool_bytes: row.spool_bytes,
            waiting_bytes: row.waiting_bytes,
            waiting_allowance_bytes: row.quota_bytes.saturating_mul(percent) / 100,
            files: row.files,
            waiting_files: row.waiting_files,
            max_files: config.max_files_per_user,
        }
    }
}
