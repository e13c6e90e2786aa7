//! Resumable uploads in the storage service. The service writes the upload's row in the database and sends commands to
//! the upload session, which does all other work.

use serde::Deserialize;

use super::command::{Command, UploadPlan, UploadProgress, UploadSender};
use super::limits::{MAX_DURATION, MAX_IDLE_TIME, MAX_UPLOADS, SWEEP_AFTER, part_bytes};
use super::problems::is_file_gone;
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

/// A client's request to create an upload.
#[derive(Debug)]
pub struct NewUpload {
    /// The file to make. Its media type is not known yet.
    pub file: NewFile,
    /// The media type that the sender declared.
    pub declared_type: Option<String>,
    /// Length of the whole upload in bytes, if known.
    pub length: Option<u64>,
    /// The `Upload-Metadata` header as the client sent it.
    pub metadata: Option<String>,
    /// The checksum that the body must have (`Upload-Checksum`).
    pub checksum: Option<Checksum>,
    /// The SHA-256 that the body must have (`Repr-Digest` or `Content-Digest`).
    pub digest: Option<[u8; 32]>,
    /// Length of the body in bytes, if known.
    pub body_bytes: Option<u64>,
}

impl R2StorageService {
    /// Creates an upload. If the request has a body, sends the body to the session of the upload.
    ///
    /// # Errors
    /// `forbidden`, `quota_exceeded`, the errors of [`Self::append`] for the body, or `unavailable` if a service cannot
    /// be reached. If the creation fails after the intent and cannot be undone now, a sweep undoes the creation later.
    pub async fn create_upload(
        &self,
        new: NewUpload,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let attempt = self.begin_upload(&new).await?;
        let upload = attempt.open().attempt;
        let plan = UploadPlan {
            open: attempt.open(),
            declared_type: new.declared_type,
            length: new.length,
            limit_bytes: self.app.config.max_upload_size_bytes,
            part_bytes: self.part_bytes(new.length),
            expires_at: self.app.now().plus(MAX_IDLE_TIME),
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
                // The session may have created the upload although its response was lost.
                if let Ok(progress) = self.upload_status(upload).await {
                    return Ok(progress);
                }
                let ended = sql::uploads::End { upload, status: "aborted", now: self.app.now() }.statement();
                // If this batch fails, the sweep undoes the upload later.
                let _ = attempt.try_abandon(Leftover::Perhaps, vec![ended]).await;
                Err(problem)
            }
            Err(problem) => {
                // The session has undone the upload, so a repeat of this request may create another upload.
                if let Some(undone) = self.actor.release_undone(&Effect::Begun { upload }) {
                    // If this statement fails, the repeat releases the idempotency key (`find_created_upload`).
                    let _ = self.app.database.query(undone).await;
                }
                Err(problem)
            }
        }
    }

    /// Returns the progress of an upload that an earlier request with the same idempotency key created.
    ///
    /// # Errors
    /// - `in_progress`: the earlier request may still be running.
    /// - `gone`: the file of the upload was deleted or has expired.
    /// - `unavailable`: the upload ended without a file. The key is released, and a repeated request may create
    ///   another upload.
    pub async fn find_created_upload(&self, upload: AttemptId, done: &Done) -> Result<UploadProgress> {
        done.expect_left_alone()?;
        match self.upload_status(upload).await {
            Err(problem) if is_file_gone(&problem) => Err(problem),
            Err(problem) if matches!(problem.code(), Code::NotFound | Code::Gone) => {
                self.end_upload(upload, done.release_undone()).await?;
                Err(Problem::unavailable("the upload of the earlier request ended without a file")
                    .caused_by(problem))
            }
            outcome => outcome,
        }
    }

    /// Ends an upload, so that it can no longer become a file.
    async fn end_upload(&self, upload: AttemptId, release_undone: Statement) -> Result<()> {
        let user = self.allow(Scope::Write, None)?;
        let get = sql::uploads::Get { upload, user };
        let Some(row) = self.app.database.query(get.statement()).await?.pop() else {
            return Ok(self.app.database.query(release_undone).await.map(drop)?);
        };
        let row: UploadStartRow = from_row(row)?;
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
        Ok(attempt.try_abandon(Leftover::Perhaps, vec![ended, release_undone]).await.map(drop)?)
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
            most_uploads: MAX_UPLOADS,
            data: "{\"by\":\"tus\"}",
            now: open.started,
            expires_at: open.started.plus(MAX_DURATION),
        }
        .statement();
        draft.start_upload(Effect::Begun { upload: open.attempt }, insert, Vec::new()).await
    }

    /// Returns the sender of a command.
    fn sender(&self) -> Result<UploadSender> {
        Ok(UploadSender {
            user: self.allow(Scope::Write, None)?.clone(),
            share: self.actor.principal.share(),
            tag: self.actor.tag().map(str::to_owned),
        })
    }

    fn part_bytes(&self, length: Option<u64>) -> usize {
        part_bytes(&self.app.config, length.unwrap_or(self.app.config.max_upload_size_bytes))
    }

    /// Sends bytes to the session of an upload.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `gone`, `upload_offset`, `in_progress`, `checksum_mismatch`, `digest_mismatch`,
    /// `bad_request`, `empty_file`, `too_large`, `unsupported_type`, `quota_exceeded`, the error of the body if it
    /// ends early, or `unavailable` if a service cannot be reached.
    pub async fn append(
        &self,
        upload: AttemptId,
        chunk: Chunk,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let command = Command::Append {
            sender: self.sender()?,
            offset: chunk.offset,
            length: chunk.length,
            checksum: chunk.checksum,
            digest: chunk.digest,
            body_bytes: chunk.body_bytes,
        };
        self.app.command_upload(upload, &command, body).await
    }

    /// Returns the progress of an upload.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `gone`, or `unavailable` if a service cannot be reached.
    pub async fn upload_status(&self, upload: AttemptId) -> Result<UploadProgress> {
        let command = Command::Status { sender: self.sender()? };
        self.app.command_upload(upload, &command, None).await
    }

    /// Terminates an upload: deletes its bytes and releases its reservation.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `gone`, `conflict` if the upload is complete, `in_progress` if its file is being
    /// stored, or `unavailable` if a service cannot be reached.
    pub async fn terminate_upload(&self, upload: AttemptId) -> Result<()> {
        let command = Command::Terminate { sender: self.sender()? };
        self.app.command_upload(upload, &command, None).await.map(drop)
    }
}

/// The columns of an upload's row that are needed to end the upload.
#[derive(Deserialize)]
struct UploadStartRow {
    file_id: FileId,
    created_at: Timestamp,
}

/// The offset, lengths and hashes that a request declares for its chunk.
#[derive(Debug)]
pub struct Chunk {
    /// The offset of the chunk's first byte in the upload.
    pub offset: u64,
    /// Length of the whole upload in bytes, if the client sends the length with this chunk and not at the creation.
    pub length: Option<u64>,
    /// The checksum that the body must have (`Upload-Checksum`).
    pub checksum: Option<Checksum>,
    /// The SHA-256 that the body must have (`Repr-Digest` or `Content-Digest`).
    pub digest: Option<[u8; 32]>,
    /// Length of the body in bytes, if known.
    pub body_bytes: Option<u64>,
}
