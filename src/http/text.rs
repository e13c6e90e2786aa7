//! Header values as text. RFC 9110 §5.5 does not define the encoding of bytes that are not ASCII. Cutty reads them as
//! UTF-8.
//!
//! The Workers runtime decodes header values to Unicode. It replaces bytes that are not UTF-8 with U+FFFD.

use http::{HeaderMap, HeaderName};

/// Error: a header value is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is not UTF-8: encode its value as UTF-8")]
pub struct NotUtf8(HeaderName);

/// Returns the value of a header; `None` if the header is absent.
///
/// # Errors
/// [`NotUtf8`] if the value is not UTF-8 or contains U+FFFD. Such a header is not ignored, because the client wants it
/// to have an effect.
pub fn header_text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, NotUtf8> {
    let Some(value) = headers.get(&name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Ok(Some(text)),
        _ => Err(NotUtf8(name)),
    }
}

/// Returns the content codings of a `Content-Encoding` value, without `identity` (RFC 9110 §8.4).
pub fn content_codings(value: &str) -> impl Iterator<Item = &str> {
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
    fn a_value_that_is_not_utf8_is_an_error_with_the_name_of_the_header() {
        let text_of = |bytes: &[u8]| {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_bytes(bytes).unwrap())]);
            header_text(&headers, USER_AGENT)
                .map(|text| text.map(str::to_owned))
                .map_err(|error| error.to_string())
        };
        assert_eq!(text_of("Köln".as_bytes()), Ok(Some("Köln".to_owned())));
        let error = "the header user-agent is not UTF-8: encode its value as UTF-8";
        assert_eq!(text_of(b"K\xf6ln"), Err(error.to_owned()));
        assert!(text_of("K\u{fffd}ln".as_bytes()).is_err());
        assert_eq!(header_text(&HeaderMap::new(), USER_AGENT), Ok(None));
    }

    #[test]
    fn identity_is_not_a_content_coding() {
        let read = |value| content_codings(value).collect::<Vec<_>>();
        assert_eq!(read("identity, ,Identity"), Vec::<&str>::new());
        assert_eq!(read("identity, gzip,br "), ["gzip", "br"]);
    }
}
