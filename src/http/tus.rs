//! Headers of tus 1.0.0, the open protocol for resumable uploads: <https://tus.io/protocols/resumable-upload>.
//!
//! Numbers are non-negative integers without a sign. Metadata and checksums are in base64 (RFC 4648 §4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::csv::shortened;

/// The only version of tus that Cutty supports.
pub const VERSION: &str = "1.0.0";

/// Supported extensions, for `Tus-Extension`.
pub const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration";

/// Supported checksum algorithms, for `Tus-Checksum-Algorithm`.
pub const ALGORITHMS: &str = "sha1,sha256";

/// Media type of a chunk: the body of a `PATCH`, or of the `POST` that creates the upload.
pub const MEDIA_TYPE: &str = "application/offset+octet-stream";

/// Maximum length of `Upload-Metadata` in bytes. Tags, metadata and a filename of maximum length fit, also in base64.
pub const MAX_METADATA_BYTES: usize = 16 << 10;

/// Errors in tus headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TusError {
    /// A header that must be a number is not a number, or its number is 2⁵³ or more.
    #[error("{header} must be a whole number of bytes, not {text:?}")]
    NotANumber {
        /// Name of the header.
        header: &'static str,
        /// The first 40 characters of its value.
        text: String,
    },
    /// The request has both `Upload-Length` and `Upload-Defer-Length`, or neither of them; or `Upload-Defer-Length` is
    /// not 1.
    #[error("send either Upload-Length, or Upload-Defer-Length: 1 if the length is not known yet")]
    Length,
    /// `Upload-Metadata` is malformed.
    #[error(
        "Upload-Metadata must be pairs of a key in ASCII and a value in base64, separated by commas: correct \
         the pair {near:?}"
    )]
    Metadata {
        /// The first 40 characters of the malformed pair.
        near: String,
    },
    /// `Upload-Metadata` contains a key twice.
    #[error("Upload-Metadata contains the key {key:?} twice: send it once")]
    RepeatedKey {
        /// The repeated key.
        key: String,
    },
    /// `Upload-Metadata` is longer than [`MAX_METADATA_BYTES`].
    #[error("Upload-Metadata may have at most {MAX_METADATA_BYTES} bytes: shorten it")]
    LongMetadata,
    /// `Upload-Checksum` is malformed, or its algorithm is neither SHA-1 nor SHA-256.
    #[error("Upload-Checksum must be sha1 or sha256, a space, and the digest in base64")]
    Checksum,
}

/// Length of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadLength {
    /// Length in bytes.
    Known(u64),
    /// The client sends the length later.
    Deferred,
}

/// Parses `Upload-Length` and `Upload-Defer-Length`. The client must send exactly one of the two headers.
///
/// # Errors
/// [`TusError::Length`] or [`TusError::NotANumber`].
pub fn upload_length(length: Option<&str>, defer: Option<&str>) -> Result<UploadLength, TusError> {
    match (length, defer) {
        (Some(length), None) => Ok(UploadLength::Known(number("Upload-Length", length)?)),
        (None, Some("1")) => Ok(UploadLength::Deferred),
        _ => Err(TusError::Length),
    }
}

/// Parses the value of a header: a whole number below 2⁵³, in digits only.
///
/// # Errors
/// [`TusError::NotANumber`].
pub fn number(header: &'static str, text: &str) -> Result<u64, TusError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse().ok()).flatten();
    // JavaScript numbers and D1 represent integers below 2⁵³ exactly.
    value
        .filter(|value| *value < 1 << 53)
        .ok_or_else(|| TusError::NotANumber { header, text: text.chars().take(40).collect() })
}

/// Reasons why a value of `Upload-Metadata` cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataTextError {
    /// The value of this key is not UTF-8.
    #[error("the value of {0} in Upload-Metadata is not UTF-8: encode it as UTF-8")]
    NotUtf8(&'static str),
    /// Two keys with the same meaning have different values.
    #[error("{0} and {1} in Upload-Metadata have the same meaning but different values: send one of them")]
    Differ(&'static str, &'static str),
}

/// Keys and decoded values of `Upload-Metadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    /// Parses the header: pairs separated by commas, each a key, a space and a value in base64. A key may have no
    /// value. Two keys that differ only in case are the same key.
    ///
    /// # Errors
    /// [`TusError::Metadata`], [`TusError::RepeatedKey`] or [`TusError::LongMetadata`].
    pub fn parse(text: &str) -> Result<Self, TusError> {
        if text.len() > MAX_METADATA_BYTES {
            return Err(TusError::LongMetadata);
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let malformed = || TusError::Metadata { near: pair.chars().take(40).collect() };
            // The response to HEAD repeats the metadata in a header, and a header value must be ASCII.
            if !key.is_ascii() {
                return Err(malformed());
            }
            let value = STANDARD.decode(value.trim()).map_err(|_| malformed())?;
            if pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(key)) {
                return Err(TusError::RepeatedKey { key: shortened(key) });
            }
            pairs.push((key.to_owned(), value));
        }
        Ok(Self(pairs))
    }

    /// Returns the value of keys that have the same meaning, ignoring case. `None` if no value is present and not empty.
    ///
    /// # Errors
    /// [`MetadataTextError`].
    pub fn text(&self, keys: &[&'static str]) -> Result<Option<&str>, MetadataTextError> {
        let mut found: Option<(&'static str, &str)> = None;
        for &key in keys {
            let is_found = |known: &str, value: &[u8]| known.eq_ignore_ascii_case(key) && !value.is_empty();
            let Some((_, value)) = self.0.iter().find(|(known, value)| is_found(known, value)) else {
                continue;
            };
            let value = std::str::from_utf8(value).map_err(|_| MetadataTextError::NotUtf8(key))?;
            match found {
                Some((other, known)) if known != value => return Err(MetadataTextError::Differ(other, key)),
                Some(_) => {}
                None => found = Some((key, value)),
            }
        }
        Ok(found.map(|(_, value)| value))
    }
}

/// Expected checksum of one chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Checksum {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

impl Checksum {
    /// Parses `Upload-Checksum`.
    ///
    /// # Errors
    /// [`TusError::Checksum`] for an unsupported algorithm, malformed base64, or a digest of the wrong length.
    pub fn parse(text: &str) -> Result<Self, TusError> {
        let (algorithm, digest) = text.trim().split_once(' ').ok_or(TusError::Checksum)?;
        let digest = STANDARD.decode(digest.trim()).map_err(|_| TusError::Checksum)?;
        let wrong_length = |_| TusError::Checksum;
        match algorithm.to_ascii_lowercase().as_str() {
            "sha1" => digest.try_into().map(Self::Sha1).map_err(wrong_length),
            "sha256" => digest.try_into().map(Self::Sha256).map_err(wrong_length),
            _ => Err(TusError::Checksum),
        }
    }

    /// Returns a [`RunningChecksum`] that has no bytes yet and expects this checksum.
    pub fn check(&self) -> RunningChecksum {
        match self {
            Self::Sha1(wanted) => RunningChecksum::Sha1(Sha1::new(), *wanted),
            Self::Sha256(wanted) => RunningChecksum::Sha256(Box::default(), *wanted),
        }
    }
}

/// The hash of the bytes received so far, with the expected [`Checksum`].
#[allow(missing_docs)]
pub enum RunningChecksum {
    Sha1(Sha1, [u8; 20]),
    Sha256(Box<Sha256>, [u8; 32]),
}

impl RunningChecksum {
    /// Adds more bytes to the hash.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash, _) => hash.update(bytes),
            Self::Sha256(hash, _) => hash.update(bytes),
        }
    }

    /// Whether the bytes have the expected checksum.
    pub fn matches(self) -> bool {
        match self {
            Self::Sha1(hash, wanted) => hash.finalize()[..] == wanted,
            Self::Sha256(hash, wanted) => hash.finalize()[..] == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_has_either_a_length_or_a_deferred_length() {
        assert_eq!(upload_length(Some("0"), None), Ok(UploadLength::Known(0)));
        assert_eq!(upload_length(Some("53687091200"), None), Ok(UploadLength::Known(50 << 30)));
        assert_eq!(upload_length(None, Some("1")), Ok(UploadLength::Deferred));
        for (length, defer) in [(None, None), (Some("1"), Some("1")), (None, Some("0")), (None, Some(""))] {
            assert_eq!(upload_length(length, defer), Err(TusError::Length));
        }
        for text in ["", "-1", "+1", "1.0", "1e3", "0x1", " 1", "9007199254740992", "99999999999999999999"] {
            assert!(upload_length(Some(text), None).is_err(), "{text:?}");
        }
    }

    #[test]
    fn metadata_is_parsed_as_pairs_of_keys_and_base64() {
        let metadata =
            Metadata::parse("filename d29ybGRfZG9taW5hdGlvbi5wZGY=,is_confidential, name w7w=").unwrap();
        assert_eq!(metadata.text(&["filename"]), Ok(Some("world_domination.pdf")));
        assert_eq!(metadata.text(&["nothing", "name"]), Ok(Some("ü")));
        assert_eq!(metadata.text(&["is_confidential"]), Ok(None));
        assert_eq!(Metadata::parse("a /w==").unwrap().text(&["a"]), Err(MetadataTextError::NotUtf8("a")));
        let text = |header: &str| {
            Metadata::parse(header).unwrap().text(&["a", "b"]).map(|text| text.map(str::to_owned))
        };
        assert_eq!(text("a YQ==,b YQ=="), Ok(Some("a".to_owned())));
        assert_eq!(text("a ,b Yg=="), Ok(Some("b".to_owned())));
        assert_eq!(text("b YQ==,a Yg=="), Err(MetadataTextError::Differ("a", "b")));
        assert_eq!(Metadata::parse(""), Ok(Metadata::default()));
        assert!(matches!(Metadata::parse("a YQ==,a Yg=="), Err(TusError::RepeatedKey { .. })));
        assert!(matches!(Metadata::parse("a YQ==,A Yg=="), Err(TusError::RepeatedKey { .. })));
        assert_eq!(Metadata::parse("FileName w7w=").unwrap().text(&["filename"]), Ok(Some("ü")));
        for text in ["a !", "a YQ", "a YQ== YQ=="] {
            assert!(matches!(Metadata::parse(text), Err(TusError::Metadata { .. })), "{text}");
        }
        assert_eq!(Metadata::parse(&"a,".repeat(9000)), Err(TusError::LongMetadata));
    }

    #[test]
    fn a_checksum_is_checked_over_all_pieces() {
        let announced = [
            "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
            "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
            "SHA256  LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ= ",
        ];
        for text in announced {
            for (bytes, matches) in [("hello", true), ("hellp", false), ("hell", false)] {
                let mut check = Checksum::parse(text).unwrap().check();
                bytes.as_bytes().chunks(2).for_each(|piece| check.update(piece));
                assert_eq!(check.matches(), matches, "{text}, {bytes}");
            }
        }
    }

    #[test]
    fn a_malformed_checksum_is_refused() {
        for text in [
            "",
            "sha1",
            "md5 XUFAKrxLKna5cZ2REBfFkg==",
            "sha1 !",
            "sha1 YQ==",
            "sha256 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
        ] {
            assert_eq!(Checksum::parse(text), Err(TusError::Checksum), "{text}");
        }
    }
}
