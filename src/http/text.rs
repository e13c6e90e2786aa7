//! Header values and queries as text. RFC 9110 §5.5 does not define the encoding of bytes that are not ASCII. Cutty
//! reads these bytes as UTF-8.
//!
//! The Workers runtime decodes header values to Unicode. It replaces bytes that are not UTF-8 with U+FFFD. It does not
//! remove control characters, although RFC 9110 §5.5 forbids every control character except the tab.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::csv::shortened;

/// Headers that browsers and proxies add. These headers change no response. Old clients send them in other encodings
/// than UTF-8.
const ABOUT_THE_SENDER: [&str; 5] = ["user-agent", "referer", "cookie", "via", "forwarded"];

/// Beginnings of the names of further headers that proxies add. These headers change no response either.
const ADDED_BY_PROXIES: [&str; 2] = ["cf-", "x-forwarded-"];

/// Errors of reading a header as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderTextError {
    /// The value is not UTF-8, or contains a control character.
    #[error(
        "the header {0} cannot be read: encode its value as UTF-8, and remove control characters and U+FFFD"
    )]
    Unreadable(HeaderName),
    /// The header was sent in several lines.
    #[error("the header {0} was sent more than once: send it once")]
    Repeated(HeaderName),
}

impl HeaderTextError {
    /// Returns the name of the header.
    pub fn header(&self) -> &str {
        match self {
            Self::Unreadable(name) | Self::Repeated(name) => name.as_str(),
        }
    }
}

/// Returns the value of a header; `None` if the header is absent.
///
/// # Errors
/// [`HeaderTextError`]. A header that causes this error must not be ignored, because the client wants the header to
/// have an effect.
pub fn header_text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, HeaderTextError> {
    let mut lines = headers.get_all(&name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => readable(line).map(Some).ok_or(HeaderTextError::Unreadable(name)),
        (Some(_), Some(_)) => Err(HeaderTextError::Repeated(name)),
    }
}

/// Makes a header value from the text that the runtime passes. U+FFFD replaces each character that no header value may
/// contain. So the header stays in the request, and [`check_readable`] returns an error for this header.
pub fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| {
        let is_allowed = |character: &char| *character == '\t' || !character.is_ascii_control();
        let shown = |character: char| match is_allowed(&character) {
            true => character,
            false => char::REPLACEMENT_CHARACTER,
        };
        let replaced: String = text.chars().map(shown).collect();
        // Tab is the only ASCII control character of this text, so the conversion cannot fail.
        HeaderValue::from_bytes(replaced.as_bytes()).unwrap_or(HeaderValue::from_static("?"))
    })
}

/// Checks that every header that can change a response is readable text.
///
/// # Errors
/// [`HeaderTextError::Unreadable`] for the first header that is not readable text. Headers that only describe the
/// sender are not checked.
pub fn check_readable(headers: &HeaderMap) -> Result<(), HeaderTextError> {
    let is_exempt = |name: &HeaderName| {
        ABOUT_THE_SENDER.contains(&name.as_str())
            || ADDED_BY_PROXIES.iter().any(|start| name.as_str().starts_with(start))
    };
    match headers.iter().find(|(name, value)| !is_exempt(name) && readable(value).is_none()) {
        Some((name, _)) => Err(HeaderTextError::Unreadable(name.clone())),
        None => Ok(()),
    }
}

fn readable(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}

/// Error: a pair of name and value in a query is not UTF-8. Holds the first 100 characters of the pair, as the client
/// sent them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the query parameter {0:?} is not UTF-8: encode names and values as UTF-8 before percent-encoding them"
)]
pub struct QueryNotUtf8(String);

impl QueryNotUtf8 {
    /// Returns the first 100 characters of the pair.
    pub fn pair(&self) -> &str {
        &self.0
    }
}

/// Checks that the names and values of a query are UTF-8 after percent-decoding. Without this check, a parser of
/// queries would replace bytes that are not UTF-8 with U+FFFD, and the request would mean something else.
///
/// # Errors
/// [`QueryNotUtf8`]. A U+FFFD that is not percent-encoded is an error too: the runtime writes U+FFFD in the place of
/// bytes that are not UTF-8.
pub fn check_query(query: &str) -> Result<(), QueryNotUtf8> {
    let is_utf8 = |pair: &&str| {
        percent_decode_str(pair).decode_utf8().is_ok() && !pair.contains(char::REPLACEMENT_CHARACTER)
    };
    match query.split('&').find(|pair| !is_utf8(pair)) {
        Some(pair) => Err(QueryNotUtf8(shortened(pair))),
        None => Ok(()),
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
    use http::header::{IF_MATCH, USER_AGENT};

    #[test]
    fn a_value_that_is_not_utf8_is_an_error_with_the_name_of_the_header() {
        let text_of = |bytes: &[u8]| {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_bytes(bytes).unwrap())]);
            header_text(&headers, USER_AGENT)
                .map(|text| text.map(str::to_owned))
                .map_err(|error| error.to_string())
        };
        assert_eq!(text_of("Köln".as_bytes()), Ok(Some("Köln".to_owned())));
        assert!(text_of(b"K\xf6ln").unwrap_err().contains("the header user-agent cannot be read"));
        assert!(text_of("K\u{fffd}ln".as_bytes()).is_err());
        assert_eq!(header_text(&HeaderMap::new(), USER_AGENT), Ok(None));
    }

    #[test]
    fn a_header_in_two_lines_is_an_error() {
        let line = || (IF_MATCH, HeaderValue::from_static("\"a\""));
        let headers: HeaderMap = [line(), line()].into_iter().collect();
        assert_eq!(header_text(&headers, IF_MATCH), Err(HeaderTextError::Repeated(IF_MATCH)));
    }

    #[test]
    fn a_value_with_any_control_character_becomes_an_unreadable_value_and_is_not_dropped() {
        for byte in (0u8..=0x1f).chain([0x7f]) {
            for text in [format!("\"r1\"{}", byte as char), format!("{}", byte as char)] {
                let headers = HeaderMap::from_iter([(IF_MATCH, header_value(&text))]);
                let verdict = check_readable(&headers);
                match byte {
                    b'\t' => assert_eq!(verdict, Ok(()), "{text:?}"),
                    _ => assert_eq!(verdict, Err(HeaderTextError::Unreadable(IF_MATCH)), "{text:?}"),
                }
            }
        }
    }

    #[test]
    fn a_readable_value_is_kept_unchanged() {
        for text in ["", "\"r1\"", "Köln, 数", "a\tb", "\u{85}"] {
            assert_eq!(header_value(text).as_bytes(), text.as_bytes());
            let headers = HeaderMap::from_iter([(IF_MATCH, header_value(text))]);
            assert_eq!(check_readable(&headers), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn an_unreadable_header_is_an_error_unless_it_only_describes_the_sender() {
        let check = |name: &'static str, value: &[u8]| {
            let name = HeaderName::from_static(name);
            check_readable(&HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())]))
        };
        for name in ["if-match", "idempotency-key", "x-file-tags", "x-request-id", "traceparent", "range"] {
            for value in [&b"\xe9"[..], "\u{fffd}".as_bytes(), b"a\xff"] {
                let name_of = HeaderName::from_static(name);
                assert_eq!(check(name, value), Err(HeaderTextError::Unreadable(name_of)), "{name}");
            }
        }
        for name in ["user-agent", "referer", "cookie", "cf-ipcity", "x-forwarded-for"] {
            assert_eq!(check(name, b"\xe9"), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_query_that_is_not_utf8_is_an_error_that_shows_the_parameter() {
        for query in ["", "a=b&c", "name=caf%C3%A9", "name=%EF%BF%BD", "a=%zz&b=%", "a=café", "=", "a=1+2"] {
            assert_eq!(check_query(query), Ok(()), "{query}");
        }
        for (query, shown) in [
            ("name__eq=caf%E9", "name__eq=caf%E9"),
            ("a=1&%ff=2&b=3", "%ff=2"),
            ("a=%ED%A0%80", "a=%ED%A0%80"),
            ("a=%C3&b=%A9", "a=%C3"),
            ("a=\u{fffd}", "a=\u{fffd}"),
        ] {
            assert_eq!(check_query(query), Err(QueryNotUtf8(shown.to_owned())), "{query}");
        }
    }

    #[test]
    fn identity_is_not_a_content_coding() {
        let read = |value| content_codings(value).collect::<Vec<_>>();
        assert_eq!(read("identity, ,Identity"), Vec::<&str>::new());
        assert_eq!(read("identity, gzip,br "), ["gzip", "br"]);
    }
}
