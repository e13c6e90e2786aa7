//! Media types with parameters (RFC 9110 §8.3.1).

use super::syntax::{self, BackslashRule};

/// Maximum length of a media type with its parameters, in bytes.
const MAX_BYTES: usize = 255;

/// A parsed media type such as `text/csv; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

/// Error: the text is not a media type, repeats a parameter, or is longer than 255 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the media type is malformed, repeats a parameter or has more than 255 bytes: send for example text/csv; charset=utf-8"
)]
pub struct InvalidMediaType;

impl MediaType {
    /// Parses a `Content-Type` value. Type, subtype and parameter names are converted to lower case; parameter values
    /// keep their case.
    ///
    /// # Errors
    /// [`InvalidMediaType`] if the text is malformed or too long, or if a parameter is repeated.
    pub fn parse(text: &str) -> Result<Self, InvalidMediaType> {
        if text.len() > MAX_BYTES {
            return Err(InvalidMediaType);
        }
        let end = text.find(';').unwrap_or(text.len());
        let (essence, parameters) = text.split_at(end);
        let essence = syntax::trim_ows(essence);
        let (kind, subtype) = essence.split_once('/').ok_or(InvalidMediaType)?;
        if !syntax::is_token(kind) || !syntax::is_token(subtype) {
            return Err(InvalidMediaType);
        }
        let parameters =
            syntax::parse_parameters(parameters, BackslashRule::AnyCharacter).ok_or(InvalidMediaType)?;
        let is_repeated = |(place, (name, _)): (usize, &(String, String))| {
            parameters[..place].iter().any(|(known, _)| known == name)
        };
        if parameters.iter().enumerate().any(is_repeated) {
            return Err(InvalidMediaType);
        }
        Ok(Self { essence: essence.to_ascii_lowercase(), parameters })
    }

    /// Returns the type and the subtype in lower case, without parameters: `text/csv`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Whether type and subtype equal `essence`. Case and parameters are ignored.
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// Returns the value of the first parameter with this name. `name` must be in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of the parameter `charset`, with upper and lower case as sent.
    pub fn charset(&self) -> Option<&str> {
        self.parameter("charset")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_and_parameter_names_may_be_in_upper_or_lower_case() {
        let parsed = MediaType::parse(" Text/CSV ; Charset=\"Windows-1252\"; other=utf-8 ").unwrap();
        assert_eq!(parsed.essence(), "text/csv");
        assert!(parsed.is("TEXT/csv"));
        assert_eq!(parsed.charset(), Some("Windows-1252"));
        assert_eq!(parsed.parameter("header"), None);
        assert!(MediaType::parse(&format!("text/{}", "c".repeat(250))).is_ok());
    }

    #[test]
    fn malformed_media_types_are_refused() {
        for value in [
            "",
            "text",
            "text/",
            "/csv",
            "text/csv/x",
            "te xt/csv",
            "text/csv; a",
            "text/csv; charset=utf-8; Charset=utf-8",
            "text/csv, text/tsv",
            &format!("text/{}", "c".repeat(251)),
        ] {
            assert_eq!(MediaType::parse(value), Err(InvalidMediaType), "{value}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,60}") {
            let _ = MediaType::parse(&text);
            let _ = MediaType::parse(&format!("text/csv;{text}"));
        }
    }
}
