//! The fingerprint of a request: a hash that shows whether a client uses one idempotency key for two different
//! requests.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Uri};
use sha2::{Digest, Sha256};

/// Headers that change the effect of a request, or cause a refusal. A fingerprint covers all values of these headers, so
/// that a request with other values is never answered with the response to the earlier request. To add a header, append
/// it: the order is part of stored fingerprints.
const HEADERS: [&str; 25] = [
    "x-file-name",
    "x-file-tags",
    "x-file-metadata",
    "x-file-expires",
    "repr-digest",
    "content-digest",
    "digest",
    "upload-length",
    "upload-defer-length",
    "upload-metadata",
    "upload-offset",
    "upload-checksum",
    "upload-concat",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "content-md5",
    "content-encoding",
    "content-range",
    "upload-complete",
    "upload-incomplete",
    "trailer",
    "x-http-method-override",
    "x-file-storage-class",
];

/// The fingerprint of a request: a SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFingerprint(String);

impl RequestFingerprint {
    /// Returns the fingerprint of a request whose whole body is in memory. The fingerprint covers method, path, query,
    /// the headers in `HEADERS`, and body.
    pub fn of_body(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let target = target(uri);
        let mut parts = vec![method.as_str().as_bytes(), target.as_bytes(), b"body", body];
        parts.extend(covered(headers));
        Self::of_parts(&parts)
    }

    /// Returns the fingerprint of an upload. The fingerprint covers method, path, query, media type, length and the
    /// headers in `HEADERS`. The body is not covered, because it has not been read yet. The boundary of a
    /// form is not covered, because a client chooses a new one for each retry.
    pub fn of_upload(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let value = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
        let content_type = value(CONTENT_TYPE.as_str()).unwrap_or_default();
        let without_boundary = |parameter: &&[u8]| {
            let name = parameter.trim_ascii_start().get(..b"boundary".len());
            !name.is_some_and(|name| name.eq_ignore_ascii_case(b"boundary"))
        };
        let media_type = content_type.split(|&byte| byte == b';').filter(without_boundary);
        let media_type: Vec<_> = media_type.map(|part| part.trim_ascii().to_ascii_lowercase()).collect();
        let media_type = media_type.join(&b';');
        let length = value(CONTENT_LENGTH.as_str()).unwrap_or_default();
        let target = target(uri);
        let mut parts = vec![method.as_str().as_bytes(), target.as_bytes(), b"upload", &media_type, length];
        parts.extend(covered(headers));
        Self::of_parts(&parts)
    }

    /// Returns the fingerprint of a list of byte strings. The length of each string is hashed before its bytes, so
    /// that the hash differs for `["ab", "c"]` and `["a", "bc"]`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hex::encode(hash.finalize()))
    }

    /// Returns the SHA-256 as hex text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the names and values of the headers that a fingerprint covers.
fn covered(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = |name: &'static str| headers.get_all(name).iter().map(move |value| (name, value));
    HEADERS.into_iter().flat_map(values).flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()])
}

fn target(uri: &Uri) -> String {
    uri.path_and_query().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn body(method: Method, uri: &'static str, body: &str) -> RequestFingerprint {
        RequestFingerprint::of_body(&method, &Uri::from_static(uri), &HeaderMap::new(), body.as_bytes())
    }

    fn upload(headers: &[(&'static str, &str)]) -> RequestFingerprint {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        RequestFingerprint::of_upload(&Method::POST, &Uri::from_static("/api/files"), &headers.collect())
    }

    #[test]
    fn a_request_with_another_method_path_query_or_body_has_another_fingerprint() {
        let one = body(Method::PATCH, "/a?b=c", "{}");
        assert_eq!(one, body(Method::PATCH, "/a?b=c", "{}"));
        for other in [
            body(Method::POST, "/a?b=c", "{}"),
            body(Method::PATCH, "/ab=c", "{}"),
            body(Method::PATCH, "/a", "{}"),
            body(Method::PATCH, "/a?b=c", "{} "),
            body(Method::PATCH, "/a?b=c", ""),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn only_headers_that_describe_the_upload_change_the_fingerprint() {
        let said = [("content-type", "text/csv"), ("content-length", "7"), ("x-file-name", "a.csv")];
        let one = upload(&said);
        for place in 0..said.len() {
            let mut other = said;
            other[place].1 = "8";
            assert_ne!(upload(&other), one, "{other:?}");
            let without: Vec<_> = said.iter().copied().filter(|header| header.0 != said[place].0).collect();
            assert_ne!(upload(&without), one, "{without:?}");
        }
        let mut more = said.to_vec();
        more.push(("repr-digest", "sha-256=:AA==:"));
        assert_ne!(upload(&more), one);
        let elsewhere = [("authorization", "x"), ("x-request-id", "y"), ("user-agent", "z")];
        assert_eq!(
            upload(&[&said[..], &elsewhere].concat()),
            one,
            "headers that do not describe the upload are not part of the fingerprint"
        );
    }

    #[test]
    fn every_value_of_a_condition_or_a_digest_changes_the_fingerprint() {
        let uri = Uri::from_static("/a");
        let with = |headers: &[(&str, &str)]| {
            let headers: Vec<(HeaderName, HeaderValue)> =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            RequestFingerprint::of_body(&Method::PATCH, &uri, &HeaderMap::from_iter(headers), b"{}")
        };
        let mut seen = vec![with(&[]), with(&[("if-match", "a"), ("if-match", "b")])];
        seen.extend(HEADERS.map(|name| with(&[(name, "a")])));
        for (place, one) in seen.iter().enumerate() {
            assert!(!seen[..place].contains(one), "{place}");
        }
    }

    #[test]
    fn a_form_keeps_its_fingerprint_when_its_boundary_changes() {
        let form = |boundary: &str| upload(&[("content-type", boundary), ("content-length", "9")]);
        assert_eq!(form("multipart/form-data; boundary=a"), form("Multipart/Form-Data;boundary=b"));
        assert_ne!(form("multipart/form-data; boundary=a"), form("text/csv"));
    }

    #[test]
    fn different_lists_of_byte_strings_have_different_fingerprints() {
        assert_ne!(
            RequestFingerprint::of_parts(&[b"ab", b"c"]),
            RequestFingerprint::of_parts(&[b"a", b"bc"])
        );
        assert_ne!(RequestFingerprint::of_parts(&[b"a", b""]), RequestFingerprint::of_parts(&[b"a"]));
    }
}
