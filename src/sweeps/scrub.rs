//! The scrub reads the stored bytes of files and compares their size, etag and SHA-256 with the rows of the files. It
//! reads each file once per period (`SCRUB_PERIOD_DAYS`). It begins with the file whose last scrub is longest ago.
//!
//! A run reads at most `SCRUB_BYTES_PER_RUN` bytes of at most [`OBJECTS_PER_RUN`] files. If the bytes of a file do not
//! fit into one run, the scrub hashes the file over several runs. Between these runs, the cursor holds the state of the
//! hash. The scrub writes damage to `findings` and to the log. If the bytes are known to be wrong, the scrub also marks
//! the file's row as damaged. Then Cutty refuses requests for the bytes. If a later scrub finds the bytes intact, it
//! resolves the findings and removes the mark.
//!
//! If a file is intact, the scrub also reads its sidecar. It replaces a sidecar whose digests are missing or differ
//! from the digests of the bytes. If a sidecar is missing or damaged, the background pass must make the sidecar again.
//! If the scrub hashed a file over several runs, it has no digests of the bytes. If the sidecar of this file has no
//! digests either, the background pass must make the sidecar again.
//!
//! A run costs 2 D1 calls. Each file costs 2 R2 calls, 1 more R2 call if its sidecar is replaced, and 1 D1 call if the
//! file is damaged. If the database refuses the batch that marks all intact files, the scrub marks each intact file in
//! a separate batch. This costs 1 more D1 call per file. So a row that cannot be changed does not block the other rows.

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

/// Maximum number of files per run. With 288 runs per day, the scrub reads up to 604,800 files in 30 days.
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
    dialect_options: Option<String>,
    last_look: String,
}

/// An intact file, and the change of its sidecar.
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
    /// The sidecar was replaced by a sidecar of this length.
    Replaced { bytes: u64 },
    /// The background pass must make the sidecar again.
    MakeAgain,
}

/// Computes the digests of a file that is read in one run.
struct DigestingObserver(BlockDigester);

impl PieceObserver for DigestingObserver {
    fn observe(&mut self, piece: &[u8]) {
        self.0.push(piece);
    }
}

/// Where a run stopped: within the file `inside` if there is one, and otherwise after the file `behind`.
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

/// Reads the stored bytes of files and compares them with the files' rows.
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
                // The error is most likely an outage. The next run continues after this file. A later run reads this
                // file again.
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

    /// Checks the sidecar of an intact file. `digests` are the digests of the file's bytes; `None` if the bytes were
    /// not read in one run. Replaces the sidecar if its digests are missing or differ from `digests`. If the sidecar is
    /// missing or damaged, the background pass must make the sidecar again.
    ///
    /// If `digests` is `None`, this function replaces nothing. The background pass must then make the sidecar again if
    /// the sidecar has no digests, or if the file is marked as damaged.
    async fn check_sidecar(&self, app: &App, digests: Option<BlockDigests>) -> Result<SidecarChange> {
        let (Some(known_bytes), Some(_), Some(etag)) = (self.profile_bytes, &self.checksum, &self.etag)
        else {
            return Ok(SidecarChange::None);
        };
        let facts = ObjectFacts { size: self.file_size, etag: etag.clone() };
        let target = ProfileTarget {
            user: &self.user_id,
            file: self.id,
            attempt: self.attempt,
            facts: &facts,
            dialect_options: self.dialect_options.as_deref(),
        };
        let (profile, bytes) = match app.read_sidecar(&target).await? {
            StoredSidecar::Profile(profile, bytes) => (profile, bytes),
            StoredSidecar::OtherVersion => return Ok(SidecarChange::MakeAgain),
            StoredSidecar::Unusable(what) => {
                let line = LogLine::warn("a sidecar must be made again").with("file", self.id);
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

/// Records that files are intact: removes their marks of damage and resolves their findings.
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
