//! The `Authorization` header with a bearer token (RFC 9110 §11.6.2 and RFC 6750 §2.1), or with a user name and a password
//! of the scheme `Basic` (RFC 7617).

use ::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::syntax;

/// Base64 with or without padding, because some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parsed `Authorization` header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// The header is absent, has another scheme than `Bearer` and `Basic`, or has no token: the request has no credentials
    /// that Cutty reads.
    Absent,
    /// One bearer token. It has only characters that RFC 6750 allows. Its signature is not verified yet.
    Bearer(&'a str),
    /// A user name and a password. Bytes that are not UTF-8 are replaced by U+FFFD.
    Basic {
        /// The text before the first colon.
        user: String,
        /// The text after the first colon.
        password: String,
    },
    /// The header has several credentials, a token that RFC 6750 does not allow, or a value of `Basic` that is not a user
    /// name, a colon and a password in base64. Callers must not treat it as absent.
    Malformed,
}

impl<'a> Authorization<'a> {
    /// Parses the header. Two `Authorization` headers are malformed, because it is not clear which of the two
    /// identities the client means. The platform may join two headers into one value `a, b`; this value is malformed
    /// too.
    pub fn from_headers(headers: &'a HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::Absent,
            (Some(line), None) => line.to_str().map_or(Self::Malformed, Self::parse),
            (Some(_), Some(_)) => Self::Malformed,
        }
    }

    /// Parses `Bearer <token>` and `Basic <base64>`. The scheme may be in upper or lower case.
    fn parse(value: &'a str) -> Self {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim_matches(' ');
        if !scheme.is_empty() && !syntax::is_token(scheme) {
            return Self::Malformed;
        }
        if token.is_empty() {
            return Self::Absent;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::parse_basic(token).unwrap_or(Self::Malformed);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Self::Absent;
        }
        let unpadded = token.trim_end_matches('=');
        let of_token68 = unpadded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        match of_token68 && !unpadded.is_empty() {
            true => Self::Bearer(token),
            false => Self::Malformed,
        }
    }
}

impl Authorization<'_> {
    fn parse_basic(encoded: &str) -> Option<Self> {
        let decoded = BASE64.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (user, password) = decoded.split_at(colon);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Self::Basic { user: text(user), password: text(password.get(1..).unwrap_or_default()) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ::http::HeaderValue;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_read() {
        for line in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER  a.b-c_d~e+f/g=="] {
            let headers = headers(&[line]);
            assert_eq!(Authorization::from_headers(&headers), Authorization::Bearer("a.b-c_d~e+f/g=="));
        }
        assert_eq!(Authorization::from_headers(&HeaderMap::new()), Authorization::Absent);
    }

    #[test]
    fn another_scheme_or_no_token_counts_as_absent() {
        for line in
            ["", "Bearer", "bearer ", "Basic", "Basic ", "Digest username=\"ada\", realm=\"b\"", "a.b.c"]
        {
            assert_eq!(Authorization::from_headers(&headers(&[line])), Authorization::Absent, "{line}");
        }
    }

    #[test]
    fn a_user_name_and_a_password_are_read() {
        for (line, user, password) in [
            ("Basic YTpi", "a", "b"),
            ("basic YTpi", "a", "b"),
            ("BASIC  YTpiOmM=", "a", "b:c"),
            ("Basic YTpiOmM", "a", "b:c"),
            ("Basic Og==", "", ""),
            ("Basic 6TrpeA==", "\u{fffd}", "\u{fffd}x"),
        ] {
            let wanted = Authorization::Basic { user: user.to_owned(), password: password.to_owned() };
            assert_eq!(Authorization::from_headers(&headers(&[line])), wanted, "{line}");
        }
    }

    #[test]
    fn other_values_are_malformed_and_not_absent() {
        let lines = ["Basic YQ==", "Basic a", "Basic YTpi YTpi", "Basic YTpi, Basic YTpi", "Basic ä"];
        for line in lines {
            assert_eq!(Authorization::from_headers(&headers(&[line])), Authorization::Malformed, "{line}");
        }
        let lines = ["Bearer ==", "Bearer a b", "Bearer\ta", "Bearer é", "Bearer a=b", "Bearer \"a\""];
        for line in lines {
            assert_eq!(Authorization::from_headers(&headers(&[line])), Authorization::Malformed, "{line}");
        }
    }

    #[test]
    fn two_credentials_in_one_header_or_in_two_headers_are_malformed() {
        let joined = headers(&["Bearer a, Bearer b"]);
        assert_eq!(Authorization::from_headers(&joined), Authorization::Malformed);
        let same_twice = headers(&["Bearer a", "Bearer a"]);
        assert_eq!(Authorization::from_headers(&same_twice), Authorization::Malformed);
        let joined_tokens = headers(&["Bearer a,b"]);
        assert_eq!(Authorization::from_headers(&joined_tokens), Authorization::Malformed);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
                Authorization::from_headers(&headers);
            }
        }
    }
}
