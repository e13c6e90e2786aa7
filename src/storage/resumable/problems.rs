//! The problems of uploads.

use crate::error::{Code, Problem};

pub(super) const EXPIRED: &str = "The upload has expired. Begin another one.";

pub(super) const INFECTED: &str =
    "The content scanner found harmful content in the upload, so its file is not stored. Begin another one.";

const FILE_GONE: &str = "The file was stored, but since then it was deleted or has expired. Restore it, or send it again as a new upload.";

pub(super) fn wrong_offset(at: u64) -> Problem {
    let detail = format!("The upload is at offset {at}. Continue from this offset.");
    Problem::new(Code::UploadOffset, detail).with("offset", at)
}

/// Returns the problem for an upload without bytes.
pub fn empty_upload() -> Problem {
    Problem::new(
        Code::EmptyFile,
        "A file without bytes cannot be stored. Send a file with at least a header line.",
    )
}

/// Returns the problem for an upload of more than `limit_bytes` bytes.
pub fn too_long(limit_bytes: u64) -> Problem {
    let detail = format!("An upload may have at most {limit_bytes} bytes. Send a smaller file.");
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes)
}

/// Returns the problem for an upload that has ended.
pub fn gone(detail: &str) -> Problem {
    Problem::new(Code::Gone, detail)
}

/// Returns the problem for a file that a request stored, and that cannot be read any more.
pub fn file_gone() -> Problem {
    gone(FILE_GONE)
}

/// Whether a problem has the code and the detail of [`file_gone`]. The Worker gets the problem from the session as
/// JSON, so the Worker can recognize the problem only by these two members.
pub(super) fn is_file_gone(problem: &Problem) -> bool {
    problem.code() == Code::Gone && problem.detail() == FILE_GONE
}
