//! Receives the bytes of a request. The session collects the bytes in one part in memory. When the part is full, the
//! session stores the part in R2. If a request ends before the part is full, the session saves the bytes of the part in
//! its rows.

use super::limits::{MAX_FITTED_PART_BYTES, part_bytes};
use super::observers::UploadObservers;
use super::record::{self, RestRows, UploadRecord};
use super::session::ResumableUpload;
use super::state::{DeclaredBody, PartInProgress, UploadState};
use super::writer_lock::InterruptibleRead;
use crate::body::read_size::was_fast;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::sniff::SAMPLE_BYTES;
use crate::http::tus::Checksum;
use crate::storage::profiling::memory::ProfilerMemory;
use crate::storage::protocol::Attempt;
use crate::storage::upload::check_content;

/// How the body of a request ended.
enum BodyEnd {
    Complete,
    /// Another request interrupted this request.
    Interrupted,
    Failed(Problem),
}

impl ResumableUpload {
    /// Appends the body of one request, and stores the file if the upload is then complete.
    pub(super) async fn receive(
        &self,
        state: &mut UploadState,
        announced: DeclaredBody,
        mut source: Box<dyn ByteSource>,
    ) -> Result<()> {
        let is_checked = announced.is_checked();
        let (before, began) = (state.received(), self.app.now());
        if std::mem::take(&mut state.last_was_fast) {
            source.expect_fast();
        }
        let end = match self.read_body(state, announced, source).await {
            Err(problem) if problem.code() == Code::UnsupportedType => {
                let detail = "The upload was refused because of its content. Begin another one.";
                self.give_up(state, "aborted", detail).await?;
                return Err(problem);
            }
            end => end?,
        };
        if matches!(end, BodyEnd::Complete) {
            let took = self.app.now().instant() - began.instant();
            let bytes = state.received().saturating_sub(before);
            state.last_was_fast = was_fast(bytes, took.num_milliseconds() as f64);
        }
        if !is_checked || matches!(end, BodyEnd::Complete) {
            let received = state.received();
            if state.record.plan.length.is_none() && received > before {
                self.reserve(state, received).await?;
            }
            self.save(state)?;
        }
        match end {
            BodyEnd::Complete if state.record.is_whole() => self.finish(state).await,
            BodyEnd::Complete => Ok(()),
            BodyEnd::Failed(problem) => Err(problem),
            BodyEnd::Interrupted => Err(Problem::new(
                Code::InProgress,
                "A newer request for this upload interrupted this request. HEAD returns the offset from which to continue.",
            )),
        }
    }

    async fn read_body(
        &self,
        state: &mut UploadState,
        announced: DeclaredBody,
        mut source: Box<dyn ByteSource>,
    ) -> Result<BodyEnd> {
        if state.received() == 0 {
            let plan = &mut state.record.plan;
            let least = part_bytes(&self.app.config, plan.length.unwrap_or(plan.limit_bytes));
            plan.part_bytes = part_bytes_for_chunks(announced.body_bytes.unwrap_or(0), least);
        }
        let keep = !announced.is_checked();
        let mut check = announced.checksum.as_ref().map(Checksum::check);
        let mut digest = announced.digest.map(|sha256| Checksum::Sha256(sha256).check());
        let receiving = self.lock.start_receiving();
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let outcome = loop {
            piece.clear();
            match receiving.read(source.as_mut(), &mut piece, state.received()).await {
                InterruptibleRead::Done(Ok(0)) => break Ok(BodyEnd::Complete),
                InterruptibleRead::Done(Ok(_)) => {}
                InterruptibleRead::Done(Err(problem)) => break Ok(BodyEnd::Failed(problem)),
                InterruptibleRead::Interrupted => break Ok(BodyEnd::Interrupted),
            }
            for check in [&mut check, &mut digest].into_iter().flatten() {
                check.update(&piece);
            }
            if let Err(problem) = self.append_bytes(state, &piece, keep).await {
                break Err(problem);
            }
        };
        // The connection may hang, so the session cannot wait for the remaining bytes.
        if matches!(outcome, Ok(BodyEnd::Interrupted)) {
            source.cancel().await;
        }
        let all_came = matches!(outcome, Ok(BodyEnd::Complete));
        if all_came && check.is_some_and(|check| !check.matches()) {
            let detail = "The bytes do not match Upload-Checksum. None of them were kept. Send them again.";
            return Err(Problem::new(Code::ChecksumMismatch, detail));
        }
        if all_came && digest.is_some_and(|check| !check.matches()) {
            let detail =
                "The SHA-256 of the bytes is not the announced SHA-256. No bytes were kept. Send them again.";
            return Err(Problem::new(Code::DigestMismatch, detail));
        }
        outcome
    }

    /// Appends bytes to the part in progress. If `keep` is true, saves the state each time a part becomes full. `keep`
    /// is false if the session must keep either all bytes of the request or none.
    async fn append_bytes(&self, state: &mut UploadState, mut bytes: &[u8], keep: bool) -> Result<()> {
        state.record.check_room(state.received().saturating_add(bytes.len() as u64))?;
        let part_bytes = state.record.plan.part_bytes;
        while !bytes.is_empty() {
            let is_detected = state.record.content_type.is_some();
            let work = self.work(state)?;
            let (now, later) = bytes.split_at(bytes.len().min(part_bytes - work.part.len()));
            work.part.append(now);
            if !is_detected {
                work.sample.extend_from_slice(now);
                if work.sample.len() >= SAMPLE_BYTES {
                    self.check_content(state)?;
                }
            }
            // The content check sets the encoding, so it must run before the observers get the bytes.
            let work = self.work(state)?;
            work.observers.observe(now);
            work.observers.fit_into(&mut work.profiler_memory);
            bytes = later;
            // A file of exactly one part is stored with a single put.
            let is_whole_file = state.record.plan.length == Some(part_bytes as u64);
            if self.work(state)?.part.len() == part_bytes && !is_whole_file {
                self.put_part(state).await?;
                if keep {
                    self.save(state)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the part in progress. Loads it from the rows if it is not in memory.
    pub(super) fn work<'a>(&self, state: &'a mut UploadState) -> Result<&'a mut PartInProgress> {
        if state.work.is_none() {
            state.work = Some(self.load_work(&state.record)?);
        }
        state.work.as_mut().ok_or_else(|| Problem::internal("the upload has no part in progress"))
    }

    fn load_work(&self, record: &UploadRecord) -> Result<PartInProgress> {
        let store = self.store.as_ref();
        let mut part = self.app.objects.part_buffer(record.plan.part_bytes);
        record::delete_uncounted(store, record)?;
        let mut replaced = Vec::new();
        let mut observers = match record.parts {
            0 => {
                let mut observers = UploadObservers::new(self.app.config.max_record_size_bytes);
                observers.declare(record.detected().input());
                observers
            }
            parts => {
                let (head, growth) = record::load_state(store, parts, record.epoch)?;
                replaced.extend(record::state_row_names(parts, head.len()));
                UploadObservers::restore(&head, &growth)?
            }
        };
        let grown = observers.grown();
        let mut sample = Vec::new();
        let rest_bytes = usize::try_from(record.rest_bytes).map_err(Problem::internal)?;
        let rest = RestRows::load(store, record.parts, rest_bytes, |bytes| {
            part.append(bytes);
            observers.observe(bytes);
            if record.content_type.is_none() && record.parts == 0 {
                sample.extend_from_slice(bytes);
            }
        })?;
        let mut profiler_memory = ProfilerMemory::new(&self.app);
        observers.fit_into(&mut profiler_memory);
        let at_last_part = None;
        Ok(PartInProgress { part, rest, observers, profiler_memory, at_last_part, grown, replaced, sample })
    }

    /// Checks the first bytes of the file, and sets its media type and encoding if the file is accepted.
    pub(super) fn check_content(&self, state: &mut UploadState) -> Result<()> {
        if state.record.content_type.is_some() {
            return Ok(());
        }
        let sample = std::mem::take(&mut self.work(state)?.sample);
        let plan = &state.record.plan;
        let filename = Filename::parse(&plan.open.filename).map_err(Problem::internal)?;
        let sample = &sample[..sample.len().min(SAMPLE_BYTES)];
        let detected = check_content(&self.app, plan.declared_type.as_deref(), &filename, sample)?;
        state.record.content_type = Some(detected.content_type.to_owned());
        state.record.header = detected.header;
        state.record.encoding = detected.encoding.map(|encoding| encoding.name().to_owned());
        self.work(state)?.observers.declare(detected.input());
        Ok(())
    }

    /// Stores in R2 the part that is in memory. The part must be full, or it must be the last part of the upload.
    pub(super) async fn put_part(&self, state: &mut UploadState) -> Result<()> {
        self.check_content(state)?;
        let received = state.received();
        if state.record.plan.length.is_none() {
            self.reserve(state, received).await?;
        }
        let attempt = self.attempt(&state.record);
        let upload = self.r2_upload_id(state, &attempt).await?;
        let number = state.record.parts + 1;
        let work = self.work(state)?;
        let objects = &self.app.objects;
        let etag = objects.put_part_buffer(attempt.key(), &upload, number, work.part.as_ref()).await?;
        record::put_etag(self.store.as_ref(), number, &etag)?;
        work.part.clear();
        work.replaced.extend(work.rest.names());
        work.rest = RestRows::empty(number);
        work.at_last_part = Some(work.observers.save(work.grown));
        state.record.parts = number;
        Ok(())
    }

    /// Returns the id of the R2 multipart upload. Starts this upload if there is none yet.
    pub(super) async fn r2_upload_id(&self, state: &mut UploadState, attempt: &Attempt) -> Result<String> {
        if let Some(upload) = &state.record.r2_upload {
            return Ok(upload.clone());
        }
        let upload = self.app.objects.create_multipart(&attempt.object()).await?;
        // The id of R2's upload must be on `gc_queue` before it is in the session's record. If the record were written
        // first and `remember_multipart` then failed, the session would not call `remember_multipart` again.
        if let Err(problem) = attempt.remember_multipart(&upload).await {
            // The upload has no parts, so nothing is lost if the abort fails.
            let _ = self.app.objects.abort_multipart(attempt.key(), &upload).await;
            return Err(problem);
        }
        // Only the field `r2_upload` is saved now, because the other fields may count bytes that will not be kept.
        if let Some(mut saved) = UploadRecord::load(self.store.as_ref())? {
            saved.r2_upload = Some(upload.clone());
            saved.save(self.store.as_ref())?;
        }
        state.record.r2_upload = Some(upload.clone());
        Ok(upload)
    }

    /// Saves all bytes that have arrived. From then on, these bytes are kept.
    pub(super) fn save(&self, state: &mut UploadState) -> Result<()> {
        let store = self.store.as_ref();
        let parts = state.record.parts;
        let Some(work) = &mut state.work else { return state.record.save(store) };
        let mut replaced = Vec::new();
        if let Some(saved) = work.at_last_part.take() {
            record::put_state(store, parts, &saved)?;
            let names = record::state_row_names(parts, saved.head.len()).collect();
            replaced = std::mem::replace(&mut work.replaced, names);
            work.grown = saved.grown;
        }
        work.rest.save(store, work.part.as_ref())?;
        state.record.rest_bytes = work.rest.len_bytes() as u64;
        let epoch = std::mem::replace(&mut state.record.epoch, work.grown.epoch());
        state.record.save(store)?;
        record::delete_rows(store, replaced)?;
        if state.record.epoch != epoch {
            record::delete_uncounted(store, &state.record)?;
        }
        Ok(())
    }
}

/// Returns a part size in bytes that divides `chunk_bytes`. Then each chunk ends at the end of a part, and the session
/// saves no bytes in its rows. The part size is from `least` to twice `least`, and at most [`MAX_FITTED_PART_BYTES`].
/// If no size meets these conditions, returns `least`.
fn part_bytes_for_chunks(chunk_bytes: u64, least: usize) -> usize {
    let parts = chunk_bytes.div_ceil(2 * least as u64).max(1);
    match usize::try_from(chunk_bytes / parts) {
        Ok(part) if (least..=MAX_FITTED_PART_BYTES).contains(&part) && chunk_bytes.is_multiple_of(parts) => {
            part
        }
        _ => least,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn part_size_divides_the_chunk_size_if_the_limits_allow_it() {
        for (chunk, least, wanted) in [
            (8 * MIB, 5 * MIB, 8 * MIB),
            (6 * MIB, 5 * MIB, 6 * MIB),
            (16 * MIB, 5 * MIB, 8 * MIB),
            (20 * MIB, 5 * MIB, 10 * MIB),
            (5 * MIB, 5 * MIB, 5 * MIB),
            (10_000_000, 5 * MIB, 10_000_000),
            (20_971_523, 5 * MIB, 5 * MIB),
            (MIB, 5 * MIB, 5 * MIB),
            (0, 5 * MIB, 5 * MIB),
            (32 * MIB, 12 * MIB, 16 * MIB),
            (8 * MIB, 12 * MIB, 12 * MIB),
            (40 * MIB, 20 * MIB, 20 * MIB),
            (40 * MIB, 40 * MIB, 40 * MIB),
            (u64::MAX - 1, 5 * MIB, 5 * MIB),
        ] {
            assert_eq!(part_bytes_for_chunks(chunk, least as usize) as u64, wanted, "{chunk} of {least}");
        }
    }
}
