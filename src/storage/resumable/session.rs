//! One upload: its single writer, and the truth of how far it is.
//!
//! **One at a time.** A command runs when it has the [`Turn`]; who receives gives way to whoever comes next.
//!
//! **What is kept.** Memory is a cache of the rows. Bytes become kept when the record that counts them is written: at
//! the end of every part, and when a request ends, however it ends. Bytes that are announced with a checksum become
//! kept only when all of them have come and match. After anything that failed half-way memory is thrown away, and the
//! next command goes on from the rows.
//!
//! **The end.** With the last byte the upload turns to `Storing`: the object is completed, then the file committed.
//! Both can be repeated, and are: by the next request, or by the alarm.

use std::sync::Arc;

use chrono::TimeDelta;

use super::learned::Learned;
use super::record::{self, Record, Rest, Stage};
use super::turn::{Read, Turn};
use super::{Command, IDLE_WINDOW, LONGEST, Plan, Progress, SWEEP_AFTER, end_statement, gone};
use crate::app::SharedApp;
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::sniff::{SAMPLE_BYTES, TEXT_CSV, stored_type_named};
use crate::http::tus::Checksum;
use crate::ids::UserId;
use crate::ports::{
    ByteSource, NativeBody, ObjectFacts, PIECE_BYTES, PartBuffer, PutError, SessionStore, Statement,
};
use crate::sql;
use crate::storage::part_writer::put_problem;
use crate::storage::protocol::{Attempt, Leftover};
use crate::storage::upload::judge;
use crate::time::Timestamp;

/// How long what has become of an upload can be asked for.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

/// When the alarm tries again what failed.
const TRY_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// The session of one upload.
pub struct Session {
    app: SharedApp,
    store: Arc<dyn SessionStore>,
    turn: Turn<Option<State>>,
}

/// The upload as it is in memory.
struct State {
    record: Record,
    /// What it takes to receive, once somebody does.
    work: Option<Work>,
}

/// The part that is not full, and all that goes with it.
struct Work {
    part: Box<dyn PartBuffer>,
    rest: Rest,
    learned: Learned,
    /// What the observers knew at the end of the last part, while it is not saved.
    at_last_part: Option<Vec<u8>>,
    /// The first bytes of the file, until it is judged by them.
    sample: Vec<u8>,
}

impl State {
    /// How many bytes have come in, kept or not.
    fn received(&self) -> u64 {
        match &self.work {
            Some(work) => {
                let received = self.record.bytes_in_parts() + work.part.len() as u64;
                self.record.plan.length.map_or(received, |length| received.min(length))
            }
            None => self.record.offset(),
        }
    }
}

/// What a request's bytes announce of themselves.
struct Announced {
    checksum: Option<Checksum>,
    body_bytes: Option<u64>,
}

/// How a request's bytes ended.
enum Ending {
    All,
    Stopped,
    Broken(Problem),
}

impl Session {
    /// The session whose rows are in `store`.
    pub fn new(app: SharedApp, store: Arc<dyn SessionStore>) -> Self {
        Self { app, store, turn: Turn::new(None) }
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// Those of [`crate::ports::Uploads::send`].
    pub async fn handle(&self, command: Command, body: Option<Box<dyn NativeBody>>) -> Result<Progress> {
        match command {
            Command::Create { plan, checksum, body_bytes } => {
                self.create(*plan, Announced { checksum, body_bytes }, body).await
            }
            Command::Append { user, offset, length, checksum, body_bytes } => {
                self.admit(&user)?;
                self.append(offset, length, Announced { checksum, body_bytes }, body).await
            }
            Command::Status { user } => {
                self.admit(&user)?;
                self.status().await
            }
            Command::Terminate { user } => {
                self.admit(&user)?;
                self.terminate().await
            }
        }
    }

    /// Does what is due, as of now.
    ///
    /// # Errors
    /// The session's own store failed.
    pub async fn alarm(&self) -> Result<()> {
        if self.turn.receiving_at().is_some() {
            return Ok(self.store.wake_at(self.app.now().plus(IDLE_WINDOW)).await?);
        }
        let mut turn = self.turn.take().await;
        let Ok(state) = self.loaded(&mut turn) else { return Ok(()) };
        let now = self.app.now();
        let plan = &state.record.plan;
        let (expires_at, hopeless_at) = (plan.expires_at, plan.open.started.plus(SWEEP_AFTER));
        let outcome = match state.record.stage.clone() {
            Stage::Receiving if state.record.is_whole() => self.finish(state).await,
            Stage::Receiving if now < expires_at => return Ok(self.store.wake_at(expires_at).await?),
            Stage::Receiving => self.give_up(state, "expired", EXPIRED).await,
            Stage::Storing if now >= hopeless_at => self.give_up(state, "expired", EXPIRED).await,
            Stage::Storing => self.finish(state).await,
            Stage::Over { cleaned: false, .. } => self.clean_up(state).await,
            Stage::Kept { .. } | Stage::Over { cleaned: true, .. } => {
                *turn = None;
                return Ok(self.store.clear().await?);
            }
        };
        if let Err(problem) = outcome {
            *turn = None;
            self.log("an upload's alarm will ring again", &problem);
            self.store.wake_at(now.plus(TRY_AGAIN)).await?;
        }
        Ok(())
    }

    /// Someone else's upload is as one that is not there; asking for it does not disturb its writer.
    fn admit(&self, user: &UserId) -> Result<()> {
        match Record::load(self.store.as_ref())? {
            Some(record) if record.plan.open.user == *user => Ok(()),
            _ => Err(Problem::no_such_upload()),
        }
    }

    async fn create(
        &self,
        plan: Plan,
        announced: Announced,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        let mut turn = self.turn.take().await;
        if Record::load(self.store.as_ref())?.is_some() {
            return Err(Problem::internal("an upload was created twice"));
        }
        let record = Record::new(plan);
        self.store.wake_at(record.plan.expires_at).await?;
        record.save(self.store.as_ref())?;
        let state = turn.insert(State { record, work: None });
        let Some(body) = body else { return Ok(state.record.progress()) };
        match self.receive(state, announced, body.into_source()).await {
            Ok(()) => Ok(state.record.progress()),
            Err(problem) => {
                // Its client does not know where it is.
                *turn = None;
                if let Ok(state) = self.loaded(&mut turn)
                    && matches!(state.record.stage, Stage::Receiving)
                {
                    // What fails here, the alarm does.
                    let _ = self.give_up(state, "aborted", "The upload could not be begun.").await;
                }
                Err(problem)
            }
        }
    }

    async fn append(
        &self,
        offset: u64,
        length: Option<u64>,
        announced: Announced,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        // Who is at another offset does not disturb the one who receives.
        if let Some(at) = self.turn.receiving_at().filter(|at| *at != offset) {
            return Err(wrong_offset(at));
        }
        let mut turn = self.turn.take().await;
        let outcome = self.append_in_turn(&mut turn, offset, length, announced, body).await;
        if outcome.is_err() {
            *turn = None;
        }
        outcome
    }

    async fn append_in_turn(
        &self,
        turn: &mut Option<State>,
        offset: u64,
        length: Option<u64>,
        announced: Announced,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        let state = self.loaded(turn)?;
        self.refuse_if_over(state).await?;
        if state.record.offset() != offset {
            return Err(wrong_offset(state.record.offset()));
        }
        if let Some(length) = length {
            self.declare_length(state, length).await?;
        }
        let coming = announced.body_bytes.unwrap_or(0);
        check_room(&state.record, offset.saturating_add(coming))?;
        if matches!(state.record.stage, Stage::Receiving) {
            let now = self.app.now();
            let longest = state.record.plan.open.started.plus(LONGEST);
            state.record.plan.expires_at = now.plus(IDLE_WINDOW).min(longest);
        }
        match body {
            Some(body) if !state.record.is_whole() => {
                self.receive(state, announced, body.into_source()).await?;
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

    async fn status(&self) -> Result<Progress> {
        let mut turn = self.turn.take().await;
        let state = self.loaded(&mut turn)?;
        self.refuse_if_over(state).await?;
        let unfinished = matches!(state.record.stage, Stage::Receiving | Stage::Storing);
        if state.record.is_whole() && unfinished {
            let finished = self.finish(state).await;
            if let Err(problem) = finished {
                *turn = None;
                return Err(problem);
            }
        }
        Ok(self.loaded(&mut turn)?.record.progress())
    }

    async fn terminate(&self) -> Result<Progress> {
        let mut turn = self.turn.take().await;
        let state = self.loaded(&mut turn)?;
        self.refuse_if_over(state).await?;
        match state.record.stage {
            Stage::Receiving => {
                self.give_up(state, "aborted", "The upload was terminated by its owner.").await?;
                Ok(state.record.progress())
            }
            Stage::Storing => Err(Problem::new(
                Code::InProgress,
                "All bytes are there and the file is being stored. Delete the file once it is.",
            )),
            Stage::Kept { file } => Err(Problem::new(
                Code::Conflict,
                format!("The upload is complete. To delete what it made, DELETE /api/files/{file}."),
            )),
            Stage::Over { .. } => Err(gone(EXPIRED)),
        }
    }

    fn loaded<'a>(&self, turn: &'a mut Option<State>) -> Result<&'a mut State> {
        if turn.is_none() {
            let record = Record::load(self.store.as_ref())?.ok_or_else(Problem::no_such_upload)?;
            *turn = Some(State { record, work: None });
        }
        turn.as_mut().ok_or_else(Problem::no_such_upload)
    }

    /// An upload that is over is 410, and so is one whose time has just come.
    async fn refuse_if_over(&self, state: &mut State) -> Result<()> {
        let expired = self.app.now() >= state.record.plan.expires_at && !state.record.is_whole();
        if matches!(state.record.stage, Stage::Receiving) && expired {
            self.give_up(state, "expired", EXPIRED).await?;
        }
        match &state.record.stage {
            Stage::Over { why, .. } => Err(gone(why)),
            _ => Ok(()),
        }
    }

    async fn declare_length(&self, state: &mut State, length: u64) -> Result<()> {
        match state.record.plan.length {
            Some(known) if known == length => return Ok(()),
            Some(known) => {
                let detail = format!("The upload's length is {known} bytes and cannot be changed.");
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
            let detail = format!("The upload has {} bytes already.", state.record.offset());
            return Err(Problem::new(Code::BadRequest, detail));
        }
        self.reserve(state, length).await?;
        state.record.plan.length = Some(length);
        state.record.save(self.store.as_ref())
    }

    /// Takes the bytes of one request, and stores the file with the last of them.
    async fn receive(
        &self,
        state: &mut State,
        announced: Announced,
        source: Box<dyn ByteSource>,
    ) -> Result<()> {
        let all_or_none = announced.checksum.is_some();
        let before = state.received();
        let ending = match self.take_all(state, announced, source).await {
            Err(problem) if problem.code() == Code::UnsupportedType => {
                let detail = "The upload was refused for its content. Begin another one.";
                self.give_up(state, "aborted", detail).await?;
                return Err(problem);
            }
            ending => ending?,
        };
        if !all_or_none || matches!(ending, Ending::All) {
            let received = state.received();
            if state.record.plan.length.is_none() && received > before {
                self.reserve(state, received).await?;
            }
            self.save(state)?;
        }
        match ending {
            Ending::All if state.record.is_whole() => self.finish(state).await,
            Ending::All => Ok(()),
            Ending::Broken(problem) => Err(problem),
            Ending::Stopped => Err(Problem::new(
                Code::InProgress,
                "Another request for this upload came and goes on with it. Ask for the offset, and go on from there.",
            )),
        }
    }

    async fn take_all(
        &self,
        state: &mut State,
        announced: Announced,
        mut source: Box<dyn ByteSource>,
    ) -> Result<Ending> {
        let mut check = announced.checksum.as_ref().map(Checksum::check);
        let receiving = self.turn.receive();
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let outcome = loop {
            piece.clear();
            match receiving.read(source.as_mut(), &mut piece, state.received()).await {
                Read::Done(Ok(0)) => break Ok(Ending::All),
                Read::Done(Ok(_)) => {}
                Read::Done(Err(problem)) => break Ok(Ending::Broken(problem)),
                Read::AskedToStop => break Ok(Ending::Stopped),
            }
            if let Some(check) = &mut check {
                check.update(&piece);
            }
            if let Err(problem) = self.take(state, &piece, announced.checksum.is_none()).await {
                break Err(problem);
            }
        };
        if !matches!(outcome, Ok(Ending::All)) {
            source.cancel().await;
        }
        let all_came = matches!(outcome, Ok(Ending::All));
        if all_came && check.is_some_and(|check| !check.matches()) {
            let detail = "The bytes do not match Upload-Checksum. None of them were kept: send them again.";
            return Err(Problem::new(Code::ChecksumMismatch, detail));
        }
        outcome
    }

    /// Takes the next bytes; with `keep`, those of parts that are full are kept at once.
    async fn take(&self, state: &mut State, mut bytes: &[u8], keep: bool) -> Result<()> {
        check_room(&state.record, state.received().saturating_add(bytes.len() as u64))?;
        let part_bytes = state.record.plan.part_bytes;
        while !bytes.is_empty() {
            if self.work(state)?.part.len() == part_bytes {
                self.put_part(state).await?;
                if keep {
                    self.save(state)?;
                }
            }
            let judged = state.record.content_type.is_some();
            let work = self.work(state)?;
            let (now, later) = bytes.split_at(bytes.len().min(part_bytes - work.part.len()));
            work.part.append(now);
            work.learned.observe(now);
            if !judged {
                work.sample.extend_from_slice(now);
                if work.sample.len() >= SAMPLE_BYTES {
                    self.judge(state)?;
                }
            }
            bytes = later;
        }
        Ok(())
    }

    /// What it takes to receive, made from the rows if it is not at hand.
    fn work<'a>(&self, state: &'a mut State) -> Result<&'a mut Work> {
        if state.work.is_none() {
            state.work = Some(self.load_work(&state.record)?);
        }
        state.work.as_mut().ok_or_else(|| Problem::internal("an upload without its part"))
    }

    fn load_work(&self, record: &Record) -> Result<Work> {
        let store = self.store.as_ref();
        let mut part = self.app.objects.part_buffer(record.plan.part_bytes);
        let mut learned = match record.parts {
            0 => Learned::new(self.app.config.max_record_size_bytes),
            parts => Learned::restore(&record::learned(store, parts)?)?,
        };
        let mut sample = Vec::new();
        let rest_bytes = usize::try_from(record.rest_bytes).map_err(Problem::internal)?;
        let rest = Rest::load(store, record.parts, rest_bytes, |bytes| {
            part.append(bytes);
            learned.observe(bytes);
            if record.content_type.is_none() && record.parts == 0 {
                sample.extend_from_slice(bytes);
            }
        })?;
        Ok(Work { part, rest, learned, at_last_part: None, sample })
    }

    /// Decides by the first bytes whether the file may come in, and as what.
    fn judge(&self, state: &mut State) -> Result<()> {
        if state.record.content_type.is_some() {
            return Ok(());
        }
        let sample = std::mem::take(&mut self.work(state)?.sample);
        let plan = &state.record.plan;
        let filename = Filename::parse(&plan.open.filename).map_err(Problem::internal)?;
        let judged = &sample[..sample.len().min(SAMPLE_BYTES)];
        let content_type = judge(&self.app, plan.declared_type.as_deref(), &filename, judged)?;
        state.record.content_type = Some(content_type.to_owned());
        Ok(())
    }

    /// Stores the part in memory, full or the last.
    async fn put_part(&self, state: &mut State) -> Result<()> {
        self.judge(state)?;
        let received = state.received();
        if state.record.plan.length.is_none() {
            self.reserve(state, received).await?;
        }
        let attempt = self.attempt(&state.record);
        let upload = self.object_in_parts(state, &attempt).await?;
        let number = state.record.parts + 1;
        let work = self.work(state)?;
        let objects = &self.app.objects;
        let etag = objects.put_part_buffer(attempt.key(), &upload, number, work.part.as_ref()).await?;
        record::put_etag(self.store.as_ref(), number, &etag)?;
        work.part.clear();
        work.rest = Rest::behind(number);
        work.at_last_part = Some(work.learned.save());
        state.record.parts = number;
        Ok(())
    }

    /// The store's id of the object in parts, which is begun with the first of them.
    async fn object_in_parts(&self, state: &mut State, attempt: &Attempt) -> Result<String> {
        if let Some(upload) = &state.record.r2_upload {
            return Ok(upload.clone());
        }
        let upload = self.app.objects.create_multipart(&attempt.object()).await?;
        // Noted by itself: the rest of the record may belong to bytes that are not kept in the end.
        if let Some(mut saved) = Record::load(self.store.as_ref())? {
            saved.r2_upload = Some(upload.clone());
            saved.save(self.store.as_ref())?;
        }
        attempt.remember_multipart(&upload).await?;
        state.record.r2_upload = Some(upload.clone());
        Ok(upload)
    }

    /// Makes what has come in kept.
    fn save(&self, state: &mut State) -> Result<()> {
        let store = self.store.as_ref();
        let parts = state.record.parts;
        let Some(work) = &mut state.work else { return state.record.save(store) };
        let at_last_part = work.at_last_part.take();
        if let Some(learned) = &at_last_part {
            record::put_learned(store, parts, learned)?;
        }
        work.rest.save(store, work.part.as_ref())?;
        state.record.rest_bytes = work.rest.len_bytes() as u64;
        state.record.save(store)?;
        if at_last_part.is_some() {
            record::forget_before(store, parts)?;
        }
        Ok(())
    }

    async fn reserve(&self, state: &mut State, total_bytes: u64) -> Result<()> {
        let mut attempt = self.attempt(&state.record);
        attempt.reserve(total_bytes).await?;
        state.record.plan.open.reserved_bytes = attempt.reserved_bytes();
        Ok(())
    }

    fn attempt(&self, record: &Record) -> Attempt {
        let content_type = record.content_type.as_deref().and_then(stored_type_named).unwrap_or(TEXT_CSV);
        Attempt::resume(self.app.clone(), &record.plan.open, content_type)
    }

    /// All bytes are there: stores the object and commits the file.
    async fn finish(&self, state: &mut State) -> Result<()> {
        if matches!(state.record.stage, Stage::Kept { .. }) {
            return Ok(());
        }
        self.work(state)?;
        if let Err(problem) = self.judge(state) {
            self.give_up(state, "aborted", "The upload was refused for its content. Begin another one.")
                .await?;
            return Err(problem);
        }
        if !matches!(state.record.stage, Stage::Storing) {
            state.record.stage = Stage::Storing;
            state.record.save(self.store.as_ref())?;
            self.store.wake_at(self.app.now().plus(TRY_AGAIN)).await?;
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

    async fn commit(&self, state: &mut State, facts: &ObjectFacts) -> Result<()> {
        let work = self.work(state)?;
        let (sha256, profile) = (work.learned.sha256(), work.learned.take_profile());
        let now = self.app.now();
        let mut attempt = self.attempt(&state.record);
        let has_profile = profile.is_some();
        if let Some(profile) = profile {
            attempt.keep_profile(facts, &profile).await;
        }
        let complete = Statement::new(sql::uploads::COMPLETE)
            .bind(state.record.plan.open.attempt.to_string())
            .bind(now)
            .bind(facts.size);
        attempt.settle_also(vec![complete]);
        match attempt.settle(facts, Some(sha256)).await? {
            Some(row) => {
                state.record.stage = Stage::Kept { file: row.id };
                state.record.save(self.store.as_ref())?;
                state.work = None;
                record::forget_bytes(self.store.as_ref())?;
                if !has_profile {
                    self.app.send_learn_job(state.record.plan.open.attempt).await;
                }
                Ok(self.store.wake_at(now.plus(REMEMBERED)).await?)
            }
            None => {
                self.give_up(state, "expired", EXPIRED).await?;
                Err(gone(EXPIRED))
            }
        }
    }

    /// A file of at most one part is put as it is.
    async fn put_whole(&self, state: &mut State) -> Result<ObjectFacts> {
        let attempt = self.attempt(&state.record);
        let work = self.work(state)?;
        match self.app.objects.put_buffer(attempt.object(), work.part.as_ref()).await {
            Ok(facts) => Ok(facts),
            // The key is this attempt's alone: an earlier put did it, and its answer was lost.
            Err(PutError::Exists) => {
                self.stored(&attempt).await?.ok_or_else(|| Problem::unavailable("gone again"))
            }
            Err(error) => Err(put_problem(error)),
        }
    }

    async fn complete_parts(&self, state: &mut State) -> Result<ObjectFacts> {
        let attempt = self.attempt(&state.record);
        if !self.work(state)?.part.is_empty() {
            self.put_part(state).await?;
            self.save(state)?;
        }
        let etags = record::etags(self.store.as_ref(), state.record.parts)?;
        let upload = self.object_in_parts(state, &attempt).await?;
        match self.app.objects.complete_multipart(attempt.key(), &upload, &etags).await {
            Ok(facts) => Ok(facts),
            // Completed before, perhaps, and the answer was lost.
            Err(error) => self.stored(&attempt).await?.ok_or_else(|| error.into()),
        }
    }

    async fn stored(&self, attempt: &Attempt) -> Result<Option<ObjectFacts>> {
        Ok(self.app.objects.head(attempt.key()).await?)
    }

    /// The upload comes to nothing. What cannot be cleaned up now, the alarm will.
    async fn give_up(&self, state: &mut State, status: &str, why: &str) -> Result<()> {
        state.work = None;
        // Whatever came in and was not kept is not counted any more.
        if let Some(saved) = Record::load(self.store.as_ref())? {
            state.record = saved;
        }
        let put_was_tried = matches!(state.record.stage, Stage::Storing);
        state.record.stage =
            Stage::Over { why: why.to_owned(), status: status.to_owned(), put_was_tried, cleaned: false };
        self.store.wake_at(self.app.now().plus(TRY_AGAIN)).await?;
        state.record.save(self.store.as_ref())?;
        if let Err(problem) = self.clean_up(state).await {
            self.log("an upload is left to its alarm", &problem);
        }
        Ok(())
    }

    async fn clean_up(&self, state: &mut State) -> Result<()> {
        let Stage::Over { status, put_was_tried, .. } = &state.record.stage else { return Ok(()) };
        let leftover = match state.record.r2_upload.is_some() || *put_was_tried {
            true => Leftover::Perhaps,
            false => Leftover::Nothing,
        };
        let attempt = self.attempt(&state.record);
        if let Some(upload) = &state.record.r2_upload {
            self.app.objects.abort_multipart(attempt.key(), upload).await?;
        }
        let now = self.app.now();
        let ended = end_statement(state.record.plan.open.attempt, status, now);
        attempt.try_abandon(leftover, vec![ended]).await?;
        if let Stage::Over { cleaned, .. } = &mut state.record.stage {
            *cleaned = true;
        }
        record::forget_bytes(self.store.as_ref())?;
        state.record.save(self.store.as_ref())?;
        Ok(self.store.wake_at(now.plus(REMEMBERED)).await?)
    }

    fn log(&self, message: &str, problem: &Problem) {
        let now: Timestamp = self.app.now();
        self.app.log.line(&serde_json::json!({
            "@timestamp": now, "level": "warn", "service": "cutty-files", "message": message,
            "cause": problem.to_string(),
        }));
    }
}

const EXPIRED: &str = "The upload has expired. Begin another one.";

fn wrong_offset(at: u64) -> Problem {
    let detail = format!("The upload is at offset {at}. Go on from there.");
    Problem::new(Code::UploadOffset, detail).with("offset", at)
}

/// What to say of an upload of nothing.
pub fn empty_upload() -> Problem {
    Problem::new(Code::EmptyFile, "A file of no bytes cannot be kept. Send one with at least a header line.")
}

/// What to say of an upload over the limit.
pub fn too_long(limit_bytes: u64) -> Problem {
    let detail = format!("An upload may have at most {limit_bytes} bytes.");
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes)
}

/// Refuses bytes behind the end.
fn check_room(record: &Record, end: u64) -> Result<()> {
    match record.plan.length {
        Some(length) if end > length => {
            let detail = format!("The upload has {length} bytes in all, and the request brings more.");
            Err(Problem::new(Code::TooLarge, detail).with("limitBytes", length))
        }
        None if end > record.plan.limit_bytes => Err(too_long(record.plan.limit_bytes)),
        _ => Ok(()),
    }
}
