//! Uploads in one request. The service passes a body of known length directly to R2, and other bodies to a
//! [`PartWriter`].

use super::profiling::ProfilingObserver;
use crate::app::App;
use crate::body::stream::NativeBody;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::filename::Filename;
use crate::http::sniff::{self, SniffVerdict};
use crate::memory::budget::Memory;
use crate::memory::leased::LeasedObserver;
use crate::ports::PutError;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::part_writer::PartWriter;
use crate::storage::protocol::DetectedContent;
use crate::storage::protocol::{Attempt, Leftover, NewFile};

/// Memory that an upload needs: a piece and the profile in wasm, and the reader's buffer in JavaScript.
const UPLOAD: Memory = Memory { wasm: 1280 << 10, js: 1 << 20 };

impl R2StorageService {
    /// Stores a body of exactly `length_bytes`. R2 and the hash get each piece outside wasm. Only the profiler gets a
    /// copy of each piece in wasm.
    ///
    /// # Errors
    /// `forbidden`, `quota_exceeded`, `digest_mismatch`, `infected`, the error of the body if it ends early, or
    /// `unavailable` if R2, the database or the content scanner cannot be reached. After `unavailable`, it is unknown
    /// whether the file is stored. After any other error, the file is not stored.
    pub async fn store_body(
        &self,
        new: NewFile,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
    ) -> Result<FileRow> {
        let lease = self.app.lease_memory(UPLOAD).await?;
        let mut attempt = Attempt::begin(self, new, length_bytes).await?;
        let mut profiling = ProfilingObserver::new(&self.app, attempt.input());
        let mut observer = LeasedObserver::new(&mut profiling, lease, self.app.clock.clone());
        match self.app.objects.put_stream(attempt.object(), body, length_bytes, &mut observer).await {
            Ok(stored) => {
                attempt.keep_profile(&stored.facts, profiling.finish()).await;
                attempt.commit(&stored).await
            }
            Err(error) => {
                let leftover = match error {
                    PutError::Store(_) => Leftover::Perhaps,
                    PutError::Exists | PutError::DigestMismatch | PutError::Body(_) => Leftover::Nothing,
                };
                attempt.abandon(leftover).await;
                Err(error.into())
            }
        }
    }

    /// Begins an attempt for a file whose length is not known, and returns the writer for its bytes. `part_bytes` is
    /// the size of a part: [`STREAM_PART_BYTES`](crate::storage::part_writer::STREAM_PART_BYTES), or less if the whole
    /// file is shorter.
    ///
    /// # Errors
    /// The errors of [`Attempt::begin`].
    pub async fn begin_streamed_file(&self, new: NewFile, part_bytes: usize) -> Result<PartWriter> {
        let attempt = Attempt::begin(self, new, 0).await?;
        Ok(PartWriter::new(self.app.clone(), attempt, part_bytes))
    }
}

/// Decides by content, name and declared type whether a file is accepted. Returns its media type and encoding.
///
/// # Errors
/// `unsupported_type` if the file is refused.
pub fn check_content(
    app: &App,
    declared: Option<&str>,
    filename: &Filename,
    sample: &[u8],
) -> Result<DetectedContent> {
    let upload = sniff::SniffedUpload {
        declared_type: declared,
        allowed_types: &app.config.allowed_file_types,
        extension: filename.extension(),
        sample,
    };
    match sniff::check(&upload) {
        SniffVerdict::Accept { content_type, encoding, header } => {
            Ok(DetectedContent { content_type, encoding, header })
        }
        SniffVerdict::Refuse(refusal) => Err(Problem::new(Code::UnsupportedType, sentence(&refusal))),
    }
}

/// Checks the announced length of a body against the limit for one request.
///
/// # Errors
/// `length_required`, `empty_file` or `too_large`.
pub fn check_length(length_bytes: Option<u64>, limit_bytes: u64) -> Result<u64> {
    match length_bytes {
        None => Err(Problem::new(Code::LengthRequired, "Send the body with a Content-Length header.")),
        Some(0) => Err(Problem::new(
            Code::EmptyFile,
            "The body has no bytes. Send a file with at least a header line.",
        )),
        Some(length) if length > limit_bytes => Err(too_large(limit_bytes)),
        Some(length) => Ok(length),
    }
}

/// Returns the problem for a body over the limit.
pub fn too_large(limit_bytes: u64) -> Problem {
    let detail = format!(
        "One request may carry at most {limit_bytes} bytes. Send a larger file by tus (POST /api/uploads) or \
         part by part (POST /api/files/multipart)."
    );
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes)
}
