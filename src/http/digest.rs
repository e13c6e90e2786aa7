//! The headers `Repr-Digest` and `Content-Digest` (RFC 9530), and the older header `Digest` (RFC 3230). The values of
//! `Repr-Digest` and `Content-Digest` are dictionaries as RFC 9651 defines them. The value of `Digest` is a list with
//! another syntax.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// Errors in a digest header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The value is not a dictionary.
    #[error("the digest header is malformed: send sha-256=:base64:")]
    Malformed,
    /// The dictionary has digests of other algorithms only.
    #[error("the digest header has no sha-256, the only digest that is checked: send sha-256=:base64:")]
    NoSha256,
    /// The value of `sha-256` is not 32 bytes in base64 between colons.
    #[error(
        "the sha-256 of the digest header must be 32 bytes in base64 between colons: send sha-256=:base64:"
    )]
    InvalidSha256,
    /// The header `Digest` is malformed, has no SHA-256, has a SHA-256 that is not 32 bytes in base64, or has two
    /// different values of SHA-256.
    #[error(
        "the header Digest must have a SHA-256 of 32 bytes: send SHA-256=base64, or Repr-Digest: sha-256=:base64:"
    )]
    InvalidInstanceDigest,
}

/// Returns the header value for this digest: `sha-256=:…:`.
pub fn render(digest: &Sha256) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// Parses the value of `Repr-Digest` or `Content-Digest` and returns its SHA-256. Digests of other algorithms in the same
/// header are ignored. If a key is repeated, its last value is used (RFC 9651 §4.2.2).
///
/// # Errors
/// [`DigestError`] if the header is malformed, is empty or has no SHA-256. RFC 9530 §2 allows a recipient to ignore such
/// a header. But a client that sends a digest wants the digest to be checked, so a digest that cannot be checked is an
/// error.
pub fn parse(value: &str) -> Result<Sha256, DigestError> {
    let digests: Dictionary = Parser::new(value).parse().map_err(|_| DigestError::Malformed)?;
    match digests.get("sha-256") {
        None => Err(DigestError::NoSha256),
        Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), .. })) => {
            bytes.as_slice().try_into().map_err(|_| DigestError::InvalidSha256)
        }
        Some(_) => Err(DigestError::InvalidSha256),
    }
}

/// Parses the value of a `Digest` header (RFC 3230 §4.3.2, "instance digest") and returns its SHA-256. In the header,
/// the SHA-256 is written as `SHA-256=` and base64. The name `SHA-256` may be in upper or lower case. Digests of other
/// algorithms are ignored.
///
/// # Errors
/// [`DigestError::InvalidInstanceDigest`].
pub fn parse_instance_digest(value: &str) -> Result<Sha256, DigestError> {
    let invalid = DigestError::InvalidInstanceDigest;
    let mut found = None;
    for digest in value.split(',').map(str::trim).filter(|digest| !digest.is_empty()) {
        let (algorithm, encoded) = digest.split_once('=').ok_or(invalid)?;
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| invalid)?;
        let sha256 = Sha256::try_from(bytes).map_err(|_| invalid)?;
        if found.is_some_and(|other| other != sha256) {
            return Err(invalid);
        }
        found = Some(sha256);
    }
    found.ok_or(invalid)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SHA-256 of `{"hello": "world"}` and a line feed, the example in RFC 9530.
    const EXAMPLE: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    #[test]
    fn the_example_of_the_rfc_is_parsed_and_rendered() {
        let digest = parse(EXAMPLE).unwrap();
        assert_eq!(hex::encode(digest), "44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38");
        assert_eq!(render(&digest), EXAMPLE);
    }

    #[test]
    fn sha_256_is_found_among_other_members() {
        let digest = parse(EXAMPLE).unwrap();
        for value in [
            format!("{EXAMPLE}, unixsum=30637"),
            format!("sha-512=:AAAA:,\t{EXAMPLE};q=1;x=\"a\\\"b\""),
            format!("a=(1 \"x\" tok;p=?1), b, c=?0, d=-1.5, e=@1659578233, *f=*tok/x, {EXAMPLE}"),
            format!("sha-256=:AAAA:, {EXAMPLE}"),
        ] {
            assert_eq!(parse(&value), Ok(digest), "{value}");
        }
    }

    #[test]
    fn a_header_without_sha_256_is_an_error() {
        for value in ["", " ", "sha-512=:AAAA:", "md5=:AAAA:, unixsum=1", "sha=:AAAA:", "sha-2567=1", "zzz"] {
            assert_eq!(parse(value), Err(DigestError::NoSha256), "{value}");
        }
    }

    #[test]
    fn a_malformed_header_is_an_error() {
        for value in [
            "sha-256=:!!:",
            "sha-256=:AAAA",
            "SHA-256=:AAAA:",
            "sha-256=:AAAA:,",
            ",",
            "sha-256 =:AAAA:",
            "sha-256=",
            "sha-256=:AAAA: x",
            "a=1234567890123456",
            "a=1.2345",
            "a=(1",
            "a=(1\"x\")",
            "a=\"x",
            "a=\"\\x\"",
            "a=?2",
            "a=é",
            "sha-512=:A:",
            "a;=1",
            "44aff4ab2d7c3250",
        ] {
            assert_eq!(parse(value), Err(DigestError::Malformed), "{value}");
        }
        for value in
            ["sha-256=:AAAA:", "sha-256=44aff4", "sha-256", "sha-256=\"x\"", "sha-256=(:AAAA:)", "sha-256=::"]
        {
            let expected =
                if value == "sha-256=44aff4" { DigestError::Malformed } else { DigestError::InvalidSha256 };
            assert_eq!(parse(value), Err(expected), "{value}");
        }
    }

    #[test]
    fn the_older_header_is_parsed_and_its_other_algorithms_are_ignored() {
        let digest = parse(EXAMPLE).unwrap();
        let base64 = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";
        for value in [
            format!("SHA-256={base64}"),
            format!("sha-256={base64}"),
            format!("md5=HUXZLQLMuI/KZ5KDcJPcOA==, SHA-256={base64},unixsum=30637"),
            format!("SHA-256={base64}, SHA-256={base64}"),
        ] {
            assert_eq!(parse_instance_digest(&value), Ok(digest), "{value}");
        }
        for value in [
            "",
            " , ",
            "SHA-256",
            "SHA-256=",
            "SHA-256=AAAA",
            "SHA-256=:AAAA:",
            "md5=HUXZLQLMuI/KZ5KDcJPcOA==",
            "x",
            "SHA-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg",
            &format!("SHA-256={base64}, SHA-256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ] {
            assert_eq!(parse_instance_digest(value), Err(DigestError::InvalidInstanceDigest), "{value}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_round_trips(digest in any::<[u8; 32]>()) {
            prop_assert_eq!(parse(&render(&digest)), Ok(digest));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}", shaped in "[a*=:;,()\"\\\\?@. 0-9A-]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&shaped);
            let _ = parse_instance_digest(&text);
            let _ = parse_instance_digest(&shaped);
        }
    }
}
