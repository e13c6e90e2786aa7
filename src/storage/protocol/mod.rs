//! The storage protocol: intent, bytes, commit. If a step fails, the sweep later deletes the rows and the object of the
//! attempt and releases its reservation.
//!
//! 1. [`Attempt::begin`] writes three things in one batch: the pending row, the reservation of quota, and the object's
//!    key on `gc_queue`. The file is not visible yet. After a crash, the sweep finds the key and undoes step 1.
//! 2. The caller stores the bytes under [`Attempt::object`].
//! 3. [`Attempt::commit`] makes the row active, turns the reservation into used bytes of the quota, and removes the key
//!    from `gc_queue`. All of this is one batch, which fails completely if the attempt no longer owns a pending row. If
//!    the outcome is unknown, the commit reads the row's status.
//!
//! [`Attempt::abandon`] undoes step 1 if step 2 failed.

mod commit;
mod new_file;
mod reservation;
mod undo;

pub use new_file::{Description, DetectedContent, NewFile, OpenAttempt, Origin};

use chrono::TimeDelta;

use super::profiling::{ProfileTarget, Summary};
use crate::app::SharedApp;
use crate::csv::InputOptions;
use crate::csv::profile::Profile;
use crate::domain::ids::{AttemptId, CutId, FileId, UserId};
use crate::domain::log::LogLine;
use crate::domain::principal::{Principal, Scope};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::ports::{NewObject, ObjectFacts, Statement};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;
use crate::storage::recipes::keep_recipe;

/// Maximum duration of an attempt that one request makes. Every request ends long before this time. After this time,
/// the sweep undoes the attempt.
pub const MAX_ATTEMPT_TIME: TimeDelta = TimeDelta::hours(24);

/// Number of unfinished uploads that a link admits beyond the files that it still takes. A client that has lost an upload
/// can so begin another one. Without a limit, the holder of the link could reserve the whole quota of the owner.
const SPARE_UPLOADS: u64 = 3;

/// Whether an abandoned attempt may have stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// The attempt stored no bytes.
    Nothing,
    /// The attempt may have stored an object or parts.
    Perhaps,
}

/// One try to store the bytes of a file.
pub struct Attempt {
    app: SharedApp,
    actor: Actor,
    /// The owner of the file.
    owner: UserId,
    file: FileId,
    attempt: AttemptId,
    key: StorageKey,
    new: NewFile,
    reserved_bytes: u64,
    started: Timestamp,
    summary: Summary,
    max_time: TimeDelta,
    extra: Vec<Statement>,
    effect: Effect,
    /// The effect of step 1; `None` unless the file is uploaded in several requests.
    start_effect: Option<Effect>,
}

impl Attempt {
    /// Performs step 1. Reserves `reserve_bytes` of the owner's quota.
    ///
    /// # Errors
    /// `forbidden`; `quota_exceeded`; `in_progress` if the request no longer holds its idempotency key; or
    /// `unavailable`. After `unavailable`, step 1 may have taken effect, so this function tries to undo step 1. If the
    /// undo fails, or if step 1 takes effect later, the sweep undoes step 1.
    pub async fn begin(service: &R2StorageService, new: NewFile, reserve_bytes: u64) -> Result<Self> {
        Self::draft(service, new, reserve_bytes, MAX_ATTEMPT_TIME)?.start_with(Vec::new()).await
    }

    /// Creates an attempt in memory and writes nothing. `max_time` is the maximum duration of the attempt.
    ///
    /// # Errors
    /// `forbidden`: the principal may not create files. `bad_metadata` if the file has too many tags for the tag to which
    /// the principal is restricted.
    pub fn draft(
        service: &R2StorageService,
        mut new: NewFile,
        reserve_bytes: u64,
        max_time: TimeDelta,
    ) -> Result<Self> {
        let owner = service.allow(Scope::Write, None)?.clone();
        new.description.add_tag(service.actor.tag())?;
        Ok(Self::assemble(service.app.clone(), service.actor.clone(), owner, new, reserve_bytes, max_time))
    }

    fn assemble(
        app: SharedApp,
        actor: Actor,
        owner: UserId,
        new: NewFile,
        reserve_bytes: u64,
        max_time: TimeDelta,
    ) -> Self {
        let file = app.fresh_id::<FileId>();
        let attempt = app.fresh_id::<AttemptId>();
        let user = owner.clone();
        let key = match new.origin {
            Origin::Upload => StorageKey::Upload { user, file, attempt },
            Origin::Cut { ref recipe } => StorageKey::Derived { user, parent: recipe.parent(), attempt },
        };
        let started = app.now();
        Self {
            app,
            actor,
            owner,
            file,
            attempt,
            key,
            new,
            reserved_bytes: reserve_bytes,
            started,
            max_time,
            summary: Summary::default(),
            extra: Vec::new(),
            effect: Effect::Created { file },
            start_effect: None,
        }
    }

    /// Performs step 1 for an attempt from [`Self::draft`]. The same batch runs the statements in `extra`.
    ///
    /// # Errors
    /// The errors of [`Self::begin`].
    pub async fn start_with(self, extra: Vec<Statement>) -> Result<Self> {
        let mut intent = self.intent();
        intent.extend(extra);
        match self.app.database.batch(intent).await {
            Ok(_) => Ok(self),
            Err(error) => {
                let problem = Problem::from(error);
                if problem.code() == Code::Unavailable {
                    self.abandon(Leftover::Nothing).await;
                }
                Err(problem)
            }
        }
    }

    /// Performs step 1 for an upload that takes several requests. The same batch runs `insert` and the statements in
    /// `extra`. If the request has an idempotency key, the batch also records `start_effect` under this key.
    ///
    /// # Errors
    /// The errors of [`Self::begin`].
    pub async fn start_upload(
        mut self,
        start_effect: Effect,
        insert: Statement,
        extra: Vec<Statement>,
    ) -> Result<Self> {
        let mut statements = vec![insert];
        statements.extend(self.actor.record(&start_effect));
        statements.extend(extra);
        self.start_effect = Some(start_effect);
        self.start_with(statements).await
    }

    /// Sets the principal and the request that commit the attempt. The audit entry names both. If the request has an
    /// idempotency key, the commit records the effect of the attempt under this key.
    pub fn set_claim(&mut self, actor: &Actor) {
        self.actor.clone_from(actor);
    }

    /// Resumes the attempt of an upload that an earlier request started. `detected` is the result of the content check.
    pub fn resume(app: SharedApp, open: &OpenAttempt, detected: DetectedContent) -> Self {
        let (user, file, attempt) = (open.user.clone(), open.file, open.attempt);
        let key = StorageKey::Upload { user: user.clone(), file, attempt };
        let new = NewFile {
            filename: open.filename.clone(),
            content_type: detected.content_type,
            encoding: detected.encoding,
            dialect: detected.dialect(),
            description: open.description.clone(),
            expected_sha256: None,
            origin: Origin::Upload,
        };
        let principal = open.principal.clone().unwrap_or_else(|| Principal::user(user.clone()));
        let actor = Actor { principal, caller: open.caller.clone(), claim: None };
        let mut this = Self::assemble(app, actor, user, new, open.reserved_bytes, MAX_ATTEMPT_TIME);
        (this.file, this.attempt, this.key, this.started) = (file, attempt, key, open.started);
        this.effect = Effect::Created { file };
        this
    }

    /// Returns the data that a later request needs to resume this attempt.
    pub fn open(&self) -> OpenAttempt {
        OpenAttempt {
            file: self.file,
            attempt: self.attempt,
            user: self.owner.clone(),
            principal: Some(self.actor.principal.clone()),
            caller: self.actor.caller.clone(),
            filename: self.new.filename.clone(),
            description: self.new.description.clone(),
            reserved_bytes: self.reserved_bytes,
            started: self.started,
        }
    }

    /// Returns the options for reading the file.
    pub fn input(&self) -> InputOptions {
        self.new.input()
    }

    /// Returns the id of the file.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Returns the id of the attempt.
    pub fn id(&self) -> AttemptId {
        self.attempt
    }

    /// Returns the owner of the file.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Returns the key of the object.
    pub fn key(&self) -> &StorageKey {
        &self.key
    }

    /// Returns the number of bytes that are known to be reserved. The reservation in the database may be larger.
    pub fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes
    }

    /// Returns the object to store in step 2.
    pub fn object(&self) -> NewObject {
        NewObject {
            key: self.key.clone(),
            content_type: self.new.content_type,
            labels: vec![
                ("file-id", self.file.to_string()),
                ("user-id", self.owner.to_string()),
                ("attempt", self.attempt.to_string()),
            ],
            storage_class: self.new.description.storage_class,
            expected_sha256: self.new.expected_sha256,
        }
    }

    /// Replaces the description of the file before the commit. The storage class must stay the same.
    ///
    /// # Errors
    /// The errors of [`Description::add_tag`].
    pub fn describe(&mut self, mut description: Description) -> Result<()> {
        description.add_tag(self.actor.tag())?;
        self.new.description = description;
        Ok(())
    }

    /// Adds statements to the batch of the commit.
    pub fn add_to_commit(&mut self, statements: Vec<Statement>) {
        self.extra.extend(statements);
    }

    /// Stores the profile in the sidecar, before the commit. If the sidecar cannot be stored, the file is committed
    /// without a profile, and the background pass computes the profile later.
    pub async fn keep_profile(&mut self, facts: &ObjectFacts, profile: Option<Profile>) {
        let Some(profile) = profile else { return };
        let dialect_options = self.new.dialect_options();
        let target = ProfileTarget {
            user: &self.owner,
            file: self.file,
            attempt: self.attempt,
            facts,
            dialect_options: dialect_options.as_deref(),
        };
        match self.app.store_profile(&target, &profile).await {
            Ok(summary) => self.summary = summary,
            Err(problem) => self.app.write_log(
                LogLine::warn("a profile was not stored").with("file", self.file).caused_by(problem),
            ),
        }
    }

    /// Sets the effect of the commit to [`Effect::Saved`] for the cut `cut`. If the request has an idempotency key, the
    /// commit records the effect.
    pub fn set_saved_cut(&mut self, cut: CutId) {
        self.effect = Effect::Saved { file: self.file, cut };
    }

    /// Writes the id of an R2 multipart upload into the attempt's row of `gc_queue`. Must run before the first part is
    /// stored.
    ///
    /// # Errors
    /// `unavailable` if the database cannot be reached or the attempt was abandoned. The caller must then abort the R2
    /// multipart upload.
    pub async fn remember_multipart(&self, upload_id: &str) -> Result<()> {
        let remember = sql::gc::SetUpload { key: &self.key, r2_upload: upload_id };
        match self.app.database.query(remember.statement()).await?.is_empty() {
            true => Err(Problem::unavailable("the attempt was abandoned before its first part")),
            false => Ok(()),
        }
    }

    fn intent(&self) -> Vec<Statement> {
        let source = match self.new.origin {
            Origin::Upload => "upload",
            Origin::Cut { .. } => "cut",
        };
        let (file, attempt, user, key) = (self.file, self.attempt, &self.owner, &self.key);
        let started = self.started;
        let reserve = sql::quotas::Reserve {
            user,
            bytes: self.reserved_bytes,
            default_quota_bytes: self.app.config.default_quota_bytes,
            waiting_percent: self.app.config.waiting_quota_percent.into(),
            most_files: self.app.config.max_files_per_user,
            is_cut: matches!(self.new.origin, Origin::Cut { .. }),
            now: self.app.now(),
        };
        let insert = sql::files::InsertPending {
            file,
            user,
            filename: &self.new.filename,
            key,
            content_type: self.new.content_type,
            reserved_bytes: self.reserved_bytes,
            now: started,
            attempt,
            source,
            share: self.actor.principal.share(),
        };
        let enqueue = sql::gc::Enqueue {
            key,
            file: Some(file),
            attempt,
            user,
            reason: "upload",
            not_before: started.plus(self.max_time),
            now: started,
        };
        let mut statements = vec![
            sql::quotas::Ensure { user, now: started }.statement(),
            reserve.statement(),
            insert.statement(),
            enqueue.statement(),
        ];
        if let Some(share) = self.actor.principal.share() {
            statements.push(sql::shares::AdmitUpload { share, spare: SPARE_UPLOADS }.statement());
        }
        if let Origin::Cut { recipe } = &self.new.origin {
            statements.extend(keep_recipe(recipe, user, started));
            let (parent, recipe_sha256) = (recipe.parent(), recipe.sha256());
            let lineage = sql::files::InsertLineage { file, parent, recipe_sha256, now: started };
            statements.push(lineage.statement());
        }
        statements
    }
}
