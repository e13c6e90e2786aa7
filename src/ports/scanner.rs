//! The content scanner: a service outside Cutty that looks for malware in the bytes of a file.

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::body::stream::NativeBody;

/// Maximum length of the body of an answer, in bytes. A longer answer is an error.
pub const MAX_ANSWER_BYTES: usize = 16 << 10;

/// The bytes to scan.
pub enum ScanContent {
    /// The bytes of an object. The adapter passes the stream on, so the bytes never enter wasm.
    Object(Box<dyn NativeBody>),
    /// A few bytes of the service itself, to check whether the scanner works.
    Probe(&'static [u8]),
}

/// Facts about the bytes to scan.
#[derive(Debug, Clone, Copy)]
pub struct ScanRequest {
    /// Number of bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes, if it is known.
    pub sha256: Option<[u8; 32]>,
    /// Time after which the adapter gives up.
    pub timeout: TimeDelta,
}

/// The answer of the scanner, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanAnswer {
    /// HTTP status.
    pub status: u16,
    /// The complete body, at most [`MAX_ANSWER_BYTES`].
    pub body: Vec<u8>,
}

/// Sends bytes to the scanner. Follows no redirect: the answer may be a redirect.
#[async_trait]
pub trait ContentScanner: Send + Sync {
    /// Sends the bytes and returns the answer. A scan changes nothing, so the caller may repeat it.
    ///
    /// # Errors
    /// [`ScanError`] if the scanner cannot be reached, is too slow or breaks the connection, if the bytes cannot be
    /// read, or if the answer is too long.
    async fn scan(
        &self,
        request: ScanRequest,
        content: ScanContent,
    ) -> std::result::Result<ScanAnswer, ScanError>;
}

/// A scan that returned no answer. The text is for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("content scanner: {0}")]
pub struct ScanError(pub String);
