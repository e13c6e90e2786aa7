//! The background pass: reads a stored file to compute the profile or the SHA-256 that its upload could not compute. If
//! the bytes do not have the SHA-256 in the file's row, the pass records a finding and stores no profile.
//!
//! A long file is read in steps. Each step is a job. At the end of a step, the pass puts the key of a checkpoint on
//! `gc_queue`, stores the checkpoint under `temp/`, and then writes the key into a row of `jobs`. If a step is
//! repeated, or runs twice at the same time, the result is the same as if the step ran once.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::digest::common::hazmat::{DeserializeStateError, SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use super::{ProfileTarget, Summary};
use crate::app::App;
use crate::body::stream::PIECE_BYTES;
use crate::csv::profile::Profiler;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::http::range::ByteRange;
use crate::integrity::findings::{DamagedFile, record_damage};
use crate::integrity::verify::Damage;
use crate::jobs::message::ProfileFile;
use crate::memory::budget::WIDE_BUDGET;
use crate::memory::pauses::Pauses;
use crate::ports::{Fetched, NewObject, ObjectFacts, Statement, from_row};
use crate::sql;
use crate::storage::file::{FileRow, expect_found, integrity_error, stored_options};

/// Number of bytes that one step reads. A step of this length takes some seconds of CPU time. The platform allows
/// minutes for a job.
pub const STEP_BYTES: u64 = 512 << 20;

/// Maximum number of calls to other services in one step: 5 calls to D1, 3 to R2 and 1 to the queue. The last step
/// makes 4 calls to D1 and 4 to R2.
pub const STEP_CALLS: u32 = 9;

/// How long a checkpoint stays in R2.
const STATE_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Age at which a file without a profile is queued again. The first job of the file has usually run by then.
const REMINDER_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Maximum number of tries for a new file. For each day since the file was stored, the maximum grows by this number. So
/// a file that cannot be read is not read all the time, and after a long outage every file still gets a profile.
///
/// Every step counts as a try when it starts. The pass subtracts this try if the step continued from a checkpoint and
/// stored the next checkpoint. The try of the first step is never subtracted. So a file runs out of tries even if every
/// pass loses its checkpoint and starts from the first byte.
const MAX_TRIES: u64 = 5;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassStep {
    /// The file no longer exists, or its profile and checksum are already stored.
    NothingToDo,
    /// There is more to read. The next step is on the queue.
    More,
    /// Profile and checksum are now stored.
    Learned,
    /// The file has no tries left. The sweep queues it again later.
    TriedTooOften,
}

#[derive(Deserialize)]
struct UnprofiledFile {
    id: FileId,
    user_id: UserId,
    r2_key: String,
    file_size: u64,
    etag: String,
    checksum: Option<String>,
    profile_bytes: Option<u64>,
    encoding: Option<String>,
    dialect_options: Option<String>,
    mime_type: String,
}

/// Progress of a pass. A row of `jobs` stores it as JSON. The JSON names must never change, because stored rows contain
/// them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassCheckpoint {
    offset: u64,
    /// Length of the state of the hash, in bytes. The checkpoint object holds the state of the hash first, and then the
    /// state of the profiler.
    hash_bytes: usize,
    state_key: String,
    /// The options with which the pass reads the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dialect_options: Option<String>,
}

/// State of a pass within one step.
struct Pass {
    offset: u64,
    profiler: Profiler,
    hash: Sha256,
    previous: Option<PassCheckpoint>,
    /// Whether the step continues from a checkpoint.
    is_resumed: bool,
}

impl App {
    /// Queues the next step for a file. If this fails, the sweep queues the file later.
    pub async fn request_profile(&self, file: &FileRow) {
        if let Some(attempt) = AttemptId::parse(&file.attempt) {
            self.send_learn_job(attempt).await;
        }
    }

    /// Queues the next step for the file of an attempt. If this fails, the sweep queues the file later.
    pub async fn send_learn_job(&self, attempt: AttemptId) {
        if let Err(error) = self.enqueue(&ProfileFile { attempt }).await {
            self.write_log(
                LogLine::warn("a profile job was not queued; the sweep will queue it").caused_by(error),
            );
        }
    }

    /// Queues files that still have no profile: at most `limit` active files and `limit` archived files. Returns the
    /// number of queued files.
    ///
    /// # Errors
    /// `unavailable` if the database cannot be reached.
    pub async fn queue_unprofiled_files(&self, now: Timestamp, limit: u64) -> Result<u64> {
        let cutoff = now.plus(-REMINDER_AFTER);
        let due =
            |status: &str| sql::profiling::Due { status, cutoff, max_tries: MAX_TRIES, limit }.statement();
        let pages = self.database.batch(vec![due("active"), due("archived")]).await?;
        let mut asked = 0;
        for row in pages.into_iter().flatten() {
            let attempt = row.get("attempt").and_then(|attempt| attempt.as_str()).and_then(AttemptId::parse);
            if let Some(attempt) = attempt {
                self.send_learn_job(attempt).await;
                asked += 1;
            }
        }
        Ok(asked)
    }

    /// Runs one step for the file of `attempt`. The step reads about `step_bytes`.
    ///
    /// # Errors
    /// - `integrity_error`: the stored bytes are not the bytes that the row describes.
    /// - `unavailable`: R2 or the database cannot be reached. The step may be repeated.
    pub async fn learn(&self, attempt: AttemptId, step_bytes: u64) -> Result<PassStep> {
        let get = sql::profiling::GetFile { attempt };
        let file: Option<UnprofiledFile> =
            self.database.query(get.statement()).await?.pop().map(from_row).transpose()?;
        let is_unprofiled = |file: &UnprofiledFile| file.profile_bytes.is_none() || file.checksum.is_none();
        let Some(file) = file.filter(is_unprofiled) else {
            // The file may have been deleted, or another pass may have finished, since this step was queued.
            self.database.query(sql::profiling::DropProgress { attempt }.statement()).await?;
            return Ok(PassStep::NothingToDo);
        };
        // A profiler needs at most this much memory, even for a file with very many columns.
        let _lease = self.lease_wide_memory(WIDE_BUDGET.wasm / 2).await?;
        let Some(mut pass) = self.resume(&file, attempt).await? else { return Ok(PassStep::TriedTooOften) };
        match self.read_step(&file, &mut pass, step_bytes).await? {
            None => {
                self.finish(&file, attempt, pass).await?;
                Ok(PassStep::Learned)
            }
            Some(profiler) => {
                self.save_checkpoint(&file, attempt, pass, &profiler).await?;
                self.send_learn_job(attempt).await;
                Ok(PassStep::More)
            }
        }
    }

    /// Restores the last checkpoint or starts a new pass. Returns `None` if the file has no tries left.
    async fn resume(&self, file: &UnprofiledFile, attempt: AttemptId) -> Result<Option<Pass>> {
        let get = sql::profiling::GetProgress { attempt };
        let row = self.database.query(get.statement()).await?.pop();
        let payload = row.as_ref().and_then(|row| row.get("payload")).and_then(|payload| payload.as_str());
        let checkpoint: Option<PassCheckpoint> =
            payload.and_then(|payload| serde_json::from_str(payload).ok());
        let now = self.now();
        let count = sql::profiling::CountTry { attempt, now, max_tries: MAX_TRIES };
        if self.database.query(count.statement()).await?.is_empty() {
            self.give_up(attempt, checkpoint.as_ref(), now).await?;
            return Ok(None);
        }
        let restored = match &checkpoint {
            Some(checkpoint) if checkpoint.dialect_options != file.dialect_options => None,
            Some(checkpoint) => self.restore(checkpoint).await?.map(|state| (checkpoint.offset, state)),
            None => None,
        };
        if let Some((offset, (hash, profiler))) = restored {
            return Ok(Some(Pass { offset, profiler, hash, previous: checkpoint, is_resumed: true }));
        }
        let mut profiler = Profiler::new(self.config.max_record_size_bytes);
        profiler.declare(stored_options(
            file.dialect_options.as_deref(),
            file.encoding.as_deref(),
            &file.mime_type,
        ));
        Ok(Some(Pass { offset: 0, profiler, hash: Sha256::new(), previous: checkpoint, is_resumed: false }))
    }

    /// Ends the pass of a file that has no tries left. The sweep queues the file again when the file may have more
    /// tries.
    async fn give_up(
        &self,
        attempt: AttemptId,
        checkpoint: Option<&PassCheckpoint>,
        now: Timestamp,
    ) -> Result<()> {
        self.write_log(
            LogLine::error("profiling a file failed too often; the sweep tries again later")
                .with("attempt", attempt),
        );
        let mut statements = vec![sql::profiling::DropProgress { attempt }.statement()];
        statements.extend(checkpoint.map(|checkpoint| delete_soon(checkpoint, now)));
        self.database.batch(statements).await?;
        Ok(())
    }

    /// Reads a checkpoint. Returns `None` if the checkpoint no longer exists or another version wrote it. The pass then
    /// starts again.
    async fn restore(&self, checkpoint: &PassCheckpoint) -> Result<Option<(Sha256, Profiler)>> {
        let key = StorageKey::Known(checkpoint.state_key.clone());
        let Fetched::Found(_, body) = self.objects.get(&key, None, None).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut source = body.into_source();
        while source.read(&mut bytes).await? > 0 {}
        let Some((hash, profiler)) = bytes.split_at_checked(checkpoint.hash_bytes) else { return Ok(None) };
        let (Ok(hash), Ok(profiler)) = (restore_hash(hash), Profiler::restore(profiler)) else {
            return Ok(None);
        };
        Ok(Some((hash, profiler)))
    }

    /// Reads the bytes of one step. Returns the state of the profiler after these bytes; `None` if the bytes reach the
    /// end of the file. While the state is too large to be saved, the step continues beyond `step_bytes`.
    async fn read_step(
        &self,
        file: &UnprofiledFile,
        pass: &mut Pass,
        step_bytes: u64,
    ) -> Result<Option<Vec<u8>>> {
        let key = StorageKey::Known(file.r2_key.clone());
        let range = match pass.offset {
            0 => None,
            offset => ByteRange::new(offset, file.file_size.saturating_sub(1)),
        };
        let fetched = self.objects.get(&key, range, Some(&file.etag)).await?;
        let mut source = expect_found(fetched, &file.r2_key, file.file_size)?.into_source();
        let stop_at = pass.offset.saturating_add(step_bytes);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut pauses = Pauses::new(self.clock.clone());
        while source.read(&mut piece).await? > 0 {
            pauses.after(piece.len()).await;
            pass.profiler.push(&piece);
            pass.hash.update(&piece);
            pass.offset += piece.len() as u64;
            piece.clear();
            if pass.offset >= stop_at
                && pass.offset < file.file_size
                && let Some(state) = pass.profiler.save()
            {
                source.cancel().await;
                return Ok(Some(state));
            }
        }
        match pass.offset == file.file_size {
            true => Ok(None),
            false => {
                let what = format!("the row says {} bytes, the object has {}", file.file_size, pass.offset);
                Err(integrity_error(&file.r2_key, &what))
            }
        }
    }

    async fn save_checkpoint(
        &self,
        file: &UnprofiledFile,
        attempt: AttemptId,
        pass: Pass,
        profiler: &[u8],
    ) -> Result<()> {
        let now = self.now();
        let step = self.fresh_id::<AttemptId>();
        let key = StorageKey::Learning { attempt, step };
        let hash = pass.hash.serialize();
        let checkpoint = PassCheckpoint {
            offset: pass.offset,
            hash_bytes: hash.len(),
            state_key: key.to_string(),
            dialect_options: file.dialect_options.clone(),
        };
        let enqueue = sql::gc::Enqueue {
            key: &key,
            file: None,
            attempt: step,
            user: &file.user_id,
            reason: "temporary",
            not_before: now.plus(STATE_LIFETIME),
            now,
        };
        self.database.query(enqueue.statement()).await?;
        let object = NewObject {
            key,
            content_type: "application/octet-stream",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        };
        let bytes = [hash.as_slice(), profiler].concat();
        self.objects.put_bytes(object, &bytes).await?;
        let progress = serde_json::to_string(&checkpoint).map_err(Problem::internal)?;
        let save = sql::profiling::SaveProgress { attempt, user: &file.user_id, progress: &progress, now };
        let mut statements = vec![save.statement()];
        if pass.is_resumed {
            statements.push(sql::profiling::SubtractTry { attempt }.statement());
        }
        statements.extend(pass.previous.map(|previous| delete_soon(&previous, now)));
        self.database.batch(statements).await?;
        Ok(())
    }

    async fn finish(&self, file: &UnprofiledFile, attempt: AttemptId, pass: Pass) -> Result<()> {
        let facts = ObjectFacts { size: file.file_size, etag: file.etag.clone() };
        let target = ProfileTarget {
            user: &file.user_id,
            file: file.id,
            attempt,
            facts: &facts,
            dialect_options: file.dialect_options.as_deref(),
        };
        let (checksum, now) = (hex::encode(pass.hash.finalize()), self.now());
        if let Some(expected) = file.checksum.as_ref().filter(|expected| **expected != checksum) {
            let details = json!({
                "row": {"size": file.file_size, "etag": file.etag, "checksum": expected},
                "stored": {"checksum": checksum},
            });
            let damaged = DamagedFile { file: file.id, user: &file.user_id, key: &file.r2_key, attempt };
            record_damage(self, &damaged, Damage::Changed, &details, now).await?;
            return Err(integrity_error(&file.r2_key, "the SHA-256 differs from the SHA-256 in the row"));
        }
        let summary = self.store_profile(&target, &pass.profiler.finish()).await?;
        let mut statements = vec![
            save_statement(file, attempt, &checksum, &summary),
            sql::profiling::DropProgress { attempt }.statement(),
        ];
        statements.extend(pass.previous.map(|previous| delete_soon(&previous, now)));
        self.database.batch(statements).await?;
        Ok(())
    }
}

fn save_statement(file: &UnprofiledFile, attempt: AttemptId, checksum: &str, summary: &Summary) -> Statement {
    let save = sql::profiling::SaveLearned {
        attempt,
        checksum,
        row_count: summary.row_count,
        column_count: summary.column_count,
        columns: summary.columns.as_deref(),
        dialect: summary.dialect.as_deref(),
        profile_bytes: summary.profile_bytes,
        dialect_options: file.dialect_options.as_deref(),
    };
    save.statement()
}

/// Returns the statement that makes a checkpoint due for collection, because the pass does not need it any more.
fn delete_soon(checkpoint: &PassCheckpoint, now: Timestamp) -> Statement {
    sql::gc::MakeDueNow { key: &StorageKey::Known(checkpoint.state_key.clone()), now }.statement()
}

fn restore_hash(bytes: &[u8]) -> std::result::Result<Sha256, DeserializeStateError> {
    let state = SerializedState::<Sha256>::try_from(bytes).map_err(|_| DeserializeStateError)?;
    Sha256::deserialize(&state)
}
