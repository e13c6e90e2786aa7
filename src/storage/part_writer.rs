//! Bytes of unknown length on their way into an object: one put if they fit one part, equal parts if they do not.
//! One part is all that is ever held.

use crate::app::SharedApp;
use crate::error::{Code, Problem, Result};
use crate::ports::{NewObject, PutError, Sha256Stream, Stored};
use crate::storage::protocol::{Attempt, Leftover};

/// The part size of a file that comes as a form, in bytes: the least R2 takes.
pub const FORM_PART_BYTES: usize = 5 << 20;

/// The part size of a file made by a cut, in bytes: 10,000 of them, the most R2 takes, hold 80 GB.
pub const CUT_PART_BYTES: usize = 8 << 20;

/// The most parts an R2 object may have.
const MOST_PARTS: usize = 10_000;

/// Writes the bytes of one attempt.
pub struct PartWriter {
    app: SharedApp,
    attempt: Attempt,
    object: NewObject,
    part_bytes: usize,
    part: Vec<u8>,
    upload: Option<Upload>,
    hash: Box<dyn Sha256Stream>,
    size_bytes: u64,
}

struct Upload {
    id: String,
    part_etags: Vec<String>,
}

impl PartWriter {
    /// A writer that has written nothing.
    pub fn new(app: SharedApp, attempt: Attempt, part_bytes: usize) -> Self {
        let object = attempt.object();
        let hash = app.hashing.sha256();
        Self { app, attempt, object, part_bytes, part: Vec::new(), upload: None, hash, size_bytes: 0 }
    }

    /// The attempt, to say more of its file.
    pub fn attempt_mut(&mut self) -> &mut Attempt {
        &mut self.attempt
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// `quota_exceeded`, or a store that failed; the writer is then to be discarded.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hash.write(bytes).await?;
        self.size_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.part.len() == self.part_bytes {
                self.flush_part().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.part_bytes - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Stores what is left and gives back the attempt, ready to be committed.
    ///
    /// # Errors
    /// `empty_file`, `digest_mismatch`, `quota_exceeded`, or a store that failed. Nothing is left behind that the
    /// sweep does not know of.
    pub async fn finish(mut self) -> Result<(Attempt, Stored)> {
        match self.store_rest().await {
            Ok(stored) => Ok((self.attempt, stored)),
            Err(problem) => {
                self.discard().await;
                Err(problem)
            }
        }
    }

    /// Gives up: drops the parts and undoes the intent.
    pub async fn discard(self) {
        let leftover = match &self.upload {
            None => Leftover::Perhaps,
            Some(upload) => match self.app.objects.abort_multipart(&self.object.key, &upload.id).await {
                Ok(()) | Err(_) => Leftover::Perhaps,
            },
        };
        self.attempt.abandon(leftover).await;
    }

    async fn store_rest(&mut self) -> Result<Stored> {
        if self.size_bytes == 0 {
            return Err(Problem::new(
                Code::EmptyFile,
                "The file has no bytes. Send one with at least a header line.",
            ));
        }
        self.attempt.reserve(self.size_bytes).await?;
        let hash = std::mem::replace(&mut self.hash, self.app.hashing.sha256());
        let sha256 = hash.finish().await?;
        if self.object.expected_sha256.is_some_and(|expected| expected != sha256) {
            return Err(digest_mismatch());
        }
        let facts = match self.upload.is_some() {
            false => {
                self.app.objects.put_bytes(self.object.clone(), &self.part).await.map_err(put_problem)?
            }
            true => {
                self.flush_part().await?;
                let upload = self.upload.as_ref().ok_or_else(|| Problem::internal("the upload vanished"))?;
                self.app.objects.complete_multipart(&self.object.key, &upload.id, &upload.part_etags).await?
            }
        };
        if facts.size != self.size_bytes {
            return Err(Problem::unavailable(format!(
                "wrote {} bytes, stored {}",
                self.size_bytes, facts.size
            )));
        }
        Ok(Stored { facts, sha256 })
    }

    async fn flush_part(&mut self) -> Result<()> {
        self.attempt.reserve(self.size_bytes).await?;
        if self.upload.is_none() {
            let id = self.app.objects.create_multipart(&self.object).await?;
            self.upload = Some(Upload { id: id.clone(), part_etags: Vec::new() });
            self.attempt.remember_multipart(&id).await?;
        }
        let upload = self.upload.as_mut().ok_or_else(|| Problem::internal("the upload vanished"))?;
        if upload.part_etags.len() == MOST_PARTS {
            let limit = MOST_PARTS * self.part_bytes;
            return Err(Problem::new(Code::TooLarge, format!("The result is larger than {limit} bytes.")));
        }
        let number = u16::try_from(upload.part_etags.len() + 1).map_err(Problem::internal)?;
        let etag = self.app.objects.put_part(&self.object.key, &upload.id, number, &self.part).await?;
        upload.part_etags.push(etag);
        self.part.clear();
        Ok(())
    }
}

/// What the client is told when the bytes are not the ones it announced.
pub fn digest_mismatch() -> Problem {
    Problem::new(
        Code::DigestMismatch,
        "The bytes that arrived have another SHA-256 than the one given. Send the file again.",
    )
}

/// A put that failed, as the client sees it.
pub fn put_problem(error: PutError) -> Problem {
    match error {
        PutError::Exists => Problem::internal(error),
        PutError::DigestMismatch => digest_mismatch(),
        PutError::Body(problem) => problem,
        PutError::Store(error) => error.into(),
    }
}
