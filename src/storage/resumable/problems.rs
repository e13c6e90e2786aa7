//! What is said of uploads that cannot go on.

use crate::error::{Code, Problem};

pub(super) const EXPIRED: &str = "The upload has expired. Begin another one.";

pub(super) fn wrong_offset(at: u64) -> Problem {
    let detail = format!("The upload is at offset {at}. Go on from there.");
    Problem::new(Code::UploadOffset, detail).with("offset", at)
}

/// What to say of an upload of nothing.
pub fn empty_upload() -> Problem {
    Problem::new(Code::EmptyFile, "A file of no bytes cannot be kept. Send one with at least a header line.")
}

/// What to say of an upload over the limit.
pub fn too_long(limit_bytes: u64) -> Problem {
    let detail = format!("An upload may have at most {limit_bytes} bytes.");
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes)
}

/// The problem of an upload that is over.
pub fn gone(detail: &str) -> Problem {
    Problem::new(Code::Gone, detail)
}
