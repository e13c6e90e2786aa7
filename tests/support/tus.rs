//! Requests of the tus protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::{Call, post};

/// The media type of a chunk.
pub const CHUNK: &str = "application/offset+octet-stream";

/// Adds the `Tus-Resumable` header.
pub fn tus(call: Call) -> Call {
    call.header("tus-resumable", "1.0.0")
}

/// Returns the request that creates an upload of `length` bytes.
pub fn create(length: usize) -> Call {
    tus(post("/api/uploads")).header("upload-length", length).header("upload-metadata", metadata(&[]))
}

/// Returns the request that creates an upload of `length` bytes and sends `bytes` as the first chunk.
pub fn create_with(length: usize, bytes: &[u8]) -> Call {
    create(length).header("content-type", CHUNK).bytes(bytes.to_vec())
}

/// Returns an `Upload-Metadata` value with a filename, a media type and the pairs `more`.
pub fn metadata(more: &[(&str, &str)]) -> String {
    pairs(&[&[("filename", "größe.csv"), ("filetype", "text/csv")], more].concat())
}

/// Returns an `Upload-Metadata` value with only this filename.
pub fn metadata_named(name: &str) -> String {
    pairs(&[("filename", name)])
}

/// Returns an `Upload-Metadata` value with a filename and this media type.
pub fn metadata_typed(declared: &str) -> String {
    pairs(&[("filename", "a.csv"), ("filetype", declared)])
}

fn pairs(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter();
    pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
}

/// Returns the request that continues an upload at `offset`, without a body. The caller adds the body.
pub fn patch(path: &str, offset: usize) -> Call {
    tus(Call::new(Method::PATCH, path)).header("upload-offset", offset).header("content-type", CHUNK)
}

/// Returns an `Upload-Checksum` value with the SHA-1 of a chunk.
pub fn sha1_of(bytes: &[u8]) -> String {
    format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)))
}

/// Returns an `Upload-Checksum` value with the SHA-256 of a chunk.
pub fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}
