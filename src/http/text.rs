//! Header values as text: RFC 9110 §5.5 leaves bytes beyond ASCII to the recipient, who reads them as UTF-8 here.
//!
//! The platform gives header values as Unicode already, with U+FFFD where the bytes were none.

use http::{HeaderMap, HeaderName};

/// A header whose bytes are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is not UTF-8")]
pub struct NotUtf8(HeaderName);

/// The text of a header; `None` when it was not sent.
///
/// # Errors
/// [`NotUtf8`]: what a client says of its request is never left aside.
pub fn of(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, NotUtf8> {
    let Some(value) = headers.get(&name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Ok(Some(text)),
        _ => Err(NotUtf8(name)),
    }
}

/// The codings of a `Content-Encoding` but `identity`, which changes nothing (RFC 9110 §8.4).
pub fn codings(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::USER_AGENT;

    #[test]
    fn text_is_utf8_or_an_error_that_names_the_header() {
        let of_bytes = |bytes: &[u8]| {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_bytes(bytes).unwrap())]);
            of(&headers, USER_AGENT).map(|text| text.map(str::to_owned)).map_err(|error| error.to_string())
        };
        assert_eq!(of_bytes("Köln".as_bytes()), Ok(Some("Köln".to_owned())));
        assert_eq!(of_bytes(b"K\xf6ln"), Err("the header user-agent is not UTF-8".to_owned()));
        assert!(of_bytes("K\u{fffd}ln".as_bytes()).is_err());
        assert_eq!(of(&HeaderMap::new(), USER_AGENT), Ok(None));
    }

    #[test]
    fn identity_is_no_coding() {
        let read = |value| codings(value).collect::<Vec<_>>();
        assert_eq!(read("identity, ,Identity"), Vec::<&str>::new());
        assert_eq!(read("identity, gzip,br "), ["gzip", "br"]);
    }
}
