//! The session of one upload. Only the session writes the upload, and only the session knows the upload's offset.
//!
//! **One at a time.** A command must hold the [`WriterLock`] while it runs. The newest request wins: it interrupts the
//! request whose bytes the session is receiving.
//!
//! **When bytes are kept.** The state in memory is only a cache of the rows. Received bytes are kept as soon as the
//! session has written the upload record that counts them. The session writes this record at the end of every part and
//! at the end of every request. A request also ends if its connection breaks or another request takes over. If a
//! request announces a checksum or digest, its bytes are kept only if all of them arrive and match this checksum or
//! digest. After any failure, the session drops the state in memory, and the next command starts from the rows.
//!
//! **The end.** When the last byte has arrived, the upload enters the stage `Storing`: the session stores the object
//! and then commits the file. Both steps can be repeated. If a step fails, the next request or the alarm repeats the
//! step.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::Value;

use super::command::{Command, UploadPlan, UploadProgress, UploadSender};
use super::limits::{MAX_DURATION, MAX_FITTED_PART_BYTES, MAX_IDLE_TIME, SWEEP_AFTER, part_bytes};
use super::problems::{EXPIRED, empty_upload, file_gone, gone, too_long, wrong_offset};
use super::record::{UploadRecord, UploadStage};
use super::state::{DeclaredBody, UploadState};
use super::writer_lock::WriterLock;
use crate::app::SharedApp;
use crate::body::stream::{ByteSource, NativeBody};
use crate::domain::log::LogLine;
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::memory::budget::{Lease, Memory};
use crate::memory::leased::LeasedSource;
use crate::ports::{NamedObject, ObjectStorage};
use crate::sql;
use crate::storage::file::FileRow;
use crate::storage::protocol::Attempt;

/// Memory that a request with a body needs in addition to one part: a piece and the profile in wasm, and the reader's
/// buffer in JavaScript.
const RECEIVE: Memory = Memory { wasm: 1536 << 10, js: 1 << 20 };

/// How long the outcome of an ended upload stays available.
pub(super) const OUTCOME_KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Time after which the alarm repeats a step that failed.
pub(super) const RETRY_AFTER: TimeDelta = TimeDelta::minutes(1);

/// How long a check of the owner's account stays valid. Within this time, requests for the upload do not read the
/// account from the database.
const ACCOUNT_CHECK_VALID_FOR: TimeDelta = TimeDelta::minutes(1);

/// The session of one upload.
pub struct ResumableUpload {
    pub(super) app: SharedApp,
    pub(super) store: Arc<dyn ObjectStorage>,
    pub(super) lock: WriterLock<Option<UploadState>>,
    /// When the owner's account was last checked.
    account_checked_at: Mutex<Option<Timestamp>>,
}

#[async_trait]
impl NamedObject for ResumableUpload {
    /// Carries out a [`Command`] and reads its body to the end, even if the command fails. A response before the end
    /// of the body would break the client's connection.
    async fn call(&self, command: Value, body: Option<Box<dyn NativeBody>>) -> Result<Value> {
        let command = serde_json::from_value(command).map_err(Problem::internal)?;
        let remainder = body.as_ref().and_then(|body| body.remainder());
        let outcome = self.carry_out(command, body).await;
        if let Some(remainder) = remainder {
            remainder.discard(self.app.config.max_file_size_bytes).await;
        }
        serde_json::to_value(outcome?).map_err(Problem::internal)
    }

    async fn alarm(&self) -> Result<()> {
        self.run_alarm().await
    }
}

impl ResumableUpload {
    /// Creates a session whose rows are in `store`.
    pub fn new(app: SharedApp, store: Arc<dyn ObjectStorage>) -> Self {
        Self { app, store, lock: WriterLock::new(None), account_checked_at: Mutex::new(None) }
    }

    async fn carry_out(&self, command: Command, body: Option<Box<dyn NativeBody>>) -> Result<UploadProgress> {
        match command {
            Command::Create { plan, checksum, digest, body_bytes } => {
                self.create(*plan, DeclaredBody { checksum, digest, body_bytes }, body).await
            }
            Command::Append { sender, offset, length, checksum, digest, body_bytes } => {
                self.check_access(&sender).await?;
                self.append(offset, length, DeclaredBody { checksum, digest, body_bytes }, body).await
            }
            Command::Status { sender } => {
                self.check_access(&sender).await?;
                self.status().await
            }
            Command::Terminate { sender } => {
                self.expect_sender(&sender)?;
                self.terminate().await
            }
        }
    }

    /// Runs the alarm: finishes the upload, ends the upload as expired, repeats a clean-up that failed, or deletes the
    /// rows of the session.
    async fn run_alarm(&self) -> Result<()> {
        if self.lock.receiving_at().is_some() {
            return Ok(self.store.set_alarm(self.app.now().plus(MAX_IDLE_TIME)).await?);
        }
        let mut guard = self.lock.acquire().await;
        let state = match self.load_state(&mut guard) {
            Ok(state) => state,
            Err(problem) if problem.code() == Code::NotFound => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let now = self.app.now();
        let plan = &state.record.plan;
        let (expires_at, sweep_at) = (plan.expires_at, plan.open.started.plus(SWEEP_AFTER));
        let outcome = match state.record.stage.clone() {
            UploadStage::Receiving if state.record.is_whole() => self.finish(state).await,
            UploadStage::Receiving if now < expires_at => {
                return Ok(self.store.set_alarm(expires_at).await?);
            }
            UploadStage::Receiving => self.give_up(state, "expired", EXPIRED).await,
            UploadStage::Storing if now >= sweep_at => self.give_up(state, "expired", EXPIRED).await,
            UploadStage::Storing => self.finish(state).await,
            UploadStage::Over { cleaned: false, .. } => self.clean_up(state).await,
            UploadStage::Kept { .. } | UploadStage::Over { cleaned: true, .. } => {
                *guard = None;
                return Ok(self.store.clear().await?);
            }
        };
        if let Err(problem) = outcome {
            if matches!(state.record.stage, UploadStage::Over { cleaned: true, .. }) {
                // The upload was abandoned, and its bytes were deleted. Nothing is left to repeat.
                return Ok(());
            }
            *guard = None;
            self.log("the alarm of an upload failed; the alarm will run again", &problem);
            self.store.set_alarm(now.plus(RETRY_AFTER)).await?;
        }
        Ok(())
    }

    /// Accepts a request if its sender may use the upload and the owner still has an account.
    async fn check_access(&self, sender: &UploadSender) -> Result<()> {
        self.expect_sender(sender)?;
        let now = self.app.now();
        let checked_at = *self.account_checked_at.lock().map_err(Problem::internal)?;
        if checked_at.is_none_or(|checked_at| now >= checked_at.plus(ACCOUNT_CHECK_VALID_FOR)) {
            self.app.accounts().account_of(&sender.user).await?;
            *self.account_checked_at.lock().map_err(Problem::internal)? = Some(now);
        }
        Ok(())
    }

    /// Waits for the memory that a request with a body needs: one part, a piece and the profile. Returns the body as a
    /// source, and the lease of this memory; `None` if there is no body. The request does not hold the upload's lock
    /// while it waits.
    async fn lease_for(
        &self,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Option<(Box<dyn ByteSource>, Arc<Lease>)>> {
        let Some(body) = body else { return Ok(None) };
        // The session may choose a part size of up to twice the usual size, but at most `MAX_FITTED_PART_BYTES`.
        let config = &self.app.config;
        let longest_part = MAX_FITTED_PART_BYTES.min(2 * part_bytes(config, config.max_upload_size_bytes));
        let lease = self.app.lease_memory(RECEIVE + Memory::js(longest_part)).await?;
        let lease = Arc::new(lease);
        let source = LeasedSource::new(body.into_source(), lease.clone(), self.app.clock.clone());
        Ok(Some((Box::new(source), lease)))
    }

    /// Returns `not_found` if the upload belongs to another owner, was not begun through the share of the request, or if
    /// its file will not have the tag to which the principal is restricted. This check does not interrupt the request that
    /// is receiving.
    fn expect_sender(&self, sender: &UploadSender) -> Result<()> {
        let record = UploadRecord::load(self.store.as_ref())?.ok_or_else(Problem::no_such_upload)?;
        let open = &record.plan.open;
        let is_own = open.user == sender.user
            && open.principal.as_ref().and_then(Principal::share) == sender.share
            && sender.tag.as_ref().is_none_or(|tag| open.description.has_tag(tag));
        match is_own {
            true => Ok(()),
            false => Err(Problem::no_such_upload()),
        }
    }

    async fn create(
        &self,
        plan: UploadPlan,
        announced: DeclaredBody,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let (body, _lease) = self.lease_for(body).await?.unzip();
        let mut guard = self.lock.acquire().await;
        if UploadRecord::load(self.store.as_ref())?.is_some() {
            return Err(Problem::internal("the session already has an upload"));
        }
        *self.account_checked_at.lock().map_err(Problem::internal)? = Some(self.app.now());
        let record = UploadRecord::new(plan);
        self.store.set_alarm(record.plan.expires_at).await?;
        record.save(self.store.as_ref())?;
        let state = guard.insert(UploadState { record, work: None, last_was_fast: false });
        let Some(body) = body else { return Ok(state.record.progress()) };
        match self.receive(state, announced, body).await {
            Ok(()) => Ok(state.record.progress()),
            // The request that interrupted this request knows the upload's URL, and continues after the kept bytes.
            Err(problem) if problem.code() == Code::InProgress => {
                *guard = None;
                Ok(self.load_state(&mut guard)?.record.progress())
            }
            Err(problem) => {
                // The client does not know the upload's URL, so the client cannot continue the upload.
                *guard = None;
                if let Ok(state) = self.load_state(&mut guard)
                    && matches!(state.record.stage, UploadStage::Receiving)
                {
                    // If this fails, the alarm abandons the upload later.
                    let _ = self
                        .give_up(state, "aborted", "The upload could not be started. Begin another one.")
                        .await;
                }
                Err(problem)
            }
        }
    }

    async fn append(
        &self,
        offset: u64,
        length: Option<u64>,
        announced: DeclaredBody,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        // A request with another offset does not interrupt the request that is receiving.
        if let Some(at) = self.lock.receiving_at().filter(|at| *at != offset) {
            return Err(wrong_offset(at));
        }
        let (body, _lease) = self.lease_for(body).await?.unzip();
        let mut guard = self.lock.acquire().await;
        let outcome = self.append_locked(&mut guard, offset, length, announced, body).await;
        if outcome.is_err() {
            *guard = None;
        }
        outcome
    }

    async fn append_locked(
        &self,
        guard: &mut Option<UploadState>,
        offset: u64,
        length: Option<u64>,
        announced: DeclaredBody,
        body: Option<Box<dyn ByteSource>>,
    ) -> Result<UploadProgress> {
        let state = self.load_state(guard)?;
        self.refuse_if_over(state).await?;
        self.refuse_if_file_gone(state).await?;
        if state.record.offset() != offset {
            return Err(wrong_offset(state.record.offset()));
        }
        if let Some(length) = length {
            self.declare_length(state, length).await?;
        }
        let body_bytes = announced.body_bytes.unwrap_or(0);
        state.record.check_room(offset.saturating_add(body_bytes))?;
        if matches!(state.record.stage, UploadStage::Receiving) {
            let now = self.app.now();
            let longest = state.record.plan.open.started.plus(MAX_DURATION);
            state.record.plan.expires_at = now.plus(MAX_IDLE_TIME).min(longest);
        }
        match body {
            Some(body) if !state.record.is_whole() => {
                self.receive(state, announced, body).await?;
                // All kept bytes are in R2 or in the rows. Between requests, the session holds no part in memory.
                state.work = None;
            }
            _ => {
                state.record.save(self.store.as_ref())?;
                if state.record.is_whole() {
                    self.finish(state).await?;
                }
            }
        }
        Ok(state.record.progress())
    }

    async fn status(&self) -> Result<UploadProgress> {
        let mut guard = self.lock.acquire().await;
        let state = self.load_state(&mut guard)?;
        self.refuse_if_over(state).await?;
        self.refuse_if_file_gone(state).await?;
        let unfinished = matches!(state.record.stage, UploadStage::Receiving | UploadStage::Storing);
        if state.record.is_whole() && unfinished {
            let finished = self.finish(state).await;
            if let Err(problem) = finished {
                *guard = None;
                return Err(problem);
            }
        }
        Ok(self.load_state(&mut guard)?.record.progress())
    }

    async fn terminate(&self) -> Result<UploadProgress> {
        let mut guard = self.lock.acquire().await;
        let state = self.load_state(&mut guard)?;
        self.refuse_if_over(state).await?;
        self.refuse_if_file_gone(state).await?;
        match state.record.stage {
            UploadStage::Receiving => {
                self.give_up(state, "aborted", "The upload was terminated by its owner. Begin another one.")
                    .await?;
                Ok(state.record.progress())
            }
            UploadStage::Storing => Err(Problem::new(
                Code::InProgress,
                "All bytes have arrived and the file is being stored. Delete the file once it is stored.",
            )),
            UploadStage::Kept { file } => Err(Problem::new(
                Code::Conflict,
                format!("The upload is complete. To delete its file, send DELETE /api/files/{file}."),
            )),
            UploadStage::Over { .. } => Err(gone(EXPIRED)),
        }
    }

    fn load_state<'a>(&self, guard: &'a mut Option<UploadState>) -> Result<&'a mut UploadState> {
        if guard.is_none() {
            let record = UploadRecord::load(self.store.as_ref())?.ok_or_else(Problem::no_such_upload)?;
            *guard = Some(UploadState { record, work: None, last_was_fast: false });
        }
        guard.as_mut().ok_or_else(Problem::no_such_upload)
    }

    /// Returns `gone` if the upload has ended. If the upload has just expired, ends it first.
    async fn refuse_if_over(&self, state: &mut UploadState) -> Result<()> {
        let expired = self.app.now() >= state.record.plan.expires_at && !state.record.is_whole();
        if matches!(state.record.stage, UploadStage::Receiving) && expired {
            self.give_up(state, "expired", EXPIRED).await?;
        }
        match &state.record.stage {
            UploadStage::Over { why, .. } => Err(gone(why)),
            _ => Ok(()),
        }
    }

    /// Returns `gone` if the upload is complete, but its file is in the trash, has expired or does not exist any more.
    /// Otherwise the response would tell the client that the file is stored.
    async fn refuse_if_file_gone(&self, state: &UploadState) -> Result<()> {
        let UploadStage::Kept { file } = state.record.stage else { return Ok(()) };
        let get = sql::files::Get { file, user: &state.record.plan.open.user, tag: None };
        let row = self.app.database.query(get.statement()).await?.pop();
        let is_readable =
            row.map(FileRow::read).transpose()?.is_some_and(|row| row.is_readable(self.app.now()));
        if is_readable { Ok(()) } else { Err(file_gone()) }
    }

    async fn declare_length(&self, state: &mut UploadState, length: u64) -> Result<()> {
        match state.record.plan.length {
            Some(known) if known == length => return Ok(()),
            Some(known) => {
                let detail = format!(
                    "The length of the upload is {known} bytes and cannot change. Omit Upload-Length."
                );
                return Err(Problem::new(Code::BadRequest, detail));
            }
            None => {}
        }
        if length == 0 {
            return Err(empty_upload());
        }
        if length > state.record.plan.limit_bytes {
            return Err(too_long(state.record.plan.limit_bytes));
        }
        if length < state.record.offset() {
            let detail = format!(
                "Upload-Length must be at least {}, the number of bytes that are stored.",
                state.record.offset()
            );
            return Err(Problem::new(Code::BadRequest, detail));
        }
        self.reserve(state, length).await?;
        state.record.plan.length = Some(length);
        state.record.save(self.store.as_ref())
    }

    pub(super) async fn reserve(&self, state: &mut UploadState, total_bytes: u64) -> Result<()> {
        let mut attempt = self.attempt(&state.record);
        attempt.reserve(total_bytes).await?;
        state.record.plan.open.reserved_bytes = attempt.reserved_bytes();
        Ok(())
    }

    pub(super) fn attempt(&self, record: &UploadRecord) -> Attempt {
        Attempt::resume(self.app.clone(), &record.plan.open, record.detected())
    }

    pub(super) fn log(&self, message: &str, problem: &Problem) {
        self.app.write_log(LogLine::warn(message).caused_by(problem));
    }
}
