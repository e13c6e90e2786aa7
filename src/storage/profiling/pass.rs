//! The background pass: reads a stored file for what its upload could not tell, its profile or its SHA-256.
//!
//! A long file is read in steps, each a job of its own. Between two steps the state lies in the store under `temp/`,
//! named on `gc_queue` before its first byte, and the `jobs` row says where. A step that is done twice, or by two at
//! once, does the same thing again.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::{DeserializeStateError, SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use super::{Described, Summary};
use crate::app::App;
use crate::body::stream::PIECE_BYTES;
use crate::csv::encoding_for_label;
use crate::csv::profile::Profiler;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::http::range::ByteRange;
use crate::jobs::message::LearnFile;
use crate::ports::{Fetched, NewObject, ObjectFacts, Statement, from_row};
use crate::sql;
use crate::storage::file::expect_found;
use crate::storage::file::{FileRow, integrity_error};

/// How many bytes one step reads: some seconds of CPU time, of the minutes that a job may take.
pub const STEP_BYTES: u64 = 512 << 20;

/// The most calls to other services that one step makes: 5 D1, 3 R2 and 1 message.
pub const STEP_CALLS: u32 = 9;

/// How long the state between two steps may lie in the store.
const STATE_WINDOW: TimeDelta = TimeDelta::hours(24);

/// How long after its upload a file without a profile is read for it, so that its own job comes first.
const REMINDER_AFTER: TimeDelta = TimeDelta::minutes(10);

/// How many tries a file may have had, for every day it is kept, before it is left alone: one that cannot be
/// read must not be read all the time, and an outage must not leave one unread for ever. Each step is one until it has
/// got on, and the first of a pass for good: one whose state is lost every time begins again and again.
const MOST_TRIES: u64 = 5;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassStep {
    /// The file is gone, or everything is known of it.
    NothingToDo,
    /// There is more to read; the next step is on the queue.
    More,
    /// Profile and checksum are known.
    Learned,
    /// The file is left alone for now, as `MOST_TRIES` says.
    TriedTooOften,
}

#[derive(Deserialize)]
struct Unlearned {
    id: FileId,
    user_id: UserId,
    r2_key: String,
    file_size: u64,
    etag: String,
    checksum: Option<String>,
    profile_bytes: Option<u64>,
    encoding: Option<String>,
}

/// Where a pass stands, as its `jobs` row holds it: a stored contract.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassCheckpoint {
    offset: u64,
    /// Length of the hash's state, which comes first in the object.
    hash_bytes: usize,
    state_key: String,
}

/// What is carried from step to step.
struct Pass {
    offset: u64,
    profiler: Profiler,
    hash: Sha256,
    previous: Option<PassCheckpoint>,
    /// Whether it goes on where a step ended.
    is_resumed: bool,
}

impl App {
    /// Asks for a file to be learned from; what fails is left to the sweep.
    pub async fn ask_to_learn(&self, file: &FileRow) {
        if let Some(attempt) = AttemptId::parse(&file.attempt) {
            self.send_learn_job(attempt).await;
        }
    }

    /// As [`Self::ask_to_learn`], by the version of the file.
    pub async fn send_learn_job(&self, attempt: AttemptId) {
        if let Err(error) = self.enqueue(&LearnFile { attempt }).await {
            self.write_log(LogLine::warn("a file is left to the sweep to learn from").caused_by(error));
        }
    }

    /// Asks for the files that have waited for their profile, at most `limit` of each state. How many.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remind_of_unlearned(&self, now: Timestamp, limit: u64) -> Result<u64> {
        let cutoff = now.plus(-REMINDER_AFTER);
        let due =
            |status: &str| sql::profiling::Due { status, cutoff, most_tries: MOST_TRIES, limit }.statement();
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

    /// Does one step for the version `attempt`, reading about `step_bytes`.
    ///
    /// # Errors
    /// A dependency failed, or the bytes are not the ones the row tells of. The step may be done again.
    pub async fn learn(&self, attempt: AttemptId, step_bytes: u64) -> Result<PassStep> {
        let get = sql::profiling::GetFile { attempt };
        let file: Option<Unlearned> =
            self.database.query(get.statement()).await?.pop().map(from_row).transpose()?;
        let is_unlearned = |file: &Unlearned| file.profile_bytes.is_none() || file.checksum.is_none();
        let Some(file) = file.filter(is_unlearned) else {
            // The file may have gone, or another pass come to its end, between two steps of this one.
            self.database.query(sql::profiling::DropProgress { attempt }.statement()).await?;
            return Ok(PassStep::NothingToDo);
        };
        let Some(mut pass) = self.resume(&file, attempt).await? else { return Ok(PassStep::TriedTooOften) };
        match self.read_step(&file, &mut pass, step_bytes).await? {
            None => {
                self.finish(&file, attempt, pass).await?;
                Ok(PassStep::Learned)
            }
            Some(profiler) => {
                self.put_aside(&file, attempt, pass, &profiler).await?;
                self.send_learn_job(attempt).await;
                Ok(PassStep::More)
            }
        }
    }

    /// The state that the last step left, or a new one; nothing when the file has been tried too often for its age.
    async fn resume(&self, file: &Unlearned, attempt: AttemptId) -> Result<Option<Pass>> {
        let get = sql::profiling::GetProgress { attempt };
        let row = self.database.query(get.statement()).await?.pop();
        let payload = row.as_ref().and_then(|row| row.get("payload")).and_then(|payload| payload.as_str());
        let place: Option<PassCheckpoint> = payload.and_then(|payload| serde_json::from_str(payload).ok());
        let now = self.now();
        let count = sql::profiling::CountTry { attempt, now, most_tries: MOST_TRIES };
        if self.database.query(count.statement()).await?.is_empty() {
            self.give_up(attempt, place.as_ref(), now).await?;
            return Ok(None);
        }
        let known = match &place {
            Some(place) => self.restore(place).await?.map(|state| (place.offset, state)),
            None => None,
        };
        if let Some((offset, (hash, profiler))) = known {
            return Ok(Some(Pass { offset, profiler, hash, previous: place, is_resumed: true }));
        }
        let mut profiler = Profiler::new(self.config.max_record_size_bytes);
        profiler.declare(file.encoding.as_deref().and_then(encoding_for_label));
        Ok(Some(Pass { offset: 0, profiler, hash: Sha256::new(), previous: place, is_resumed: false }))
    }

    /// Ends a pass that goes wrong every time; the sweep asks for another when the file is older.
    async fn give_up(
        &self,
        attempt: AttemptId,
        place: Option<&PassCheckpoint>,
        now: Timestamp,
    ) -> Result<()> {
        self.write_log(
            LogLine::error("a file has been read for its profile too often for its age")
                .with("attempt", attempt),
        );
        let mut statements = vec![sql::profiling::DropProgress { attempt }.statement()];
        statements.extend(place.map(|place| hasten(place, now)));
        self.database.batch(statements).await?;
        Ok(())
    }

    /// Reads a state back; none when it has gone or another version wrote it: then the pass begins again.
    async fn restore(&self, place: &PassCheckpoint) -> Result<Option<(Sha256, Profiler)>> {
        let key = StorageKey::Known(place.state_key.clone());
        let Fetched::Found(_, body) = self.objects.get(&key, None, None).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut source = body.into_source();
        while source.read(&mut bytes).await? > 0 {}
        let Some((hash, profiler)) = bytes.split_at_checked(place.hash_bytes) else { return Ok(None) };
        let (Ok(hash), Ok(profiler)) = (restore_hash(hash), Profiler::restore(profiler)) else {
            return Ok(None);
        };
        Ok(Some((hash, profiler)))
    }

    /// Reads on and gives the profiler's state at the end of the step; nothing at the end of the file. While the state
    /// is too large to be put aside, the step goes on.
    async fn read_step(&self, file: &Unlearned, pass: &mut Pass, step_bytes: u64) -> Result<Option<Vec<u8>>> {
        let key = StorageKey::Known(file.r2_key.clone());
        let range = match pass.offset {
            0 => None,
            offset => ByteRange::new(offset, file.file_size.saturating_sub(1)),
        };
        let fetched = self.objects.get(&key, range, Some(&file.etag)).await?;
        let mut source = expect_found(fetched, &file.r2_key, file.file_size)?.into_source();
        let stop_at = pass.offset.saturating_add(step_bytes);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while source.read(&mut piece).await? > 0 {
            pass.profiler.push(&piece);
            if file.checksum.is_none() {
                pass.hash.update(&piece);
            }
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
                let what = format!("the row says {} bytes, {} came", file.file_size, pass.offset);
                Err(integrity_error(&file.r2_key, &what))
            }
        }
    }

    async fn put_aside(
        &self,
        file: &Unlearned,
        attempt: AttemptId,
        pass: Pass,
        profiler: &[u8],
    ) -> Result<()> {
        let now = self.now();
        let step = self.fresh_id::<AttemptId>();
        let key = StorageKey::Learning { attempt, step };
        let hash = pass.hash.serialize();
        let place =
            PassCheckpoint { offset: pass.offset, hash_bytes: hash.len(), state_key: key.to_string() };
        let enqueue = sql::gc::Enqueue {
            key: &key,
            file: None,
            attempt: step,
            user: &file.user_id,
            reason: "temporary",
            not_before: now.plus(STATE_WINDOW),
            now,
        };
        self.database.query(enqueue.statement()).await?;
        let object = NewObject {
            key,
            content_type: "application/octet-stream",
            labels: Vec::new(),
            expected_sha256: None,
        };
        let bytes = [hash.as_slice(), profiler].concat();
        self.objects.put_bytes(object, &bytes).await?;
        let progress = serde_json::to_string(&place).map_err(Problem::internal)?;
        let save = sql::profiling::SaveProgress { attempt, user: &file.user_id, progress: &progress, now };
        let mut statements = vec![save.statement()];
        if pass.is_resumed {
            statements.push(sql::profiling::ForgiveTry { attempt }.statement());
        }
        statements.extend(pass.previous.map(|previous| hasten(&previous, now)));
        self.database.batch(statements).await?;
        Ok(())
    }

    async fn finish(&self, file: &Unlearned, attempt: AttemptId, pass: Pass) -> Result<()> {
        let facts = ObjectFacts { size: file.file_size, etag: file.etag.clone() };
        let of = Described { user: &file.user_id, file: file.id, attempt, facts: &facts };
        let summary = self.store_profile(&of, &pass.profiler.finish()).await?;
        let checksum = file.checksum.clone().unwrap_or_else(|| hex::encode(pass.hash.finalize()));
        let now = self.now();
        let mut statements =
            vec![learned(attempt, &checksum, &summary), sql::profiling::DropProgress { attempt }.statement()];
        statements.extend(pass.previous.map(|previous| hasten(&previous, now)));
        self.database.batch(statements).await?;
        Ok(())
    }
}

fn learned(attempt: AttemptId, checksum: &str, summary: &Summary) -> Statement {
    let save = sql::profiling::SaveLearned {
        attempt,
        checksum,
        row_count: summary.row_count,
        column_count: summary.column_count,
        columns: summary.columns.as_deref(),
        dialect: summary.dialect.as_deref(),
        profile_bytes: summary.profile_bytes,
    };
    save.statement()
}

/// A state that is no longer needed is collected by the next sweep.
fn hasten(place: &PassCheckpoint, now: Timestamp) -> Statement {
    sql::gc::Hasten { key: &StorageKey::Known(place.state_key.clone()), now }.statement()
}

fn restore_hash(bytes: &[u8]) -> std::result::Result<Sha256, DeserializeStateError> {
    let state = SerializedState::<Sha256>::try_from(bytes).map_err(|_| DeserializeStateError)?;
    Sha256::deserialize(&state)
}
