//! The problems of uploads.

use crate::error::{Code, Problem};

pub(super) const EXPIRED: &str = "The upload has expired. Begin another one.";

pub(super) fn wrong_offset(at: u64) -> Problem {
    let detail = format!("The upload is at offset {at}. Continue from there.");
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
