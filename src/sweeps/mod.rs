//! The sweeps: what has to be done some time, a bounded number of things at a time.
//!
//! Each goes on where its last run stopped, at a cursor in `sweep_cursors`, so that what fails does not stand in the way of
//! what comes behind it, and leaves a row in `sweep_runs`. All of a run share the calls to other services that one event
//! may make: each gets what is left when the later ones have the least that they need.
//!
//! **Another sweep** is a file beside these with a [`Sweep`], and a line in [`SWEEPS`].

mod collect_garbage;
mod empty_trash;
mod expire_files;
mod expire_uploads;
mod fail_stale_cuts;
mod forget_keys;
mod forget_reports;
mod forget_tokens;
mod learn_files;
mod place;
pub mod report;
mod scrub;
pub mod sweep;

use serde_json::Value;

use crate::app::App;
use crate::domain::budget::Subrequests;
use crate::domain::ids::EventId;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::{Row, Statement};
use crate::sql;
use report::SweepRun;
use sweep::{Sweep, SweepStep};

/// Every sweep, in the order in which they run: what expires is collected by the same run.
pub static SWEEPS: [&dyn Sweep; 10] = [
    &expire_files::ExpireFiles,
    &expire_uploads::ExpireUploads,
    &empty_trash::EmptyTrash,
    &collect_garbage::CollectGarbage,
    &fail_stale_cuts::FailStaleCuts,
    &forget_tokens::ForgetTokens,
    &forget_keys::ForgetKeys,
    &learn_files::QueueUnlearnedFiles,
    &scrub::Scrub,
    &forget_reports::ForgetReports,
];

/// The sweep of a name.
pub fn named(name: &str) -> Option<&'static dyn Sweep> {
    SWEEPS.into_iter().find(|sweep| sweep.name() == name)
}

/// What a run of the sweeps did.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// Each sweep's own report, in the order in which they ran.
    pub runs: Vec<SweepRun>,
    /// Things that failed and stay for a later run; a sweep that stopped early is one.
    pub failed: u64,
}

/// The calls that read all cursors, and those that write one report.
const READING_CURSORS: u32 = 1;
const WRITING_REPORT: u32 = 1;

/// What a sweep must be left with to run at all: with one thing to take on.
fn least_calls(sweep: &dyn Sweep) -> u32 {
    let cost = sweep.cost();
    cost.base + cost.each + WRITING_REPORT
}

impl App {
    /// Runs every sweep once, as of `now`. One that fails is reported and keeps no other from running.
    ///
    /// # Errors
    /// The database does not tell the cursors: nothing was done.
    pub async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.run_sweeps(&SWEEPS, now, Subrequests::of_event()).await
    }

    /// Runs these sweeps, as of `now`, with so many calls to other services.
    ///
    /// # Errors
    /// The database does not tell the cursors: nothing was done.
    pub async fn run_sweeps(
        &self,
        sweeps: &[&dyn Sweep],
        now: Timestamp,
        mut calls: Subrequests,
    ) -> Result<SweepReport> {
        if !calls.take(READING_CURSORS + WRITING_REPORT) {
            return Err(Problem::internal("sweeps without a call to make"));
        }
        let cursors = self.cursors(sweeps).await?;
        let (mut runs, mut waiting) = (Vec::new(), Vec::new());
        let mut later: u32 = sweeps.iter().map(|sweep| least_calls(*sweep)).sum();
        for (sweep, cursor) in sweeps.iter().zip(cursors) {
            later -= least_calls(*sweep);
            if !sweep.is_due(&self.config) {
                // A sweep that is switched off leaves no report. It begins at the start when it is switched on.
                let reset = sql::sweeps::SetCursor { kind: sweep.name(), cursor: None, now: self.now() };
                waiting.extend(cursor.map(|_| reset.statement()));
                runs.push(self.run_sweep(*sweep, SweepStep::new(now, 0, None)).await.0);
                continue;
            }
            let cost = sweep.cost();
            let limit = calls.affords(cost.base + WRITING_REPORT + later, cost.each, sweep.most());
            let step = SweepStep::new(now, limit, cursor);
            let (run, idle) = self.run_sweep(*sweep, step).await;
            let taken = u32::try_from(run.examined).unwrap_or(u32::MAX).saturating_mul(cost.each);
            // What a run could do with less than it was given is left for the later ones.
            let _enough = calls.take((cost.base + taken + WRITING_REPORT).min(calls.left()));
            waiting.extend(run.statements());
            runs.push(run);
            // The report of an idle run is written with the next one: most runs of most sweeps are idle.
            if !idle {
                self.write_reports(&mut waiting).await;
            }
        }
        self.write_reports(&mut waiting).await;
        let failed = runs.iter().map(|run| run.failed + u64::from(run.error.is_some())).sum();
        Ok(SweepReport { runs, failed })
    }

    async fn cursors(&self, sweeps: &[&dyn Sweep]) -> Result<Vec<Option<String>>> {
        let ask = |sweep: &&dyn Sweep| sql::sweeps::GetCursor { kind: sweep.name() }.statement();
        let answers = self.database.batch(sweeps.iter().map(ask).collect()).await?;
        let cursor = |rows: Vec<Row>| rows.first()?.get("cursor")?.as_str().map(str::to_owned);
        Ok(answers.into_iter().map(cursor).collect())
    }

    /// One run of a sweep, and whether it found nothing to do.
    async fn run_sweep(&self, sweep: &dyn Sweep, mut step: SweepStep) -> (SweepRun, bool) {
        let id = self.fresh_id::<EventId>();
        let started_at = self.now();
        let begins_anew = step.cursor.is_none();
        let outcome = match step.limit {
            0 => Ok(()),
            _ => sweep.run(self, &mut step).await,
        };
        let error = outcome.err().map(|problem| problem.to_string());
        let idle = error.is_none() && begins_anew && step.is_idle();
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

    /// Writes reports and cursors. Without them the next run begins where this one did, which does no harm.
    async fn write_reports(&self, waiting: &mut Vec<Statement>) {
        if waiting.is_empty() {
            return;
        }
        if let Err(error) = self.database.batch(std::mem::take(waiting)).await {
            self.write_log(LogLine::error("a sweep could not be reported").caused_by(error));
        }
    }
}
