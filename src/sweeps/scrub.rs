//! The scrub: reads stored bytes and compares them with their rows. Each file is read once per period
//! (`SCRUB_PERIOD_DAYS`), the one read longest ago first.
//!
//! A run reads at most `SCRUB_BYTES_PER_RUN` bytes of at most [`OBJECTS_PER_RUN`] files. A longer file is hashed over
//! several runs, with the state of its hash in the cursor. Damage is written to `findings` and to the log. If the bytes
//! are known to be wrong, it is also written to the file's row, and the bytes are not sent any more. Once they are
//! intact again, the findings are resolved and the row is cleared.
//!
//! Of an intact file the scrub also reads the sidecar. Digests that are missing or other than those of the bytes are
//! replaced. A sidecar that is missing or damaged is left to the background pass, and so are missing digests of a file
//! that was hashed over several runs.
//!
//! Costs 2 D1 calls per run; for each file 2 R2 calls, and 1 more if its sidecar is replaced; 1 D1 call if it is damaged.
//! If the database refuses to mark the intact files together, each costs 1 D1 call more, so that a row that cannot be
//! changed blocks no other.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::config::Config;
use crate::csv::profile::{BlockDigester, BlockDigests, Profile};
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::integrity::findings::{DamagedFile, record_damage};
use crate::integrity::verify::{Damage, Expected, PartialHash, Verification, verify};
use crate::ports::{ObjectFacts, PieceObserver, Row};
use crate::sql;
use crate::storage::profiling::{ProfileTarget, StoredSidecar};

/// Maximum number of files per run: 70 per run and 288 runs per day are 604,800 in 30 days.
const OBJECTS_PER_RUN: u64 = 70;

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
    damaged_at: Option<Timestamp>,
    profile_bytes: Option<u64>,
    last_look: String,
}

/// An intact file, and what became of its sidecar.
struct IntactFile {
    attempt: AttemptId,
    file: FileId,
    sidecar: SidecarChange,
}

/// A change of a sidecar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SidecarChange {
    /// The sidecar stays as it is.
    None,
    /// The sidecar was replaced by one of this length.
    Replaced { bytes: u64 },
    /// The background pass must make the sidecar again.
    MakeAgain,
}

/// Digests the bytes of a file that is read in one run.
struct DigestingObserver(BlockDigester);

impl PieceObserver for DigestingObserver {
    fn observe(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }
}

/// Where a run stopped: behind a file, or inside one.
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
        Cost { base: 2, each: 4 }
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
            let is_from_start = before.is_none();
            let mut observer = DigestingObserver(BlockDigester::default());
            let verified = verify(app, file.expected(), before, budget_bytes, &mut observer).await;
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
                Ok(Verification::Intact) => {
                    let digests = is_from_start.then(|| observer.0.finish());
                    let sidecar = match file.check_sidecar(app, digests).await {
                        Ok(change) => change,
                        Err(problem) => {
                            step.postpone(app, &file.r2_key, &problem);
                            SidecarChange::None
                        }
                    };
                    if sidecar != SidecarChange::None {
                        step.changed += 1;
                        step.count("sidecars");
                    }
                    whole.push(IntactFile { attempt: file.attempt, file: file.id, sidecar });
                }
                // This is most likely an outage. The next run continues behind this file, and reads this one again
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
                    step.postpone(app, &file[0].file.to_string(), &problem);
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

impl Candidate {
    fn damaged(&self) -> DamagedFile<'_> {
        DamagedFile { file: self.id, user: &self.user_id, key: &self.r2_key, attempt: self.attempt }
    }

    /// Checks the sidecar of an intact file. `digests` are those of its bytes; `None` if they were not read in one run.
    /// Stores other digests than the sidecar has. A sidecar that cannot be read, or whose digests cannot be compared
    /// although they are missing or suspect, is left to the background pass.
    async fn check_sidecar(&self, app: &App, digests: Option<BlockDigests>) -> Result<SidecarChange> {
        let (Some(known_bytes), Some(_), Some(etag)) = (self.profile_bytes, &self.checksum, &self.etag)
        else {
            return Ok(SidecarChange::None);
        };
        let facts = ObjectFacts { size: self.file_size, etag: etag.clone() };
        let target =
            ProfileTarget { user: &self.user_id, file: self.id, attempt: self.attempt, facts: &facts };
        let (profile, bytes) = match app.read_sidecar(&target).await? {
            StoredSidecar::Profile(profile, bytes) => (profile, bytes),
            StoredSidecar::OtherVersion => return Ok(SidecarChange::None),
            StoredSidecar::Unusable(what) => {
                let line = LogLine::warn("a sidecar is made again").with("file", self.id);
                app.write_log(line.with_text("key", &self.r2_key).caused_by(what));
                return Ok(SidecarChange::MakeAgain);
            }
        };
        match digests {
            Some(digests) if profile.digests.as_deref() == Some(&digests) => Ok(match bytes == known_bytes {
                true => SidecarChange::None,
                // An earlier run replaced the sidecar and ended before it changed the row.
                false => SidecarChange::Replaced { bytes },
            }),
            Some(digests) => {
                let repaired = Profile { digests: Some(Arc::new(digests)), ..*profile };
                Ok(SidecarChange::Replaced { bytes: app.replace_profile(&target, &repaired).await? })
            }
            None if profile.digests.is_some() && self.damaged_at.is_none() => Ok(SidecarChange::None),
            None => Ok(SidecarChange::MakeAgain),
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
    let period = TimeDelta::days(app.config.scrub_period_days.into());
    let looked_at = if damage.is_certain() { now } else { now.plus(RETRY_UNREADABLE - period) };
    record_damage(app, &file.damaged(), damage, details, looked_at).await?;
    step.changed += 1;
    step.count(damage.name());
    Ok(())
}

/// Records that files are intact, and clears what was found in them before.
async fn mark_whole(app: &App, whole: &[IntactFile], now: Timestamp) -> Result<()> {
    if whole.is_empty() {
        return Ok(());
    }
    let (attempts, files): (Vec<_>, Vec<_>) =
        whole.iter().map(|intact| (intact.attempt, intact.file)).unzip();
    let (attempts, files) = (json!(attempts).to_string(), json!(files).to_string());
    let mut statements = vec![
        sql::sweeps::MarkScrubbed { attempts: &attempts, looked_at: now }.statement(),
        sql::sweeps::ClearDamaged { attempts: &attempts }.statement(),
        sql::sweeps::ResolveFindingsOfFiles { files: &files, now }.statement(),
    ];
    let length = |intact: &IntactFile| match intact.sidecar {
        SidecarChange::None => None,
        SidecarChange::Replaced { bytes } => Some((intact.attempt.to_string(), json!(bytes))),
        SidecarChange::MakeAgain => Some((intact.attempt.to_string(), Value::Null)),
    };
    let lengths: Map<String, Value> = whole.iter().filter_map(length).collect();
    if !lengths.is_empty() {
        let lengths = Value::Object(lengths).to_string();
        statements.push(sql::sweeps::SetSidecars { lengths: &lengths }.statement());
    }
    app.database.batch(statements).await?;
    Ok(())
}
