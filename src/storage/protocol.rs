//! Intent, bytes, commit: how a file comes to be, whatever fails on the way.
//!
//! 1. [`Attempt::begin`] writes, in one batch, the pending row, the reservation of quota and the object's name in
//!    `gc_queue`. Nothing is visible; a crash from here on leaves something the sweep knows of.
//! 2. The caller stores the bytes under [`Attempt::object`].
//! 3. [`Attempt::commit`] makes the row active, settles the quota and takes the name off `gc_queue`, in one batch that
//!    fails as a whole if the attempt no longer owns a pending row. An unknown outcome is resolved by reading.
//!
//! [`Attempt::abandon`] undoes step 1 when step 2 failed.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::app::SharedApp;
use crate::csv::profile::Profile;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::ids::{AttemptId, CutId, FileId, UserId};
use crate::metrics::{Action, Caller, Operation};
use crate::ports::{DatabaseError, NewObject, ObjectFacts, Statement, Stored};
use crate::sql;
use crate::storage::Actor;
use crate::storage::file::FileRow;
use crate::storage::key::StorageKey;
use crate::storage::learn::{Described, Summary};
use crate::time::Timestamp;

/// How long an attempt may take before the sweep treats it as dead: far beyond what one request lasts.
pub const ATTEMPT_WINDOW: TimeDelta = TimeDelta::hours(24);

/// How often a commit with an unknown outcome is tried.
const COMMIT_TRIES: usize = 3;

/// How a file came in.
#[derive(Debug, Clone)]
pub enum Origin {
    /// From its owner.
    Upload,
    /// From a cut of another file.
    Cut {
        /// The file that was cut.
        parent: FileId,
        /// All it takes to make the bytes again, as JSON.
        recipe: Value,
    },
}

/// What the owner says of a file; a form may say it after the bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Tags, checked.
    pub tags: Vec<String>,
    /// Metadata, checked.
    pub metadata: Map<String, Value>,
    /// When it is to go to the trash.
    pub expires_at: Option<Timestamp>,
}

/// What is known of a file before its bytes are stored.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// A name that has been checked.
    pub filename: String,
    /// What the content turned out to be.
    pub content_type: &'static str,
    /// What its owner says of it.
    pub description: Description,
    /// The hash the client says the bytes have.
    pub expected_sha256: Option<[u8; 32]>,
    /// Where it comes from.
    pub origin: Origin,
}

/// An uploaded file that takes several requests: all that a later one needs to go on with its attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenAttempt {
    /// The file to be.
    pub file: FileId,
    /// The attempt; also the id of the upload.
    pub attempt: AttemptId,
    /// Its owner.
    pub user: UserId,
    /// Who began it, for the log.
    pub caller: Caller,
    /// A name that has been checked.
    pub filename: String,
    /// What its owner says of it.
    pub description: Description,
    /// How many bytes of the quota are reserved, at least.
    pub reserved_bytes: u64,
    /// When it began.
    pub started: Timestamp,
}

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
    /// `quota_exceeded`; or `unavailable`, with nothing left behind that the sweep does not know of.
    pub async fn begin(app: SharedApp, actor: Actor, new: NewFile, reserve_bytes: u64) -> Result<Self> {
        Self::draft(app, actor, new, reserve_bytes, ATTEMPT_WINDOW).start_with(Vec::new()).await
    }

    /// An attempt that nothing is written of yet, and that may take so long.
    pub fn draft(app: SharedApp, actor: Actor, new: NewFile, reserve_bytes: u64, window: TimeDelta) -> Self {
        let file = FileId::fresh(app.clock.as_ref(), app.random.as_ref());
        let attempt = AttemptId::fresh(app.clock.as_ref(), app.random.as_ref());
        let user = actor.user.clone();
        let key = match new.origin {
            Origin::Upload => StorageKey::Upload { user, file, attempt },
            Origin::Cut { parent, .. } => StorageKey::Derived { user, parent, attempt },
        };
        let started = app.now();
        Self {
            app,
            actor,
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
                let problem = quota_problem(error);
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

    /// Says on whose behalf it is committed: a request that may have an idempotency key.
    pub fn committed_by(&mut self, actor: &Actor) {
        self.actor.claim.clone_from(&actor.claim);
    }

    /// Goes on with an upload that an earlier request began. `content_type` is what its content turned out to be.
    pub fn resume(app: SharedApp, open: &OpenAttempt, content_type: &'static str) -> Self {
        let (user, file, attempt) = (open.user.clone(), open.file, open.attempt);
        let key = StorageKey::Upload { user: user.clone(), file, attempt };
        let new = NewFile {
            filename: open.filename.clone(),
            content_type,
            description: open.description.clone(),
            expected_sha256: None,
            origin: Origin::Upload,
        };
        let actor = Actor { user, caller: open.caller.clone(), claim: None };
        let mut this = Self::draft(app, actor, new, open.reserved_bytes, ATTEMPT_WINDOW);
        (this.file, this.attempt, this.key, this.started) = (file, attempt, key, open.started);
        this.effect = Effect::Created { file };
        this
    }

    /// What a later request needs to go on with this upload.
    pub fn open(&self) -> OpenAttempt {
        OpenAttempt {
            file: self.file,
            attempt: self.attempt,
            user: self.actor.user.clone(),
            caller: self.actor.caller.clone(),
            filename: self.new.filename.clone(),
            description: self.new.description.clone(),
            reserved_bytes: self.reserved_bytes,
            started: self.started,
        }
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
                ("user-id", self.actor.user.to_string()),
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
        let of = Described { user: &self.actor.user, file: self.file, attempt: self.attempt, facts };
        match self.app.store_profile(&of, profile).await {
            Ok(summary) => self.summary = summary,
            Err(problem) => self.app.log.line(&serde_json::json!({
                "@timestamp": self.app.now(), "level": "warn", "service": "cutty-files", "file": self.file,
                "message": "a profile was not stored", "cause": problem.to_string(),
            })),
        }
    }

    /// Says that the commit is the effect of saving cut `cut`, for a request with an idempotency key.
    pub fn saves(&mut self, cut: CutId) {
        self.effect = Effect::Saved { file: self.file, cut };
    }

    /// Raises the reservation to at least `total_bytes`; how a stream of unknown length stays within the quota.
    ///
    /// It doubles while the quota has room, so that a long stream asks a handful of times, and asks for just what is
    /// needed when it has not.
    ///
    /// # Errors
    /// `quota_exceeded`.
    pub async fn reserve(&mut self, total_bytes: u64) -> Result<()> {
        if total_bytes <= self.reserved_bytes {
            return Ok(());
        }
        let generous = total_bytes.max(2 * self.reserved_bytes);
        match self.grow_reservation(generous).await {
            Err(problem) if problem.code() == Code::QuotaExceeded && generous > total_bytes => {
                self.grow_reservation(total_bytes).await
            }
            outcome => outcome,
        }
    }

    async fn grow_reservation(&mut self, to_bytes: u64) -> Result<()> {
        let statements = vec![
            self.reserve_statement(sql::quotas::RESERVE_MORE, to_bytes).bind(self.attempt.to_string()),
            Statement::new(sql::files::GROW_PENDING).bind(self.attempt.to_string()).bind(to_bytes),
        ];
        let mut rows = self.app.database.batch(statements).await.map_err(quota_problem)?;
        if rows.pop().unwrap_or_default().is_empty() {
            return Err(Problem::unavailable("the attempt was given up while its bytes came in"));
        }
        self.reserved_bytes = to_bytes;
        Ok(())
    }

    /// Lets the sweep know of an upload in parts before its first part.
    ///
    /// # Errors
    /// The database did not take it; the upload must be aborted.
    pub async fn remember_multipart(&self, upload_id: &str) -> Result<()> {
        let statement = Statement::new(sql::gc::SET_UPLOAD).bind(self.key.to_string()).bind(upload_id);
        match self.app.database.query(statement).await?.is_empty() {
            true => Err(Problem::unavailable("the attempt was given up before its first part")),
            false => Ok(()),
        }
    }

    /// Step 3. Returns the file as it now is.
    ///
    /// # Errors
    /// `unavailable`: the file is not visible, or it cannot be known whether it is.
    pub async fn commit(self, stored: &Stored) -> Result<FileRow> {
        let failure = match self.settle(&stored.facts, Some(stored.sha256)).await {
            Ok(Some(row)) => return Ok(row),
            Ok(None) => Problem::unavailable("the attempt was given up before its commit"),
            Err(problem) => problem,
        };
        self.abandon(Leftover::Perhaps).await;
        Err(failure)
    }

    /// Step 3 for who can come back to it: nothing is given up when it fails. `None` when the attempt has lost its
    /// pending row for good; without a hash the file is not yet verified.
    ///
    /// # Errors
    /// It cannot be known whether the file is visible: to be done again.
    pub async fn settle(&self, facts: &ObjectFacts, sha256: Option<[u8; 32]>) -> Result<Option<FileRow>> {
        let operation = Operation::success(&self.app, &self.actor.user, Action::Upload, &self.actor.caller)
            .on(self.file)
            .moving(facts.size)
            .since(self.started);
        let mut failure = Problem::unavailable("no try was made");
        for _ in 0..COMMIT_TRIES {
            let outcome = self.app.database.batch(self.settlement(facts, sha256, &operation)).await;
            match self.resolve(outcome).await {
                Ok(Some(row)) => {
                    self.app.metrics().log(&operation);
                    return Ok(Some(row));
                }
                Ok(None) => return Ok(None),
                Err(problem) => failure = problem,
            }
            if failure.code() == Code::InProgress {
                break;
            }
        }
        Err(failure)
    }

    /// The committed row; `None` when the attempt has lost its pending row for good; an error when a repeat makes sense.
    async fn resolve(
        &self,
        outcome: std::result::Result<Vec<Vec<crate::ports::Row>>, DatabaseError>,
    ) -> Result<Option<FileRow>> {
        let failure = match outcome {
            Ok(mut rows) => {
                let row = rows.pop().and_then(|mut rows| rows.pop());
                return row.map(FileRow::read).transpose();
            }
            Err(error) => error,
        };
        let statement = Statement::new(sql::files::STATUS_OF_ATTEMPT).bind(self.attempt.to_string());
        let rows = self.app.database.query(statement).await?;
        let status = rows.first().and_then(|row| row.get("lifecycle_status")).and_then(Value::as_str);
        match status {
            Some("pending") => Err(failure.into()),
            Some("active" | "archived" | "deleted") => {
                let statement = self.get_statement();
                let row = self.app.database.query(statement).await?.pop();
                row.map(FileRow::read).transpose()
            }
            _ => Ok(None),
        }
    }

    /// Undoes step 1. What cannot be undone now, the sweep will undo.
    pub async fn abandon(&self, leftover: Leftover) {
        if let Err(error) = self.try_abandon(leftover, Vec::new()).await {
            self.app.log.line(&serde_json::json!({
                "@timestamp": self.app.now(), "level": "warn", "service": "cutty-files",
                "attempt": self.attempt.to_string(), "message": "an attempt is left to the sweep",
                "cause": error.to_string(),
            }));
        }
    }

    /// Undoes step 1, for who can come back to it; `also` takes effect with it, or not at all.
    ///
    /// # Errors
    /// It may have been done or not; doing it again does no harm.
    pub async fn try_abandon(
        &self,
        leftover: Leftover,
        also: Vec<Statement>,
    ) -> std::result::Result<(), DatabaseError> {
        let now = self.app.now();
        let attempt = self.attempt.to_string();
        let key = self.key.to_string();
        let collect = match leftover {
            Leftover::Nothing => Statement::new(sql::gc::DROP_UNLESS_KEPT).bind(key).bind(attempt.as_str()),
            Leftover::Perhaps => Statement::new(sql::gc::HASTEN).bind(key).bind(now),
        };
        let mut statements = vec![
            Statement::new(sql::quotas::RELEASE_PENDING)
                .bind(self.actor.user.as_str())
                .bind(attempt.as_str())
                .bind(now),
            Statement::new(sql::files::DELETE_PENDING).bind(attempt.as_str()),
            // The sweep may have come first.
            Statement::new(sql::files::DELETE_DEAD_ATTEMPT).bind(attempt.as_str()),
            collect,
            // What `also` says of it, if anything, comes first.
            Statement::new(sql::uploads::END).bind(attempt.as_str()).bind("aborted").bind(now),
        ];
        statements.splice(0..0, also);
        statements.extend(self.begun.as_ref().and_then(|begun| self.actor.take_back(begun)));
        self.app.database.batch(statements).await.map(drop)
    }

    fn intent(&self) -> Vec<Statement> {
        let source = match self.new.origin {
            Origin::Upload => "upload",
            Origin::Cut { .. } => "cut",
        };
        let file = self.file.to_string();
        let user = self.actor.user.as_str();
        let mut statements = vec![
            Statement::new(sql::quotas::ENSURE).bind(user).bind(self.started),
            self.reserve_statement(sql::quotas::RESERVE, self.reserved_bytes),
            Statement::new(sql::files::INSERT_PENDING)
                .bind(file.as_str())
                .bind(user)
                .bind(self.new.filename.as_str())
                .bind(self.key.to_string())
                .bind(self.new.content_type)
                .bind(self.reserved_bytes)
                .bind(self.started)
                .bind(self.attempt.to_string())
                .bind(source),
            Statement::new(sql::gc::ENQUEUE)
                .bind(self.key.to_string())
                .bind(file.as_str())
                .bind(self.attempt.to_string())
                .bind(user)
                .bind("upload")
                .bind(self.started.plus(self.window))
                .bind(self.started),
        ];
        if let Origin::Cut { parent, recipe } = &self.new.origin {
            let lineage = Statement::new(sql::files::INSERT_LINEAGE)
                .bind(file.as_str())
                .bind(parent.to_string())
                .bind(recipe.to_string())
                .bind(self.started);
            statements.push(lineage);
        }
        statements
    }

    fn settlement(
        &self,
        facts: &ObjectFacts,
        sha256: Option<[u8; 32]>,
        operation: &Operation,
    ) -> Vec<Statement> {
        let now = self.app.now();
        let attempt = self.attempt.to_string();
        let file = self.file.to_string();
        let system_tag = match self.new.origin {
            Origin::Upload => "uploaded",
            Origin::Cut { .. } => "cut",
        };
        let tags = |kind: &str, tags: Value| {
            Statement::new(sql::files::INSERT_TAGS).bind(file.as_str()).bind(kind).bind(tags.to_string())
        };
        let mut statements = vec![
            Statement::new(sql::files::INSERT_COMMIT_MARKER)
                .bind(attempt.as_str())
                .bind(file.as_str())
                .bind(now),
            Statement::new(sql::quotas::SETTLE)
                .bind(self.actor.user.as_str())
                .bind(attempt.as_str())
                .bind(facts.size)
                .bind(now),
            Statement::new(sql::files::ACTIVATE)
                .bind(attempt.as_str())
                .bind(facts.size)
                .bind(sha256.map(hex::encode))
                .bind(facts.etag.as_str())
                .bind(now)
                .bind(self.new.description.expires_at)
                .bind(Value::Object(self.new.description.metadata.clone()).to_string())
                .bind(self.new.content_type)
                .bind(self.summary.row_count)
                .bind(self.summary.column_count)
                .bind(self.summary.columns.clone())
                .bind(self.summary.dialect.clone())
                .bind(self.summary.profile_bytes),
        ];
        statements.extend(self.actor.record(&self.effect));
        statements.extend([
            tags("system", Value::from(vec![system_tag])),
            tags("user", Value::from(self.new.description.tags.clone())),
            Statement::new(sql::gc::DROP).bind(self.key.to_string()),
            operation.statement(),
        ]);
        statements.extend(self.also.iter().cloned());
        statements.push(self.get_statement());
        statements
    }

    fn reserve_statement(&self, sql: &'static str, bytes: u64) -> Statement {
        Statement::new(sql)
            .bind(self.actor.user.as_str())
            .bind(bytes)
            .bind(self.app.config.default_quota_bytes)
            .bind(self.app.now())
    }

    fn get_statement(&self) -> Statement {
        Statement::new(sql::files::GET).bind(self.file.to_string()).bind(self.actor.user.as_str())
    }
}

fn quota_problem(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::Constraint(name) if name == "quotas.reserved_bytes" => {
            let detail =
                "The file would exceed your storage quota. Delete files for good, or ask for a larger quota.";
            Problem::new(Code::QuotaExceeded, detail)
        }
        other => other.into(),
    }
}
