//! Stores bytes of unknown length in an object: with one put if the bytes fit into one part, and otherwise in parts.
//! All parts have the same length, except that the last part may be shorter. At most one part is in memory.

use super::profiling::ProfilingObserver;
use crate::app::{App, SharedApp};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::error::{Code, Problem, Result};
use crate::ports::{NewObject, ObjectFacts, PartBuffer, PieceObserver, Sha256Stream, StoredObject};
use crate::storage::protocol::{Attempt, Leftover};

/// Part size of a stream whose length is not known, in bytes. It is R2's minimum part size. R2 accepts at most 10,000
/// parts, so an object can have 52 GB.
pub const STREAM_PART_BYTES: usize = 5 << 20;

/// Maximum number of parts of an R2 object.
const MAX_PARTS: usize = 10_000;

/// An R2 multipart upload in progress.
pub struct PartUpload {
    key: StorageKey,
    id: String,
    part_etags: Vec<String>,
}

impl PartUpload {
    /// Starts a multipart upload.
    ///
    /// # Errors
    /// `unavailable` if R2 cannot be reached.
    pub async fn begin(app: &App, object: &NewObject) -> Result<Self> {
        let id = app.objects.create_multipart(object).await?;
        Ok(Self { key: object.key.clone(), id, part_etags: Vec::new() })
    }

    /// Returns the id that R2 gave the upload.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Stores the next part.
    ///
    /// # Errors
    /// - `too_large`: the upload already has 10,000 parts.
    /// - `unavailable`: R2 cannot be reached.
    pub async fn put_part(&mut self, app: &App, part: &dyn PartBuffer) -> Result<()> {
        if self.part_etags.len() == MAX_PARTS {
            let detail =
                format!("The file is too large: it needs more than {MAX_PARTS} parts. Store a smaller one.");
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let number = u16::try_from(self.part_etags.len() + 1).map_err(Problem::internal)?;
        let etag = app.objects.put_part_buffer(&self.key, &self.id, number, part).await?;
        self.part_etags.push(etag);
        Ok(())
    }

    /// Joins the parts into the object.
    ///
    /// # Errors
    /// `unavailable` if R2 cannot be reached.
    pub async fn complete(&self, app: &App) -> Result<ObjectFacts> {
        Ok(app.objects.complete_multipart(&self.key, &self.id, &self.part_etags).await?)
    }

    /// Drops the parts. If this fails, the sweep drops them later, because `gc_queue` holds the id of the upload.
    pub async fn abort(&self, app: &App) {
        if let Err(error) = app.objects.abort_multipart(&self.key, &self.id).await {
            app.write_log(
                LogLine::warn("parts were not deleted; the sweep will delete them")
                    .with_text("key", &self.key)
                    .caused_by(error),
            );
        }
    }
}

/// Stores the bytes of one attempt.
pub struct PartWriter {
    app: SharedApp,
    attempt: Attempt,
    object: NewObject,
    part_bytes: usize,
    part: Box<dyn PartBuffer>,
    upload: Option<PartUpload>,
    hash: Box<dyn Sha256Stream>,
    profiling: ProfilingObserver,
    size_bytes: u64,
    /// Whether a put of the whole object was started.
    put_was_tried: bool,
}

impl PartWriter {
    /// Creates a writer that has no bytes yet.
    pub fn new(app: SharedApp, attempt: Attempt, part_bytes: usize) -> Self {
        let object = attempt.object();
        let hash = app.hashing.sha256();
        let part = app.objects.part_buffer(part_bytes);
        let profiling = ProfilingObserver::new(&app, attempt.input());
        Self {
            app,
            attempt,
            object,
            part_bytes,
            part,
            upload: None,
            hash,
            profiling,
            size_bytes: 0,
            put_was_tried: false,
        }
    }

    /// Returns the attempt, so that the caller can change the description of the file.
    pub fn attempt_mut(&mut self) -> &mut Attempt {
        &mut self.attempt
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// - `quota_exceeded`, `too_large`.
    /// - `unavailable`: R2 or the database cannot be reached.
    ///
    /// After an error, the caller must discard the writer.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hash.write(bytes).await?;
        self.profiling.observe(bytes);
        self.size_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.part.len() == self.part_bytes {
                self.flush_part().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.part_bytes - self.part.len()));
            self.part.append(now);
            bytes = later;
        }
        Ok(())
    }

    /// Stores the remaining bytes and returns the attempt, ready for the commit.
    ///
    /// # Errors
    /// - `empty_file`, `digest_mismatch`, `quota_exceeded`, `too_large`.
    /// - `unavailable`: R2 or the database cannot be reached.
    ///
    /// Before it returns an error, the function drops the parts and undoes the intent.
    pub async fn finish(mut self) -> Result<(Attempt, StoredObject)> {
        match self.store_rest().await {
            Ok(stored) => {
                self.attempt.keep_profile(&stored.facts, self.profiling.finish()).await;
                Ok((self.attempt, stored))
            }
            Err(problem) => {
                self.discard().await;
                Err(problem)
            }
        }
    }

    /// Drops the stored parts and undoes the intent.
    pub async fn discard(self) {
        if let Some(upload) = &self.upload {
            upload.abort(&self.app).await;
        }
        let leftover = match self.upload.is_some() || self.put_was_tried {
            true => Leftover::Perhaps,
            false => Leftover::Nothing,
        };
        self.attempt.abandon(leftover).await;
    }

    async fn store_rest(&mut self) -> Result<StoredObject> {
        if self.size_bytes == 0 {
            return Err(Problem::new(
                Code::EmptyFile,
                "The file has no bytes. Send a file with at least a header line.",
            ));
        }
        self.attempt.reserve(self.size_bytes).await?;
        let hash = std::mem::replace(&mut self.hash, self.app.hashing.sha256());
        let sha256 = hash.finish().await?;
        if self.object.expected_sha256.is_some_and(|expected| expected != sha256) {
            return Err(Problem::digest_mismatch());
        }
        if self.upload.is_some() {
            self.flush_part().await?;
        }
        let facts = match &self.upload {
            Some(upload) => upload.complete(&self.app).await?,
            None => {
                self.put_was_tried = true;
                self.app.objects.put_buffer(self.object.clone(), self.part.as_ref()).await?
            }
        };
        if facts.size != self.size_bytes {
            return Err(Problem::unavailable(format!(
                "{} bytes were written, but the object has {}",
                self.size_bytes, facts.size
            )));
        }
        Ok(StoredObject { facts, sha256 })
    }

    async fn flush_part(&mut self) -> Result<()> {
        self.attempt.reserve(self.size_bytes).await?;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            empty => {
                let upload = empty.insert(PartUpload::begin(&self.app, &self.object).await?);
                self.attempt.remember_multipart(upload.id()).await?;
                upload
            }
        };
        upload.put_part(&self.app, self.part.as_ref()).await?;
        self.part.clear();
        Ok(())
    }
}
