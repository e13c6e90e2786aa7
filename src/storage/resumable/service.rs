//! Resumable uploads as the storage service offers them: the row in the database is written here, and all else is asked of
//! the upload's session.

use serde::Deserialize;

use super::command::{Command, UploadPlan, UploadProgress};
use super::limits::{IDLE_WINDOW, LONGEST, SWEEP_AFTER, part_bytes};
use crate::body::stream::NativeBody;
use crate::domain::ids::{AttemptId, FileId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::tus::Checksum;
use crate::idempotency::{Done, Effect};
use crate::ports::{Statement, from_row};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::protocol::{Attempt, Description, DetectedContent, Leftover, NewFile, OpenAttempt};

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
                let ended = sql::uploads::End { upload, status: "aborted", now: self.app.now() }.statement();
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
        let attempt = Attempt::resume(self.app.clone(), &open, DetectedContent::UNKNOWN);
        let ended = sql::uploads::End { upload, status: "aborted", now: self.app.now() }.statement();
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
