//! The limits and the usage of a user.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;
use crate::domain::prices::Micros;
use crate::domain::spending::{WhenBudgetSpent, is_spent};
use crate::domain::time::Timestamp;

/// A row that the database returns: the limits of a user, and how many bytes and files the user has.
#[derive(Debug, Deserialize)]
pub struct QuotaRow {
    #[serde(flatten)]
    limits: LimitsRow,
    used_bytes: u64,
    reserved_bytes: u64,
    files: u64,
    waiting_files: u64,
    waiting_bytes: u64,
    spool_bytes: u64,
    upload_files: u64,
    upload_bytes: u64,
    derived_files: u64,
    derived_bytes: u64,
    import_files: u64,
    import_bytes: u64,
    trash_files: u64,
    trash_bytes: u64,
}

/// The limits in a row of `quotas`. `None` is the default of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct LimitsRow {
    pub quota_bytes: Option<u64>,
    pub quota_files: Option<u64>,
    pub purge_allowance_bytes: Option<u64>,
    pub budget_micros: Option<u64>,
    pub when_budget_spent: Option<WhenBudgetSpent>,
    pub budget_spent_month: Option<String>,
}

impl LimitsRow {
    /// Returns the monthly budget in dollars.
    pub fn budget_usd(&self) -> Option<f64> {
        self.budget_micros.map(|micros| Micros(micros).dollars())
    }

    /// Whether the budget of the month of `now` is spent.
    pub fn is_budget_spent(&self, now: Timestamp) -> bool {
        is_spent(self.budget_spent_month.as_deref(), now)
    }
}

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct KindView {
    /// Bytes of these files.
    pub bytes: u64,
    /// Number of these files.
    pub files: u64,
}

/// The kept files by kind. Each file counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct KindsView {
    /// Uploaded files.
    pub uploads: KindView,
    /// Saved cuts.
    pub derived: KindView,
    /// Files of every kind in the trash.
    pub trash: KindView,
    /// Files that an operator imported.
    pub imports: KindView,
}

/// The limits and the usage of a user.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
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
    pub purge_bytes: u64,
    /// Allowance for these bytes. An upload is refused if used, reserved, spooled and waiting bytes together would exceed
    /// the sum of quota and allowance.
    pub purge_allowance_bytes: u64,
    /// Number of permanently deleted files that wait for their purge.
    pub purge_files: u64,
    /// Number of files, including files in the trash and unfinished uploads.
    pub files: u64,
    /// Greatest number of files that the user may have. The sum of `files` and `purgeFiles` may be up to twice this
    /// number.
    pub quota_files: u64,
    /// The kept files by kind.
    pub kinds: KindsView,
    /// Monthly budget in US dollars; null if there is none.
    pub budget_usd: Option<f64>,
    /// What happens when the budget is spent: `warn`, `refuseCuts` (also saved cuts) or `refuseChanges` (also uploads).
    pub when_budget_spent: WhenBudgetSpent,
    /// Whether the estimated cost of the current month has reached the budget. It is updated every 5 minutes.
    pub budget_spent: bool,
    /// Older name of `purgeBytes`.
    pub waiting_bytes: u64,
    /// Older name of `purgeAllowanceBytes`.
    pub waiting_allowance_bytes: u64,
    /// Older name of `purgeFiles`.
    pub waiting_files: u64,
    /// Older name of `quotaFiles`.
    pub max_files: u64,
}

impl UsageView {
    /// Creates the view of a row.
    pub fn new(row: QuotaRow, config: &Config, now: Timestamp) -> Self {
        let limits = &row.limits;
        let percent = u64::from(config.waiting_quota_percent);
        let quota_bytes = limits.quota_bytes.unwrap_or(config.default_quota_bytes);
        let allowance = limits.purge_allowance_bytes.unwrap_or(quota_bytes.saturating_mul(percent) / 100);
        let quota_files = limits.quota_files.unwrap_or(config.max_files_per_user);
        Self {
            quota_bytes,
            used_bytes: row.used_bytes,
            reserved_bytes: row.reserved_bytes,
            spool_bytes: row.spool_bytes,
            purge_bytes: row.waiting_bytes,
            purge_allowance_bytes: allowance,
            purge_files: row.waiting_files,
            files: row.files,
            quota_files,
            kinds: KindsView {
                uploads: KindView { bytes: row.upload_bytes, files: row.upload_files },
                derived: KindView { bytes: row.derived_bytes, files: row.derived_files },
                trash: KindView { bytes: row.trash_bytes, files: row.trash_files },
                imports: KindView { bytes: row.import_bytes, files: row.import_files },
            },
            budget_usd: limits.budget_usd(),
            when_budget_spent: limits.when_budget_spent.unwrap_or_default(),
            budget_spent: limits.is_budget_spent(now),
            waiting_bytes: row.waiting_bytes,
            waiting_allowance_bytes: allowance,
            waiting_files: row.waiting_files,
            max_files: quota_files,
        }
    }
}
