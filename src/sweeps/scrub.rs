//! The scrub: reads stored bytes and compares them with their rows. Each file is read once per period
//! (`SCRUB_PERIOD_DAYS`), the one read longest ago first.
//!
//! A run reads at most `SCRUB_BYTES_PER_RUN` bytes of at most [`OBJECTS_PER_RUN`] files. A longer file is hashed over
//! several runs, with the state of its hash in the cursor. Damage is written to `findings` and to the log. If the bytes
//! are known to be wrong, it is also written to the file's row, and the bytes are not sent any more. Once they are
//! intact again, the findings are resolved and the row is cleared.
//!
//! Costs 2 D1 calls per run; for each file 1 R2 call, or 2 if it cannot be opened, and 1 D1 call if it is damaged. If
//! the database refuses to mark the intact files together, each costs 1 D1 call more, so that a row that cannot be changed
//! blocks no other.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::config::Config;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::integrity::verify::{Damage, Expected, PartialHash, Verification, verify};
use crate::ports::Row;
use crate::sql;

/// Maximum number of files per run: 100 per run and 288 runs per day are 864,000 in 30 days.
const OBJECTS_PER_RUN: u64 = 100;

/// Time after which an unreadable file is read again.
const RETRY_UNREADABLE: TimeDelta = TimeDelta::days(1);

#[derive(Debug, Deserialize)]
struct Candidate {
    id: FileId,
    user_id: UserId,
    r2_key: String,
    file_size: u64,
    checksum: Option<String>,
    etag: Option<String>,
    attempt: AttemptId,
    last_look: String,
}

/// Where a run stopped: after a file, or inside one.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ScrubPosition {
    behind: SweepPosition,
    inside: Option<PartialFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartialFile {
    attempt: AttemptId,
    hash: PartialHash,
}

/// Reads stored bytes and compares them with their rows.
pub struct Scrub;

#[async_trait]
impl Sweep for Scrub {
    fn name(&self) -> &'static str {
        "scrub"
    }

    fn is_due(&self, config: &Config) -> bool {
        config.scrub_bytes_per_run > 0
    }

    fn max_items(&self) -> u64 {
        OBJECTS_PER_RUN
    }

    fn cost(&self) -> Cost {
        Cost { base: 2, each: 3 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        let mut budget_bytes = app.config.scrub_bytes_per_run;
        let position: ScrubPosition =
            step.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let rows = candidates(app, step, &position.behind).await?;
        let full = rows.len() as u64 == step.limit;
        let files: Vec<Candidate> =
            rows.into_iter().filter_map(|row| step.read(app, row, "r2_key")).collect();
        let (mut behind, mut inside) = (position.behind, position.inside);
        let (mut stopped, mut read_bytes) = (false, 0);
        let mut whole = Vec::new();
        for file in files {
            if budget_bytes == 0 {
                stopped = true;
                break;
            }
            let before =
                inside.take().filter(|inside| inside.attempt == file.attempt).map(|inside| inside.hash);
            let verified = verify(app, file.expected(), before, budget_bytes).await;
            let read = verified.as_ref().map_or(0, |(_, read)| *read);
            budget_bytes -= read.min(budget_bytes);
            read_bytes += read;
            match verified.map(|(result, _)| result) {
                Ok(Verification::Unfinished(hash)) => {
                    inside = Some(PartialFile { attempt: file.attempt, hash });
                    stopped = true;
                    break;
                }
                Ok(Verification::Damaged(damage, details)) => {
                    if let Err(problem) = record(app, &file, damage, &details, now, step).await {
                        step.postpone(app, &file.r2_key, &problem);
                    }
                }
                Ok(Verification::Intact) => whole.push((file.attempt, file.id)),
                // This is most likely an outage. The next run continues after this file, and reads this one again
                // later.
                Err(problem) => {
                    step.postpone(app, &file.r2_key, &problem);
                    stopped = true;
                }
            }
            step.examined += 1;
            behind = SweepPosition { at: file.last_look, id: file.id.to_string() };
            if stopped {
                break;
            }
        }
        if mark_whole(app, &whole, now).await.is_err() {
            for file in whole.chunks(1) {
                if let Err(problem) = mark_whole(app, file, now).await {
                    step.postpone(app, &file[0].1.to_string(), &problem);
                }
            }
        }
        if read_bytes > 0 {
            step.details.insert("readBytes".to_owned(), read_bytes.into());
        }
        let position = ScrubPosition { behind, inside };
        step.cursor = if stopped || full { serde_json::to_string(&position).ok() } else { None };
        Ok(())
    }
}

async fn candidates(app: &App, step: &SweepStep, behind: &SweepPosition) -> Result<Vec<Row>> {
    let cutoff = step.now.plus(-TimeDelta::days(app.config.scrub_period_days.into()));
    let (after_time, after_id) = (behind.at.as_str(), behind.id.as_str());
    let due = sql::sweeps::ToScrub { cutoff, after_time, after_id, limit: step.limit };
    Ok(app.database.query(due.statement()).await?)
}

impl Candidate {
    fn expected(&self) -> Expected<'_> {
        Expected {
            key: &self.r2_key,
            size: self.file_size,
            etag: self.etag.as_deref(),
            checksum: self.checksum.as_deref(),
        }
    }
}

async fn record(
    app: &App,
    file: &Candidate,
    damage: Damage,
    details: &Value,
    now: Timestamp,
    step: &mut SweepStep,
) -> Result<()> {
    app.write_log(
        LogLine::error("stored bytes are damaged")
            .with("finding", damage)
            .with("file_id", file.id)
            .with("user_id", &file.user_id)
            .with("key", &file.r2_key)
            .with("details", details),
    );
    let finding = sql::sweeps::RecordFinding {
        finding: app.fresh_id(),
        file: file.id,
        user: &file.user_id,
        key: &StorageKey::Known(file.r2_key.clone()),
        kind: damage.name(),
        now,
        details: &details.to_string(),
    }
    .statement();
    let period = TimeDelta::days(app.config.scrub_period_days.into());
    let mut statements = vec![finding];
    let mut looked_at = now.plus(RETRY_UNREADABLE - period);
    if damage.is_certain() {
        looked_at = now;
        statements.push(sql::sweeps::MarkDamaged { attempt: file.attempt, now }.statement());
        let others = sql::sweeps::ResolveOtherFindings { file: file.id, kind: damage.name(), now };
        statements.push(others.statement());
    }
    let attempts = json!([file.attempt]).to_string();
    statements.push(sql::sweeps::MarkScrubbed { attempts: &attempts, looked_at }.statement());
    app.database.batch(statements).await?;
    step.changed += 1;
    step.count(damage.name());
    Ok(())
}

/// Records that files are intact, and clears what was found in them before.
async fn mark_whole(app: &App, whole: &[(AttemptId, FileId)], now: Timestamp) -> Result<()> {
    if whole.is_empty() {
        return Ok(());
    }
    let (attempts, files): (Vec<AttemptId>, Vec<FileId>) = whole.iter().copied().unzip();
    let (attempts, files) = (json!(attempts).to_string(), json!(files).to_string());
    app.database
        .batch(vec![
            sql::sweeps::MarkScrubbed { attempts: &attempts, looked_at: now }.statement(),
            sql::sweeps::ClearDamaged { attempts: &attempts }.statement(),
            sql::sweeps::ResolveFindingsOfFiles { files: &files, now }.statement(),
        ])
        .await?;
    Ok(())
}
