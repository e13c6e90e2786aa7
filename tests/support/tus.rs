//! Requests of the tus protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::{Call, post};

/// The media type of a chunk.
pub const CHUNK: &str = "application/offset+octet-stream";

/// The request as one of the protocol's.
pub fn tus(call: Call) -> Call {
    call.header("tus-resumable", "1.0.0")
}

/// Begins an upload of so many bytes.
pub fn create(length: usize) -> Call {
    tus(post("/api/uploads")).header("upload-length", length).header("upload-metadata", metadata(&[]))
}

/// Begins an upload of so many bytes, and brings the first of them or all.
pub fn create_with(length: usize, bytes: &[u8]) -> Call {
    create(length).header("content-type", CHUNK).bytes(bytes.to_vec())
}

/// What is said of a file: its name, its type, and more pairs.
pub fn metadata(more: &[(&str, &str)]) -> String {
    pairs(&[&[("filename", "größe.csv"), ("filetype", "text/csv")], more].concat())
}

/// What is said of a file of this name.
pub fn metadata_named(name: &str) -> String {
    pairs(&[("filename", name)])
}

fn pairs(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter();
    pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
}

/// Goes on from an offset; the body is to be added.
pub fn patch(path: &str, offset: usize) -> Call {
    tus(Call::new(Method::PATCH, path)).header("upload-offset", offset).header("content-type", CHUNK)
}

/// The checksum of a chunk by SHA-1.
pub fn sha1_of(bytes: &[u8]) -> String {
    format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)))
}

/// The checksum of a chunk by SHA-256.
pub fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}
