//! The `Authorization` header with a bearer token (RFC 9110 §11.6.2 and RFC 6750 §2.1).

use ::http::header::{AUTHORIZATION, HeaderMap};

use super::syntax;

/// The parsed `Authorization` header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// The header is absent, has another scheme than `Bearer`, or has no token: the request has no credentials that
    /// Cutty reads.
    Absent,
    /// One bearer token. It has only characters that RFC 6750 allows. Its signature is not verified yet.
    Bearer(&'a str),
    /// The header has several credentials, or a token that RFC 6750 does not allow. Callers must not treat it as
    /// absent.
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

    /// Parses `Bearer <token>`. The word `Bearer` may be in upper or lower case.
    fn parse(value: &'a str) -> Self {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim_matches(' ');
        if !scheme.is_empty() && !syntax::is_token(scheme) {
            return Self::Malformed;
        }
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
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
        for line in ["", "Bearer", "bearer ", "Basic YTpi", "Digest username=\"ada\", realm=\"b\"", "a.b.c"] {
            assert_eq!(Authorization::from_headers(&headers(&[line])), Authorization::Absent, "{line}");
        }
    }

    #[test]
    fn other_values_are_malformed_and_not_absent() {
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
