//! What the head of a request says of a file: its name, tags, metadata, expiry, digest.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::boundary::Boundary;
use crate::http::filename::{Filename, FilenameError};
use crate::http::media_type::MediaType;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::http::{digest, expiry, sniff, text};
use crate::storage::protocol::Description;

/// What a file is called when its sender does not say.
pub fn default_filename() -> Result<Filename> {
    Filename::parse("upload.csv").map_err(Problem::internal)
}

/// Tags, metadata and expiry from the request's headers.
pub fn description_of(headers: &HeaderMap, now: Timestamp) -> Result<Description> {
    let header = |name: &'static str| text(headers, HeaderName::from_static(name));
    describe(header("x-file-tags")?, header("x-file-metadata")?, header("x-file-expires")?, now)
}

/// Checks what the owner says of a file.
///
/// # Errors
/// `bad_metadata`.
pub fn describe(
    tags: Option<&str>,
    metadata: Option<&str>,
    expires: Option<&str>,
    now: Timestamp,
) -> Result<Description> {
    let tags = tags.map(Tags::parse_list).transpose().map_err(|error| bad_metadata(&error))?;
    let metadata = metadata.map(UserMetadata::parse).transpose().map_err(|error| bad_metadata(&error))?;
    let expires = expires.map(|text| expiry::parse(text, now.instant())).transpose();
    Ok(Description {
        tags: tags.map(Tags::into_vec).unwrap_or_default(),
        metadata: metadata.map(|metadata| metadata.as_object().clone()).unwrap_or_default(),
        expires_at: expires.map_err(|error| bad_metadata(&error))?.map(Timestamp::new),
    })
}

/// A problem with tags, metadata or expiry.
pub fn bad_metadata(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::BadMetadata, sentence(error))
}

/// The name that someone gives a file: the one rule of all routes where that can be done.
///
/// # Errors
/// `bad_name`, or `unsupported_type` for one of another format.
pub fn given_name(name: std::result::Result<Filename, FilenameError>) -> Result<Filename> {
    let name = name.map_err(|error| Problem::new(Code::BadName, sentence(&error)))?;
    sniff::check_name(&name).map_err(|error| Problem::new(Code::UnsupportedType, sentence(&error)))?;
    Ok(name)
}

/// The SHA-256 of `Repr-Digest` and `Content-Digest`. What a request brings is one representation without a content
/// coding, so that both are of the same bytes (RFC 9530 §2 and §3).
///
/// # Errors
/// `bad_request` for one that cannot be read, `digest_mismatch` for two that no bytes can have.
pub fn announced_digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>> {
    let mut announced = None;
    for name in ["repr-digest", "content-digest"] {
        let Some(value) = text(headers, HeaderName::from_static(name))? else { continue };
        let malformed = |error: digest::DigestError| Problem::new(Code::BadRequest, sentence(&error));
        let Some(sha256) = digest::parse(value).map_err(malformed)? else { continue };
        if announced.is_some_and(|other| other != sha256) {
            return Err(Problem::digest_mismatch());
        }
        announced = Some(sha256);
    }
    Ok(announced)
}

/// The boundary of a form; `None` for any other body.
///
/// # Errors
/// `bad_request` for a form without one.
pub fn form_boundary(headers: &HeaderMap) -> Result<Option<Boundary>> {
    let Some(media_type) = text(headers, CONTENT_TYPE)?.and_then(|text| MediaType::parse(text).ok()) else {
        return Ok(None);
    };
    if !media_type.is("multipart/form-data") {
        return Ok(None);
    }
    let boundary = Boundary::from_media_type(&media_type);
    boundary.map(Some).map_err(|error| Problem::new(Code::BadRequest, sentence(&error)))
}

/// The text of a header, if it was sent.
///
/// # Errors
/// `bad_request` for bytes that are no UTF-8.
pub fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>> {
    text::of(headers, name).map_err(|error| Problem::new(Code::BadRequest, sentence(&error)))
}
