//! Deletes rows whose retention is over. Each table has its own sweep. A sweep costs at most 3 D1 calls per run.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::config::Config;
use crate::domain::ids::{AttemptId, EventId, FreshId};
use crate::domain::month::Month;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::Statement;
use crate::sql;

/// Maximum number of rows that one call deletes.
const ROWS_PER_CALL: u64 = 1_000;

/// Maximum number of calls per run. With a run every five minutes, a sweep deletes up to 10 rows per second.
const CALLS_PER_RUN: u32 = 3;

/// How long a commit marker is kept after its attempt has begun. An attempt lasts at most 8 days. So no request can
/// commit an attempt whose marker was deleted.
const MARKER_RETENTION: TimeDelta = TimeDelta::days(14);

/// How long a resolved finding is kept.
const FINDING_RETENTION: TimeDelta = TimeDelta::days(90);

/// How long the state of a background pass is kept if the pass makes no progress.
const PROGRESS_RETENTION: TimeDelta = TimeDelta::days(30);

/// How long an API key is kept after it has expired.
const EXPIRED_KEY_RETENTION: TimeDelta = TimeDelta::days(30);

/// How long the report of a sweep is kept.
const REPORT_RETENTION: TimeDelta = TimeDelta::days(30);

/// How many months before the current month the usage of users is kept.
const USAGE_RETENTION_MONTHS: u32 = 24;

/// Deletes the rows of one table whose retention is over.
pub struct Forget {
    name: &'static str,
    /// Returns the statement that deletes at most the given number of rows. The statement returns a row for each
    /// deleted row.
    statement: fn(&Config, Timestamp, u64) -> Statement,
}

/// Receipts of cuts that were not saved.
pub static RECEIPTS: Forget = Forget {
    name: "forget_receipts",
    statement: |config, now, limit| {
        sql::cuts::Forget { cutoff: days_before(now, config.receipt_retention_days), limit }.statement()
    },
};

/// Commit markers.
pub static MARKERS: Forget = Forget {
    name: "forget_markers",
    statement: |_, now, limit| {
        let before = first_id(now.plus(-MARKER_RETENTION));
        sql::files::ForgetMarkers { before, limit }.statement()
    },
};

/// Tombstones of purged files.
pub static TOMBSTONES: Forget = Forget {
    name: "forget_tombstones",
    statement: |config, now, limit| {
        let cutoff = days_before(now, config.tombstone_retention_days);
        sql::files::ForgetTombstones { cutoff, limit }.statement()
    },
};

/// Resolved findings.
pub static FINDINGS: Forget = Forget {
    name: "forget_findings",
    statement: |_, now, limit| {
        sql::sweeps::ForgetFindings { cutoff: now.plus(-FINDING_RETENTION), limit }.statement()
    },
};

/// States of background passes that ended without a result.
pub static PROGRESS: Forget = Forget {
    name: "forget_progress",
    statement: |_, now, limit| {
        sql::profiling::ForgetProgress { cutoff: now.plus(-PROGRESS_RETENTION), limit }.statement()
    },
};

/// Finished erasures.
pub static ERASURES: Forget = Forget {
    name: "forget_erasures",
    statement: |config, now, limit| {
        sql::erasure::Forget { cutoff: days_before(now, config.audit_retention_days), limit }.statement()
    },
};

/// API keys that have expired. Their owner sees them for this time, and can change their expiry.
pub static API_KEYS: Forget = Forget {
    name: "forget_api_keys",
    statement: |_, now, limit| {
        sql::api_keys::Forget { cutoff: now.plus(-EXPIRED_KEY_RETENTION), limit }.statement()
    },
};

/// Secrets of API keys whose overlap has ended.
pub static API_KEY_SECRETS: Forget = Forget {
    name: "forget_api_key_secrets",
    statement: |_, now, limit| sql::api_keys::ForgetSecrets { cutoff: now, limit }.statement(),
};

/// Shares that ended.
pub static SHARES: Forget = Forget {
    name: "forget_shares",
    statement: |_, now, limit| sql::shares::Forget { now, limit }.statement(),
};

/// Reports of sweeps.
pub static REPORTS: Forget = Forget {
    name: "forget_reports",
    statement: |_, now, limit| {
        let before = EventId::first_of(now.plus(-REPORT_RETENTION).instant());
        sql::sweeps::DeleteRuns { before, limit }.statement()
    },
};

/// What users did, by month.
pub static MONTHS: Forget = Forget {
    name: "forget_months",
    statement: |_, now, limit| {
        let before = Month::of(now).earlier(USAGE_RETENTION_MONTHS).to_string();
        sql::usage::ForgetMonths { before: &before, limit }.statement()
    },
};

/// What users stored, by day.
pub static DAYS: Forget = Forget {
    name: "forget_days",
    statement: |_, now, limit| {
        let before = format!("{}-01", Month::of(now).earlier(USAGE_RETENTION_MONTHS));
        sql::usage::ForgetDays { before: &before, limit }.statement()
    },
};

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.plus(-TimeDelta::days(days.into()))
}

/// Returns the smallest id of an attempt that begins at this time.
fn first_id(time: Timestamp) -> AttemptId {
    AttemptId::fresh(u64::try_from(time.instant().timestamp_millis()).unwrap_or(0), &[0; 10])
}

#[async_trait]
impl Sweep for Forget {
    fn name(&self) -> &'static str {
        self.name
    }

    fn max_items(&self) -> u64 {
        ROWS_PER_CALL * u64::from(CALLS_PER_RUN)
    }

    fn cost(&self) -> Cost {
        Cost { base: CALLS_PER_RUN, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        for _ in 0..CALLS_PER_RUN {
            let statement = (self.statement)(&app.config, step.now, ROWS_PER_CALL);
            let deleted = app.database.query(statement).await?.len() as u64;
            step.examined += deleted;
            step.changed += deleted;
            if deleted < ROWS_PER_CALL {
                break;
            }
        }
        Ok(())
    }
}
