//! Intent, bytes, commit: how a file comes to be, whatever fails on the way.
//!
//! 1. [`Attempt::begin`] writes, in one batch, the pending row, the reservation of quota and the object's name in
//!    `gc_queue`. Nothing is visible; a crash from here on leaves something the sweep knows of.
//! 2. The caller stores the bytes under [`Attempt::object`].
//! 3. [`Attempt::commit`] makes the row active, settles the quota and takes the name off `gc_queue`, in one batch that
//!    fails as a whole if the attempt no longer owns a pending row. An unknown outcome is resolved by reading.
//!
//! [`Attempt::abandon`] undoes step 1 when step 2 failed.

mod commit;
mod new_file;
mod reservation;
mod undo;

pub use new_file::{Description, DetectedContent, NewFile, OpenAttempt, Origin};

use chrono::TimeDelta;
use encoding_rs::Encoding;

use super::profiling::{Described, Summary};
use crate::app::SharedApp;
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

/// How long an attempt may take before the sweep treats it as dead: far beyond what one request lasts.
pub const ATTEMPT_WINDOW: TimeDelta = TimeDelta::hours(24);

/// What is left in the object store when an attempt is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing: the store refused the bytes.
    Nothing,
    /// An object or parts of one, perhaps.
    Perhaps,
}

/// One try at storing a file.
pub struct Attempt {
    app: SharedApp,
    actor: Actor,
    /// Whose file it is: part of every query.
    owner: UserId,
    file: FileId,
    attempt: AttemptId,
    key: StorageKey,
    new: NewFile,
    reserved_bytes: u64,
    started: Timestamp,
    summary: Summary,
    window: TimeDelta,
    also: Vec<Statement>,
    effect: Effect,
    /// What step 1 is an effect of by itself, if it is.
    begun: Option<Effect>,
}

impl Attempt {
    /// Step 1. Reserves `reserve_bytes` of the owner's quota.
    ///
    /// # Errors
    /// `forbidden`; `quota_exceeded`; or `unavailable`, with nothing left behind that the sweep does not know of.
    pub async fn begin(service: &R2StorageService, new: NewFile, reserve_bytes: u64) -> Result<Self> {
        Self::draft(service, new, reserve_bytes, ATTEMPT_WINDOW)?.start_with(Vec::new()).await
    }

    /// An attempt that nothing is written of yet, and that may take so long.
    ///
    /// # Errors
    /// `forbidden`: the principal may not bring files in.
    pub fn draft(
        service: &R2StorageService,
        new: NewFile,
        reserve_bytes: u64,
        window: TimeDelta,
    ) -> Result<Self> {
        let owner = service.allow(Scope::Create, None)?.clone();
        Ok(Self::of(service.app.clone(), service.actor.clone(), owner, new, reserve_bytes, window))
    }

    fn of(
        app: SharedApp,
        actor: Actor,
        owner: UserId,
        new: NewFile,
        reserve_bytes: u64,
        window: TimeDelta,
    ) -> Self {
        let file = app.fresh_id::<FileId>();
        let attempt = app.fresh_id::<AttemptId>();
        let user = owner.clone();
        let key = match new.origin {
            Origin::Upload => StorageKey::Upload { user, file, attempt },
            Origin::Cut { parent, .. } => StorageKey::Derived { user, parent, attempt },
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
            window,
            summary: Summary::default(),
            also: Vec::new(),
            effect: Effect::Created { file },
            begun: None,
        }
    }

    /// Step 1 of a draft; `also` takes effect with it, or not at all.
    ///
    /// # Errors
    /// Those of [`Self::begin`].
    pub async fn start_with(self, also: Vec<Statement>) -> Result<Self> {
        let mut intent = self.intent();
        intent.extend(also);
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

    /// Step 1 of an upload in several requests, which is an effect by itself: `insert` has it, and `also` takes effect
    /// with it.
    ///
    /// # Errors
    /// Those of [`Self::begin`].
    pub async fn start_upload(
        mut self,
        begun: Effect,
        insert: Statement,
        also: Vec<Statement>,
    ) -> Result<Self> {
        let mut statements = vec![insert];
        statements.extend(self.actor.record(&begun));
        statements.extend(also);
        self.begun = Some(begun);
        self.start_with(statements).await
    }

    /// Says on whose behalf it is committed. The audit entry names this principal and this request; the effect is recorded
    /// under the idempotency key of the request, if it has one.
    pub fn committed_by(&mut self, actor: &Actor) {
        self.actor.clone_from(actor);
    }

    /// Goes on with an upload that an earlier request began. `judged` is what its content turned out to be.
    pub fn resume(app: SharedApp, open: &OpenAttempt, judged: DetectedContent) -> Self {
        let (user, file, attempt) = (open.user.clone(), open.file, open.attempt);
        let key = StorageKey::Upload { user: user.clone(), file, attempt };
        let new = NewFile {
            filename: open.filename.clone(),
            content_type: judged.content_type,
            encoding: judged.encoding,
            description: open.description.clone(),
            expected_sha256: None,
            origin: Origin::Upload,
        };
        let principal = open.principal.clone().unwrap_or_else(|| Principal::user(user.clone()));
        let actor = Actor { principal, caller: open.caller.clone(), claim: None };
        let mut this = Self::of(app, actor, user, new, open.reserved_bytes, ATTEMPT_WINDOW);
        (this.file, this.attempt, this.key, this.started) = (file, attempt, key, open.started);
        this.effect = Effect::Created { file };
        this
    }

    /// What a later request needs to go on with this upload.
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

    /// The encoding its file was declared to be in.
    pub fn encoding(&self) -> Option<&'static Encoding> {
        self.new.encoding
    }

    /// Where its bytes go.
    pub fn key(&self) -> &StorageKey {
        &self.key
    }

    /// How many bytes of the quota are reserved, at least.
    pub fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes
    }

    /// The object to store in step 2.
    pub fn object(&self) -> NewObject {
        NewObject {
            key: self.key.clone(),
            content_type: self.new.content_type,
            labels: vec![
                ("file-id", self.file.to_string()),
                ("user-id", self.owner.to_string()),
                ("attempt", self.attempt.to_string()),
            ],
            expected_sha256: self.new.expected_sha256,
        }
    }

    /// Says more of the file before it is committed.
    pub fn describe(&mut self, description: Description) {
        self.new.description = description;
    }

    /// Adds statements to the commit: they take effect with the file, or not at all.
    pub fn settle_also(&mut self, statements: Vec<Statement>) {
        self.also.extend(statements);
    }

    /// Stores what was learned of the bytes beside them, before the commit that tells of it. Without it the file is
    /// whole all the same, and a background pass will read it again.
    pub async fn keep_profile(&mut self, facts: &ObjectFacts, profile: &Profile) {
        let of = Described { user: &self.owner, file: self.file, attempt: self.attempt, facts };
        match self.app.store_profile(&of, profile).await {
            Ok(summary) => self.summary = summary,
            Err(problem) => self.app.write_log(
                LogLine::warn("a profile was not stored").with("file", self.file).caused_by(problem),
            ),
        }
    }

    /// Says that the commit is the effect of saving cut `cut`, for a request with an idempotency key.
    pub fn saves(&mut self, cut: CutId) {
        self.effect = Effect::Saved { file: self.file, cut };
    }

    /// Lets the sweep know of an upload in parts before its first part.
    ///
    /// # Errors
    /// The database did not take it; the upload must be aborted.
    pub async fn remember_multipart(&self, upload_id: &str) -> Result<()> {
        let remember = sql::gc::SetUpload { key: &self.key, r2_upload: upload_id };
        match self.app.database.query(remember.statement()).await?.is_empty() {
            true => Err(Problem::unavailable("the attempt was given up before its first part")),
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
        };
        let enqueue = sql::gc::Enqueue {
            key,
            file: Some(file),
            attempt,
            user,
            reason: "upload",
            not_before: started.plus(self.window),
            now: started,
        };
        let mut statements = vec![
            sql::quotas::Ensure { user, now: started }.statement(),
            reserve.statement(),
            insert.statement(),
            enqueue.statement(),
        ];
        if let Origin::Cut { parent, recipe } = &self.new.origin {
            let recipe = recipe.to_string();
            let lineage = sql::files::InsertLineage { file, parent: *parent, recipe: &recipe, now: started };
            statements.push(lineage.statement());
        }
        statements
    }
}
