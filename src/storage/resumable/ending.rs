//! The end of an upload: the upload becomes a file, or the session abandons it. Every step can be repeated. The next
//! request or the alarm repeats a step that failed.

use super::problems::{EXPIRED, INFECTED, gone};
use super::record::{self, UploadRecord, UploadStage};
use super::session::{OUTCOME_KEPT_FOR, RETRY_AFTER, ResumableUpload};
use super::state::UploadState;
use crate::error::{Code, Problem, Result};
use crate::ports::{ObjectFacts, PutError};
use crate::sql;
use crate::storage::protocol::{Attempt, Leftover};

impl ResumableUpload {
    /// Stores the object and commits the file. All bytes must have arrived.
    pub(super) async fn finish(&self, state: &mut UploadState) -> Result<()> {
        if matches!(state.record.stage, UploadStage::Kept { .. }) {
            return Ok(());
        }
        self.work(state)?;
        if let Err(problem) = self.check_content(state) {
            self.give_up(
                state,
                "aborted",
                "The upload was refused because of its content. Begin another one.",
            )
            .await?;
            return Err(problem);
        }
        if !matches!(state.record.stage, UploadStage::Storing) {
            state.record.stage = UploadStage::Storing;
            state.record.save(self.store.as_ref())?;
            self.store.set_alarm(self.app.now().plus(RETRY_AFTER)).await?;
        }
        let facts = match state.record.r2_upload.is_some() {
            true => self.complete_parts(state).await?,
            false => self.put_whole(state).await?,
        };
        let received = state.record.plan.length.unwrap_or_default();
        if facts.size != received {
            return Err(Problem::unavailable(format!("received {received} bytes, stored {}", facts.size)));
        }
        self.commit(state, &facts).await
    }

    async fn commit(&self, state: &mut UploadState, facts: &ObjectFacts) -> Result<()> {
        let work = self.work(state)?;
        let (sha256, profile) = (work.observers.sha256(), work.observers.take_profile());
        let now = self.app.now();
        let mut attempt = self.attempt(&state.record);
        let has_profile = profile.is_some();
        attempt.keep_profile(facts, profile).await;
        let upload = state.record.plan.open.attempt;
        let complete = sql::uploads::Complete { upload, now, size_bytes: facts.size };
        attempt.add_to_commit(vec![complete.statement()]);
        let settled = match attempt.settle(facts, Some(sha256)).await {
            Err(problem) if problem.code() == Code::Infected => {
                self.give_up(state, "aborted", INFECTED).await?;
                return Err(problem);
            }
            Err(problem) if problem.code() == Code::Gone => {
                self.give_up(state, "aborted", "The link takes no more files, or not this file.").await?;
                return Err(problem);
            }
            settled => settled?,
        };
        match settled {
            Some(row) => {
                state.record.stage = UploadStage::Kept { file: row.id };
                state.record.save(self.store.as_ref())?;
                state.work = None;
                record::delete_all_except_record(self.store.as_ref())?;
                // The alarm is still set to a time within the next minute. An alarm at that time would delete the
                // record of the upload. So the session sets the alarm to a later time before it sends the job.
                self.store.set_alarm(now.plus(OUTCOME_KEPT_FOR)).await?;
                if !has_profile {
                    self.app.send_learn_job(state.record.plan.open.attempt).await;
                }
                Ok(())
            }
            None => {
                self.give_up(state, "expired", EXPIRED).await?;
                Err(gone(EXPIRED))
            }
        }
    }

    /// Stores the file with a single put. The file must not be longer than one part.
    async fn put_whole(&self, state: &mut UploadState) -> Result<ObjectFacts> {
        let attempt = self.attempt(&state.record);
        let work = self.work(state)?;
        match self.app.objects.put_buffer(attempt.object(), work.part.as_ref()).await {
            Ok(facts) => Ok(facts),
            // Only this attempt writes to this key. So an earlier put succeeded, but its response was lost.
            Err(PutError::Exists) => self
                .stored(&attempt)
                .await?
                .ok_or_else(|| Problem::unavailable("R2 refused to replace the object, but did not find it")),
            Err(error) => Err(error.into()),
        }
    }

    async fn complete_parts(&self, state: &mut UploadState) -> Result<ObjectFacts> {
        let attempt = self.attempt(&state.record);
        if !self.work(state)?.part.is_empty() {
            self.put_part(state).await?;
            self.save(state)?;
        }
        let etags = record::etags(self.store.as_ref(), state.record.parts)?;
        let upload = self.r2_upload_id(state, &attempt).await?;
        match self.app.objects.complete_multipart(attempt.key(), &upload, &etags).await {
            Ok(facts) => Ok(facts),
            // An earlier call may have completed the upload although its response was lost.
            Err(error) => self.stored(&attempt).await?.ok_or_else(|| error.into()),
        }
    }

    async fn stored(&self, attempt: &Attempt) -> Result<Option<ObjectFacts>> {
        Ok(self.app.objects.head(attempt.key()).await?)
    }

    /// Abandons the upload. If the clean-up fails, the alarm repeats the clean-up.
    pub(super) async fn give_up(&self, state: &mut UploadState, status: &str, why: &str) -> Result<()> {
        state.work = None;
        // The record in memory may count bytes that were not saved. The saved record counts only saved bytes.
        if let Some(saved) = UploadRecord::load(self.store.as_ref())? {
            state.record = saved;
        }
        let put_was_tried = matches!(state.record.stage, UploadStage::Storing);
        state.record.stage = UploadStage::Over {
            why: why.to_owned(),
            status: status.to_owned(),
            put_was_tried,
            cleaned: false,
        };
        self.store.set_alarm(self.app.now().plus(RETRY_AFTER)).await?;
        state.record.save(self.store.as_ref())?;
        if let Err(problem) = self.clean_up(state).await {
            self.log("an upload was not cleaned up; its alarm will try again", &problem);
        }
        Ok(())
    }

    pub(super) async fn clean_up(&self, state: &mut UploadState) -> Result<()> {
        let UploadStage::Over { status, put_was_tried, .. } = &state.record.stage else { return Ok(()) };
        let leftover = match state.record.r2_upload.is_some() || *put_was_tried {
            true => Leftover::Perhaps,
            false => Leftover::Nothing,
        };
        let attempt = self.attempt(&state.record);
        if let Some(upload) = &state.record.r2_upload {
            self.app.objects.abort_multipart(attempt.key(), upload).await?;
        }
        let now = self.app.now();
        let ended = sql::uploads::End { upload: state.record.plan.open.attempt, status, now }.statement();
        attempt.try_abandon(leftover, vec![ended]).await?;
        if let UploadStage::Over { cleaned, .. } = &mut state.record.stage {
            *cleaned = true;
        }
        record::delete_all_except_record(self.store.as_ref())?;
        state.record.save(self.store.as_ref())?;
        Ok(self.store.set_alarm(now.plus(OUTCOME_KEPT_FOR)).await?)
    }
}
