//! Reads the values that describe an uploaded file from the request headers: filename, tags, metadata, expiry,
//! storage class and digest.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use utoipa::IntoParams;

use crate::domain::storage_class::StorageClass;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::boundary::Boundary;
use crate::http::filename::{Filename, FilenameError};
use crate::http::media_type::MediaType;
use crate::http::tags::Tags;
use crate::http::user_metadata::UserMetadata;
use crate::http::{digest, expiry, sniff, text};
use crate::storage::protocol::Description;

/// The headers that describe an uploaded file.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct FileHeaders {
    /// The name, percent-encoded UTF-8, at most 255 bytes; default `upload.csv`.
    #[param(rename = "X-File-Name")]
    name: Option<String>,
    /// At most 32 tags of at most 64 bytes, comma-separated.
    #[param(rename = "X-File-Tags")]
    tags: Option<String>,
    /// A flat JSON object, at most 8 KiB.
    #[param(rename = "X-File-Metadata")]
    metadata: Option<String>,
    /// Time at which Cutty moves the file to the trash (RFC 3339).
    #[param(rename = "X-File-Expires")]
    expires: Option<String>,
    /// Storage class of the file in R2; default `Standard`.
    #[param(rename = "X-File-Storage-Class")]
    storage_class: Option<String>,
}

/// The headers with a digest of the bytes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct DigestHeaders {
    /// sha-256 of the bytes (RFC 9530). Bytes with another digest are refused.
    #[param(rename = "Repr-Digest")]
    repr_digest: Option<String>,
    /// sha-256 of the bytes, in the same form as `Repr-Digest`. The two headers have the same meaning here, because
    /// Cutty accepts no body with a content coding.
    #[param(rename = "Content-Digest")]
    content_digest: Option<String>,
    /// sha-256 of the bytes, in the older form `SHA-256=base64` (RFC 3230).
    #[param(rename = "Digest")]
    digest: Option<String>,
}

/// Returns the filename for an upload without a filename.
pub fn default_filename() -> Result<Filename> {
    Filename::parse("upload.csv").map_err(Problem::internal)
}

/// Returns the filename in `X-File-Name`; `None` if the request has no such header.
///
/// # Errors
/// `bad_name`, `unsupported_type`, or `bad_request` if the header cannot be read.
pub fn named_by(headers: &HeaderMap) -> Result<Option<Filename>> {
    let value = header_text(headers, HeaderName::from_static("x-file-name"))?;
    value.map(|value| checked_filename(Filename::from_header(value.as_bytes()))).transpose()
}

/// Reads tags, metadata, expiry and storage class from the headers of a request.
pub fn description_of(headers: &HeaderMap, now: Timestamp) -> Result<Description> {
    let header = |name: &'static str| header_text(headers, HeaderName::from_static(name));
    let storage_class = storage_class(header("x-file-storage-class")?)?;
    let description =
        describe(header("x-file-tags")?, header("x-file-metadata")?, header("x-file-expires")?, now)?;
    Ok(Description { storage_class, ..description })
}

/// Parses the storage class of a file; the default if the request names none.
///
/// # Errors
/// `bad_request` if there is no class with this name.
pub fn storage_class(name: Option<&str>) -> Result<StorageClass> {
    let Some(name) = name else { return Ok(StorageClass::default()) };
    StorageClass::parse(name).ok_or_else(|| {
        let known = StorageClass::ALL.map(StorageClass::name);
        let detail = format!("There is no such storage class. Send {} or {}.", known[0], known[1]);
        Problem::new(Code::BadRequest, detail).with("known", known.to_vec())
    })
}

/// Parses the tags, metadata and expiry of a file. The storage class of the result is the default.
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
        storage_class: StorageClass::default(),
    })
}

/// Makes the problem for tags, metadata or an expiry that is not valid.
pub fn bad_metadata(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::BadMetadata, sentence(error))
}

/// Checks the name of a file. All routes that store or rename a file use this check.
///
/// # Errors
/// `bad_name`, or `unsupported_type` if the extension belongs to another format.
pub fn checked_filename(name: std::result::Result<Filename, FilenameError>) -> Result<Filename> {
    let name = name.map_err(|error| Problem::new(Code::BadName, sentence(&error)))?;
    sniff::check_name(&name).map_err(|error| Problem::new(Code::UnsupportedType, sentence(&error)))?;
    Ok(name)
}

/// Returns the SHA-256 from `Repr-Digest`, `Content-Digest` and `Digest`. Cutty accepts no body with a content coding,
/// so all of these headers are digests of the same bytes (RFC 9530 §2 and §3, RFC 3230 §4.3.2).
///
/// # Errors
/// `bad_request` if a header is malformed or empty; `digest_mismatch` if two headers differ.
pub fn announced_digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>> {
    type Parse = fn(&str) -> std::result::Result<[u8; 32], digest::DigestError>;
    let forms: [(&'static str, Parse); 3] = [
        ("repr-digest", digest::parse),
        ("content-digest", digest::parse),
        ("digest", digest::parse_instance_digest),
    ];
    let mut announced = None;
    for (name, parse) in forms {
        let Some(value) = header_text(headers, HeaderName::from_static(name))? else { continue };
        let malformed = |error: digest::DigestError| {
            let detail = format!("The header {name} cannot be used: {error}.");
            Problem::new(Code::BadRequest, detail).with("header", name)
        };
        let sha256 = parse(value).map_err(malformed)?;
        if announced.is_some_and(|other| other != sha256) {
            return Err(Problem::digest_mismatch());
        }
        announced = Some(sha256);
    }
    Ok(announced)
}

/// Returns the boundary of a form; `None` if the body is not a form.
///
/// # Errors
/// `bad_request` if the body is a form without a valid boundary.
pub fn form_boundary(headers: &HeaderMap) -> Result<Option<Boundary>> {
    let Some(media_type) = header_text(headers, CONTENT_TYPE)?.and_then(|text| MediaType::parse(text).ok())
    else {
        return Ok(None);
    };
    if !media_type.is("multipart/form-data") {
        return Ok(None);
    }
    let boundary = Boundary::from_media_type(&media_type);
    boundary.map(Some).map_err(|error| Problem::new(Code::BadRequest, sentence(&error)))
}

/// Returns the value of a header; `None` if the header is absent.
///
/// # Errors
/// `bad_request` if the value is not readable UTF-8, or if the request has the header more than once.
pub fn header_text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>> {
    text::header_text(headers, name).map_err(|error| Problem::new(Code::BadRequest, sentence(&error)))
}
