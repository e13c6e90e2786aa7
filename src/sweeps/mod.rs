//! The sweeps: work that is due at some time, done in bounded runs.
//!
//! Each sweep begins at its cursor in `sweep_cursors`: the place where its last run stopped. So an item that fails does
//! not block the items after it. Each run of a sweep writes a row into `sweep_runs`. All sweeps of a run share the
//! budget of one event. A sweep may use the calls that remain, except the minimum number of calls that the later sweeps
//! need.
//!
//! **To add a sweep**, add a file with a [`Sweep`] to this folder, and a line to [`SWEEPS`].

mod archive_audit;
mod close_accounts;
mod collect_garbage;
mod empty_trash;
mod erase_callers;
mod erase_files;
mod expire_files;
mod expire_uploads;
mod fail_stale_cuts;
mod forget;
mod forget_keys;
mod forget_metrics;
mod forget_tokens;
mod learn_files;
mod position;
pub mod report;
mod roll_up_metrics;
mod scrub;
mod seal_audit;
mod send_links;
pub mod sweep;
mod watch_budgets;

use serde_json::Value;

use crate::app::App;
use crate::domain::budget::CallBudget;
use crate::domain::ids::EventId;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::{Row, Statement};
use crate::sql;
use report::SweepRun;
use sweep::{Sweep, SweepStep};

/// Every sweep, in the order in which they run. Accounts are closed and uploads expire before garbage is
/// collected, so that the same run can delete the objects of their uploads.
pub static SWEEPS: &[&dyn Sweep] = &[
    &close_accounts::CloseAccounts,
    &send_links::SendWaitingLinks,
    &expire_files::ExpireFiles,
    &expire_uploads::ExpireUploads,
    &empty_trash::EmptyTrash,
    &collect_garbage::CollectGarbage,
    &erase_files::EraseFiles,
    &fail_stale_cuts::FailStaleCuts,
    &forget_tokens::ForgetTokens,
    &forget_keys::ForgetKeys,
    &learn_files::QueueUnlearnedFiles,
    &scrub::Scrub,
    &seal_audit::SealAudit,
    &roll_up_metrics::RollUpMetrics,
    &archive_audit::ArchiveAudit,
    &archive_audit::ForgetSegments,
    &erase_callers::EraseCallers,
    &watch_budgets::WatchBudgets,
    &forget::RECEIPTS,
    &forget::MARKERS,
    &forget::TOMBSTONES,
    &forget::FINDINGS,
    &forget::PROGRESS,
    &forget::ERASURES,
    &forget::SHARES,
    &forget::REPORTS,
    &forget::API_KEYS,
    &forget::API_KEY_SECRETS,
    &forget::MONTHS,
    &forget::DAYS,
    &forget_metrics::ForgetMetrics,
];

/// Returns the sweep with this name.
pub fn named(name: &str) -> Option<&'static dyn Sweep> {
    SWEEPS.iter().copied().find(|sweep| sweep.name() == name)
}

/// The result of a run of the sweeps.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The report of each sweep, in the order in which they ran.
    pub runs: Vec<SweepRun>,
    /// Number of items that failed and stay for a later run. A sweep that stopped early counts as one failed item.
    pub failed: u64,
}

/// Number of calls to read the cursors of all sweeps.
const READING_CURSORS: u32 = 1;
/// Number of calls to write one report.
const WRITING_REPORT: u32 = 1;

/// Returns the minimum number of calls that a sweep needs: its calls per run, the calls for one item, and the call for
/// the report.
fn least_calls(sweep: &dyn Sweep) -> u32 {
    let cost = sweep.cost();
    cost.base + cost.each + WRITING_REPORT
}

impl App {
    /// Runs every sweep once, with `now` as the current time. If a sweep fails, its report contains the error, and the
    /// other sweeps still run.
    ///
    /// # Errors
    /// `unavailable` if the cursors cannot be read. Then no sweep runs.
    pub async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.run_sweeps(SWEEPS, now, CallBudget::of_event()).await
    }

    /// Runs these sweeps, with `now` as the current time, within the budget `calls`.
    ///
    /// # Errors
    /// `unavailable` if the cursors cannot be read. Then no sweep runs.
    pub async fn run_sweeps(
        &self,
        sweeps: &[&dyn Sweep],
        now: Timestamp,
        mut calls: CallBudget,
    ) -> Result<SweepReport> {
        if !calls.take(READING_CURSORS + WRITING_REPORT) {
            return Err(Problem::internal("the budget is too small to run any sweep"));
        }
        let cursors = self.cursors(sweeps).await?;
        let (mut runs, mut pending) = (Vec::new(), Vec::new());
        let mut reserved_calls: u32 = sweeps.iter().map(|sweep| least_calls(*sweep)).sum();
        for (sweep, cursor) in sweeps.iter().zip(cursors) {
            reserved_calls -= least_calls(*sweep);
            if !sweep.is_due(&self.config) {
                // A sweep that is switched off writes no row into `sweep_runs`. After it is switched on, its first run
                // starts at the first item.
                let reset = sql::sweeps::SetCursor { kind: sweep.name(), cursor: None, now: self.now() };
                pending.extend(cursor.map(|_| reset.statement()));
                runs.push(self.run_sweep(*sweep, SweepStep::new(now, 0, None)).await.0);
                continue;
            }
            let cost = sweep.cost();
            let limit =
                calls.affords(cost.base + WRITING_REPORT + reserved_calls, cost.each, sweep.max_items());
            let step = SweepStep::new(now, limit, cursor);
            let (run, idle) = self.run_sweep(*sweep, step).await;
            let taken = u32::try_from(run.examined).unwrap_or(u32::MAX).saturating_mul(cost.each);
            // Later sweeps may use the calls that this sweep did not use.
            let _enough = calls.take((cost.base + taken + WRITING_REPORT).min(calls.left()));
            pending.extend(run.statements());
            runs.push(run);
            // Most runs are idle. To save calls, the report of an idle run is written later, in one batch with other
            // reports.
            if !idle {
                self.write_reports(&mut pending).await;
            }
        }
        self.write_reports(&mut pending).await;
        let failed = runs.iter().map(|run| run.failed + u64::from(run.error.is_some())).sum();
        Ok(SweepReport { runs, failed })
    }

    async fn cursors(&self, sweeps: &[&dyn Sweep]) -> Result<Vec<Option<String>>> {
        let ask = |sweep: &&dyn Sweep| sql::sweeps::GetCursor { kind: sweep.name() }.statement();
        let results = self.database.batch(sweeps.iter().map(ask).collect()).await?;
        let cursor = |rows: Vec<Row>| rows.first()?.get("cursor")?.as_str().map(str::to_owned);
        Ok(results.into_iter().map(cursor).collect())
    }

    /// Runs one sweep. Also returns whether the run was idle. A run is idle if it finds nothing to do.
    async fn run_sweep(&self, sweep: &dyn Sweep, mut step: SweepStep) -> (SweepRun, bool) {
        let id = self.fresh_id::<EventId>();
        let started_at = self.now();
        let begins_at = step.cursor.clone();
        let outcome = match step.limit {
            0 => Ok(()),
            _ => sweep.run(self, &mut step).await,
        };
        let error = outcome.err().map(|problem| problem.to_string());
        let idle = error.is_none() && step.is_idle(begins_at.as_deref());
        let run = SweepRun {
            id,
            kind: sweep.name().to_owned(),
            started_at,
            finished_at: self.now(),
            cursor: step.cursor,
            examined: step.examined,
            changed: step.changed,
            failed: step.failed,
            error,
            details: Value::Object(step.details),
        };
        if !idle {
            run.log(self);
        }
        (run, idle)
    }

    /// Writes reports and cursors. If this fails, the next run begins where this run began. A repeated run does no
    /// harm.
    async fn write_reports(&self, pending: &mut Vec<Statement>) {
        if pending.is_empty() {
            return;
        }
        if let Err(error) = self.database.batch(std::mem::take(pending)).await {
            self.write_log(LogLine::error("the report of a sweep was not written").caused_by(error));
        }
    }
}
