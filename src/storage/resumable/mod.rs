//! Uploads in several requests (tus): bytes of any size, in chunks of any size, through a connection that breaks.
//!
//! The row in the database is the intent of a single upload ([`crate::storage::protocol`]) that may take longer.
//! Everything about bytes is decided by one [`session::ResumableUpload`] per upload, a Durable Object: it alone writes, and it
//! alone knows how far the upload is. The store wants equal parts, clients send what they like: the session cuts what
//! comes into parts of one size, holds one part in memory, and keeps the bytes of a part that is not full in its rows.
//!
//! - [`session`] carries out commands, one at a time; `receiving` takes their bytes, `ending` makes the file.
//! - [`record`] is what a session has stored, and how.
//! - [`observers`] is what is computed of the bytes as they pass.
//! - [`writer_lock`] lets a newcomer have an upload whose last writer hangs.

mod client;
mod ending;
pub mod observers;
pub mod problems;
mod receiving;
pub mod record;
pub mod session;
mod state;
pub mod writer_lock;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::protocol::Judged;
use crate::body::stream::NativeBody;
use crate::config::Config;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::tus::Checksum;
use crate::idempotency::{Done, Effect};
use crate::ports::{Statement, from_row};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::protocol::{Attempt, Description, Leftover, NewFile, OpenAttempt};

/// How long an upload waits for its next bytes.
pub const IDLE_WINDOW: TimeDelta = TimeDelta::hours(24);

/// How long an upload may take in all: the store drops an unfinished object in parts after seven days.
pub const LONGEST: TimeDelta = TimeDelta::days(7);

/// When the sweep takes up what a session left undone: well after the session itself would have.
const SWEEP_AFTER: TimeDelta = TimeDelta::days(8);

/// The most parts an R2 object may have.
pub const MOST_PARTS: u64 = 10_000;

/// What a session is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Begin, and take the body that comes with it, if any.
    Create {
        /// What is being uploaded.
        plan: Box<UploadPlan>,
        /// What the body is to hash to.
        checksum: Option<Checksum>,
        /// Its SHA-256 by `Repr-Digest` or `Content-Digest`.
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// How long the body is, if that is known.
        body_bytes: Option<u64>,
    },
    /// Take bytes at an offset.
    Append {
        /// Who sends them.
        user: UserId,
        /// Where they go.
        offset: u64,
        /// How long the upload will be, where that had been left open.
        length: Option<u64>,
        /// What the body is to hash to: it is kept whole, or not at all.
        checksum: Option<Checksum>,
        /// Its SHA-256 by `Repr-Digest` or `Content-Digest`; the same goes for it.
        #[serde(default)]
        digest: Option<[u8; 32]>,
        /// How long the body is, if that is known.
        body_bytes: Option<u64>,
    },
    /// Tell how far the upload is.
    Status {
        /// Who asks.
        user: UserId,
    },
    /// Give the upload up.
    Terminate {
        /// Who asks.
        user: UserId,
    },
}

/// What is known of an upload when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadPlan {
    /// The attempt whose intent has been written.
    pub open: OpenAttempt,
    /// The media type its sender gave.
    pub declared_type: Option<String>,
    /// How long it will be, in bytes; `None` while that is left open.
    pub length: Option<u64>,
    /// How long it may be, in bytes.
    pub limit_bytes: u64,
    /// The size of every part but the last.
    pub part_bytes: usize,
    /// When it ends unless bytes come.
    pub expires_at: Timestamp,
    /// `Upload-Metadata` as it was sent, to be shown again.
    pub metadata: Option<String>,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadProgress {
    /// The upload's id.
    pub upload: AttemptId,
    /// How many bytes are kept.
    pub offset: u64,
    /// How many there will be, where that is known.
    pub length: Option<u64>,
    /// When it ends unless bytes come.
    pub expires_at: Timestamp,
    /// `Upload-Metadata` as it was sent.
    pub metadata: Option<String>,
    /// The file, once it is stored.
    pub file: Option<FileId>,
}

/// What a client asks for when it creates an upload.
#[derive(Debug)]
pub struct NewUpload {
    /// The file to be; its type is not yet known.
    pub file: NewFile,
    /// The media type its sender gave.
    pub declared_type: Option<String>,
    /// How long it will be, where that is known.
    pub length: Option<u64>,
    /// `Upload-Metadata` as it was sent.
    pub metadata: Option<String>,
    /// What the body is to hash to.
    pub checksum: Option<Checksum>,
    /// Its SHA-256 by `Repr-Digest` or `Content-Digest`.
    pub digest: Option<[u8; 32]>,
    /// How long the body is, if that is known.
    pub body_bytes: Option<u64>,
}

/// The size of all parts but the last of an upload that may come to `most_bytes`.
pub fn part_bytes(config: &Config, most_bytes: u64) -> usize {
    let part = config.max_chunk_size_bytes.max(most_bytes.div_ceil(MOST_PARTS));
    usize::try_from(part).unwrap_or(usize::MAX)
}

impl R2StorageService {
    /// Begins an upload, and hands its first bytes to its session if there are any.
    ///
    /// # Errors
    /// `quota_exceeded`, those of the first bytes, or a store that failed. Nothing stays that nobody knows of.
    pub async fn create_upload(
        &self,
        new: NewUpload,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let attempt = self.begin_upload(&new).await?;
        let (upload, user) = (attempt.open().attempt, attempt.open().user);
        let plan = UploadPlan {
            open: attempt.open(),
            declared_type: new.declared_type,
            length: new.length,
            limit_bytes: self.app.config.max_upload_size_bytes,
            part_bytes: self.part_bytes(new.length),
            expires_at: self.app.now().plus(IDLE_WINDOW),
            metadata: new.metadata,
        };
        let command = Command::Create {
            plan: Box::new(plan),
            checksum: new.checksum,
            digest: new.digest,
            body_bytes: new.body_bytes,
        };
        match self.app.command_upload(upload, &command, body).await {
            Ok(progress) => Ok(progress),
            Err(problem) if problem.code() == Code::Unavailable => {
                // The answer may have been lost on its way.
                if let Ok(progress) = self.app.command_upload(upload, &Command::Status { user }, None).await {
                    return Ok(progress);
                }
                let ended = end_statement(upload, "aborted", self.app.now());
                // The sweep comes to what cannot be undone now.
                let _ = attempt.try_abandon(Leftover::Perhaps, vec![ended]).await;
                Err(problem)
            }
            Err(problem) => {
                // The session has undone it, so that the same request may begin another.
                if let Some(undone) = self.actor.take_back(&Effect::Begun { upload }) {
                    // What fails here is made good when the request comes again.
                    let _ = self.app.database.query(undone).await;
                }
                Err(problem)
            }
        }
    }

    /// How far an upload is that an earlier request with the same idempotency key has begun.
    ///
    /// # Errors
    /// `in_progress` while that request may still be under way; `unavailable` if nothing came of it: then the key is
    /// given back, and the request may begin another.
    pub async fn upload_begun(&self, upload: AttemptId, done: &Done) -> Result<UploadProgress> {
        done.expect_left_alone()?;
        match self.upload_status(upload).await {
            Err(problem) if matches!(problem.code(), Code::NotFound | Code::Gone) => {
                self.forget_begun(upload, done.take_back()).await?;
                Err(Problem::unavailable("nothing came of the upload begun before").caused_by(problem))
            }
            outcome => outcome,
        }
    }

    /// Makes sure that nothing will come of an upload any more.
    async fn forget_begun(&self, upload: AttemptId, take_back: Statement) -> Result<()> {
        let user = self.allow(Scope::Create, None)?;
        let get = sql::uploads::Get { upload, user };
        let Some(row) = self.app.database.query(get.statement()).await?.pop() else {
            return Ok(self.app.database.query(take_back).await.map(drop)?);
        };
        let row: BegunRow = from_row(row)?;
        let open = OpenAttempt {
            file: row.file_id,
            attempt: upload,
            user: user.clone(),
            principal: Some(self.actor.principal.clone()),
            caller: self.actor.caller.clone(),
            filename: String::new(),
            description: Description::default(),
            reserved_bytes: 0,
            started: row.created_at,
        };
        let attempt = Attempt::resume(self.app.clone(), &open, Judged::UNKNOWN);
        let ended = end_statement(upload, "aborted", self.app.now());
        Ok(attempt.try_abandon(Leftover::Perhaps, vec![ended, take_back]).await.map(drop)?)
    }

    async fn begin_upload(&self, new: &NewUpload) -> Result<Attempt> {
        let reserve = new.length.unwrap_or(0);
        let draft = Attempt::draft(self, new.file.clone(), reserve, SWEEP_AFTER)?;
        let open = draft.open();
        let insert = sql::uploads::Insert {
            upload: open.attempt,
            file: open.file,
            user: &open.user,
            key: draft.key(),
            filename: &open.filename,
            size_bytes: new.length,
            part_bytes: self.part_bytes(new.length) as u64,
            data: "{\"by\":\"tus\"}",
            now: open.started,
            expires_at: open.started.plus(LONGEST),
        }
        .statement();
        draft.start_upload(Effect::Begun { upload: open.attempt }, insert, Vec::new()).await
    }

    fn part_bytes(&self, length: Option<u64>) -> usize {
        part_bytes(&self.app.config, length.unwrap_or(self.app.config.max_upload_size_bytes))
    }

    /// Hands bytes to the session of an upload.
    ///
    /// # Errors
    /// `not_found`, `gone`, `upload_offset`, `in_progress`, `checksum_mismatch`, `too_large`, `unsupported_type`,
    /// `quota_exceeded`, a body that broke off, or a store that failed.
    pub async fn append(
        &self,
        upload: AttemptId,
        chunk: Chunk,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let command = Command::Append {
            user: self.allow(Scope::Create, None)?.clone(),
            offset: chunk.offset,
            length: chunk.length,
            checksum: chunk.checksum,
            digest: chunk.digest,
            body_bytes: chunk.body_bytes,
        };
        self.app.command_upload(upload, &command, body).await
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// `not_found`, `gone`, or a store that failed.
    pub async fn upload_status(&self, upload: AttemptId) -> Result<UploadProgress> {
        let command = Command::Status { user: self.allow(Scope::Create, None)?.clone() };
        self.app.command_upload(upload, &command, None).await
    }

    /// Gives an upload up: its bytes and its reservation are gone.
    ///
    /// # Errors
    /// `not_found`, `gone`, `conflict` when it is complete, or a store that failed.
    pub async fn terminate_upload(&self, upload: AttemptId) -> Result<()> {
        let command = Command::Terminate { user: self.allow(Scope::Create, None)?.clone() };
        self.app.command_upload(upload, &command, None).await.map(drop)
    }
}

/// What is needed of an upload's row to give it up.
#[derive(Deserialize)]
struct BegunRow {
    file_id: FileId,
    created_at: Timestamp,
}

/// What a request says of the bytes it brings.
#[derive(Debug)]
pub struct Chunk {
    /// Where they go.
    pub offset: u64,
    /// How long the upload will be, where that had been left open.
    pub length: Option<u64>,
    /// What they are to hash to.
    pub checksum: Option<Checksum>,
    /// Their SHA-256 by `Repr-Digest` or `Content-Digest`.
    pub digest: Option<[u8; 32]>,
    /// How many they are, if that is known.
    pub body_bytes: Option<u64>,
}

/// Marks the row of an upload that has come to nothing.
pub fn end_statement(upload: AttemptId, status: &str, now: Timestamp) -> Statement {
    sql::uploads::End { upload, status, now }.statement()
}
