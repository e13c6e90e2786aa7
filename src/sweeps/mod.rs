//! The sweeps: what has to be done some time, a bounded number of things at a time.
//!
//! Each is safe to run twice and at the same time as itself: every step is a guarded statement, a deletion (of what is
//! gone: no error) or a look. Each goes on where its last run stopped, at a cursor in `sweep_cursors`, so that what
//! fails does not stand in the way of what comes behind it, and leaves a row in `sweep_runs`.
//!
//! **Another sweep** is a file beside these with a `run`, a variant of [`SweepKind`] with its name, an arm in that one's
//! `run`, and a line in the cost table of `tests/api/sweep.rs`. The order of the variants is the order in which they run.

mod collect_garbage;
mod empty_trash;
mod expire_files;
mod expire_uploads;
mod fail_stale_cuts;
mod forget_keys;
mod forget_reports;
mod forget_tokens;
mod learn_files;
pub mod report;
mod scrub;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, Statement, from_row};
use crate::sql;
use report::SweepRun;

/// The most things of one kind that one run takes on. Garbage costs most: 50 × (2 R2 + 2 D1) calls leave most of a
/// Worker's 1,000 subrequests to the others.
const PER_RUN: u64 = 50;

/// What there is to sweep, in the order in which it runs: what expires is collected by the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// Files past `expiresAt` go to the trash.
    ExpireFiles,
    /// Uploads in several requests that were not finished in time lose their attempt and their reservation.
    ExpireUploads,
    /// Files whose time in the trash is over become unreachable.
    EmptyTrash,
    /// Objects that are due are deleted, twice, and forgotten.
    CollectGarbage,
    /// Cuts whose end nobody heard of are failed.
    FailStaleCuts,
    /// Refresh tokens that have expired are forgotten.
    ForgetTokens,
    /// Idempotency keys whose time is over are forgotten.
    ForgetKeys,
    /// Files without a profile are read for it.
    LearnFiles,
    /// Stored bytes are read back and compared with their rows.
    Scrub,
    /// Reports of long ago are forgotten.
    ForgetReports,
}

impl SweepKind {
    /// Every one, in the order in which they run.
    pub const ALL: [Self; 10] = [
        Self::ExpireFiles,
        Self::ExpireUploads,
        Self::EmptyTrash,
        Self::CollectGarbage,
        Self::FailStaleCuts,
        Self::ForgetTokens,
        Self::ForgetKeys,
        Self::LearnFiles,
        Self::Scrub,
        Self::ForgetReports,
    ];

    /// The name in rows and queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExpireFiles => "expire_files",
            Self::ExpireUploads => "expire_uploads",
            Self::EmptyTrash => "empty_trash",
            Self::CollectGarbage => "collect_garbage",
            Self::FailStaleCuts => "fail_stale_cuts",
            Self::ForgetTokens => "forget_tokens",
            Self::ForgetKeys => "forget_keys",
            Self::LearnFiles => "learn_files",
            Self::Scrub => "scrub",
            Self::ForgetReports => "forget_reports",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    async fn run(self, app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
        match self {
            Self::ExpireFiles => expire_files::run(app, now, outcome).await,
            Self::ExpireUploads => expire_uploads::run(app, now, outcome).await,
            Self::EmptyTrash => empty_trash::run(app, now, outcome).await,
            Self::CollectGarbage => collect_garbage::run(app, now, outcome).await,
            Self::FailStaleCuts => fail_stale_cuts::run(app, now, outcome).await,
            Self::ForgetTokens => forget_tokens::run(app, outcome).await,
            Self::ForgetKeys => forget_keys::run(app, now, outcome).await,
            Self::LearnFiles => learn_files::run(app, now, outcome).await,
            Self::Scrub => scrub::run(app, now, outcome).await,
            Self::ForgetReports => forget_reports::run(app, now, outcome).await,
        }
    }
}

/// What a run has done so far; true also when it stops early.
#[derive(Debug, Clone, Default, PartialEq)]
struct Outcome {
    /// Things looked at.
    examined: u64,
    /// Things changed.
    changed: u64,
    /// Things that failed and stay for a later run.
    failed: u64,
    /// In: where the last run stopped. Out: where the next one begins; `None`: at the start.
    cursor: Option<String>,
    /// The sweep's own counts.
    details: Map<String, Value>,
}

impl Outcome {
    /// Counts one more of `name` in the details.
    fn count(&mut self, name: &str) {
        let seen = self.details.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.details.insert(name.to_owned(), (seen + 1).into());
    }

    /// Counts a thing that stays for a later run, and says so in the log.
    fn stays(&mut self, app: &App, what: &str, cause: &dyn std::fmt::Display) {
        self.failed += 1;
        app.write_log(
            LogLine::warn("something stays for the next sweep").with("subject", what).caused_by(cause),
        );
    }

    /// Reads the row of a thing; `subject` is the column that names it. A row that cannot be read stays for a later run
    /// and keeps no other from its turn.
    fn read<T: DeserializeOwned>(&mut self, app: &App, row: Row, subject: &str) -> Option<T> {
        let subject = text(&row, subject);
        match from_row(row) {
            Ok(thing) => Some(thing),
            Err(problem) => {
                self.stays(app, &subject, &problem);
                None
            }
        }
    }

    /// What the cursor names, a [`Place`] or [`Places`], or the start.
    fn resume<T: Default + DeserializeOwned>(&self) -> T {
        self.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Goes on behind `last` if the page was full, else from the start.
    fn go_on(&mut self, page_was_full: bool, last: Option<Place>) {
        let last = last.filter(|_| page_was_full);
        self.cursor = last.and_then(|place| serde_json::to_string(&place).ok());
    }

    /// Goes on at these places, from the start where there is none.
    fn go_on_at(&mut self, places: &Places) {
        let more = places.0.iter().any(Option::is_some);
        self.cursor = more.then(|| serde_json::to_string(places).ok()).flatten();
    }

    /// Whether there is nothing to tell but that it ran.
    fn is_idle(&self) -> bool {
        self.changed == 0 && self.failed == 0 && self.cursor.is_none()
    }
}

/// A place among things ordered by time, then id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    at: String,
    id: String,
}

impl Place {
    /// The place of a row, from the columns of its time and its id.
    fn of(row: &Row, time: &str, id: &str) -> Self {
        Self { at: text(row, time), id: text(row, id) }
    }
}

/// A file that something is due to happen to.
#[derive(Debug, Deserialize)]
struct DueFile {
    id: FileId,
    user_id: UserId,
    revision: u64,
}

/// A place of its own for each of two states in which things come due.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Places([Option<Place>; 2]);

impl Places {
    /// A page of each state behind its place, by the statement that `page` makes of both.
    fn pages(
        self,
        states: [&'static str; 2],
        page: impl Fn(&'static str, Place) -> Statement,
    ) -> impl Iterator<Item = Statement> {
        states.into_iter().zip(self.0).map(move |(state, place)| page(state, place.unwrap_or_default()))
    }
}

/// What a run of the sweeps did.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// Each sweep's own report, in the order in which they ran.
    pub runs: Vec<SweepRun>,
    /// Things that failed and stay for a later run; a sweep that stopped early is one.
    pub failed: u64,
}

impl App {
    /// Runs every sweep once, as of `now`. One that fails is reported and keeps no other from running.
    ///
    /// # Errors
    /// The database does not tell the cursors: nothing was done.
    pub async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.run_sweeps(&SweepKind::ALL, now).await
    }

    /// Runs these sweeps, as of `now`.
    ///
    /// # Errors
    /// The database does not tell the cursors: nothing was done.
    pub async fn run_sweeps(&self, kinds: &[SweepKind], now: Timestamp) -> Result<SweepReport> {
        let cursors = self.cursors(kinds).await?;
        let (mut runs, mut waiting) = (Vec::new(), Vec::new());
        for (kind, cursor) in kinds.iter().zip(cursors) {
            let (run, idle) = self.run_sweep(*kind, cursor, now).await;
            waiting.extend(run.statements());
            runs.push(run);
            // What found nothing to do is written with what comes next: most runs of most sweeps are such.
            if !idle {
                self.write_reports(&mut waiting).await;
            }
        }
        self.write_reports(&mut waiting).await;
        let failed = runs.iter().map(|run| run.failed + u64::from(run.error.is_some())).sum();
        Ok(SweepReport { runs, failed })
    }

    async fn cursors(&self, kinds: &[SweepKind]) -> Result<Vec<Option<String>>> {
        let ask = |kind: &SweepKind| sql::sweeps::GetCursor { kind: kind.name() }.statement();
        let answers = self.database.batch(kinds.iter().map(ask).collect()).await?;
        let cursor = |rows: Vec<Row>| rows.first()?.get("cursor")?.as_str().map(str::to_owned);
        Ok(answers.into_iter().map(cursor).collect())
    }

    async fn run_sweep(&self, kind: SweepKind, cursor: Option<String>, now: Timestamp) -> (SweepRun, bool) {
        let id = self.fresh_id::<EventId>();
        let started_at = self.now();
        let moved_from = cursor.clone();
        let mut outcome = Outcome { cursor, ..Outcome::default() };
        let error = kind.run(self, now, &mut outcome).await.err().map(|problem| problem.to_string());
        let idle = error.is_none() && moved_from.is_none() && outcome.is_idle();
        let run = SweepRun {
            id,
            kind,
            started_at,
            finished_at: self.now(),
            cursor: outcome.cursor,
            examined: outcome.examined,
            changed: outcome.changed,
            failed: outcome.failed,
            error,
            details: Value::Object(outcome.details),
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

/// The text of a column, or nothing.
fn text(row: &Row, column: &str) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}
