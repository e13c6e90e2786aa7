//! The boundary of a multipart body (RFC 2046 §5.1.1).

use std::fmt;

use super::media_type::MediaType;
use super::syntax;

/// A valid boundary: 1 to 70 characters of `bchars` (RFC 2046). The last character is not a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

/// Error: the boundary is missing, or RFC 2046 does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryError {
    /// The media type has no `boundary` parameter.
    #[error("the multipart Content-Type has no boundary parameter")]
    Missing,
    /// The text is empty or too long, ends with a space, or has a character outside `bchars`.
    #[error(
        "a multipart boundary must have 1 to 70 letters, digits, spaces or '()+_,-./:=? and must not end with a space"
    )]
    Invalid,
}

impl Boundary {
    /// Maximum length of a boundary in characters (RFC 2046 §5.1.1).
    pub const MAX_LENGTH: usize = 70;

    /// Makes a boundary from its text, without the leading `--`.
    ///
    /// # Errors
    /// [`BoundaryError::Invalid`] if RFC 2046 does not allow the text.
    pub fn new(text: &str) -> Result<Self, BoundaryError> {
        let of_bchars = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b));
        let length_fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        if of_bchars && length_fits && !text.ends_with(' ') {
            Ok(Self(text.to_owned()))
        } else {
            Err(BoundaryError::Invalid)
        }
    }

    /// Reads the `boundary` parameter of a multipart media type.
    ///
    /// # Errors
    /// [`BoundaryError`] if the parameter is missing or malformed.
    pub fn from_media_type(media_type: &MediaType) -> Result<Self, BoundaryError> {
        Self::new(media_type.parameter("boundary").ok_or(BoundaryError::Missing)?)
    }

    /// Returns the text of the boundary, without the leading `--`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the boundary as a parameter value, in quotes unless the boundary is a token.
    pub(super) fn as_parameter(&self) -> impl fmt::Display + '_ {
        let quote = if syntax::is_token(&self.0) { "" } else { "\"" };
        fmt::from_fn(move |f| write!(f, "{quote}{}{quote}", self.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_has_1_to_70_allowed_characters() {
        let longest = "x".repeat(70);
        let too_long = "x".repeat(71);
        for good in ["a", "----WebKitFormBoundaryAbC123", "a b", "'()+_,-./:=?", &longest] {
            assert_eq!(Boundary::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a ", "a\r\nb", "a\"b", "é", "a;b", &too_long] {
            assert_eq!(Boundary::new(bad), Err(BoundaryError::Invalid), "{bad}");
        }
    }

    #[test]
    fn the_boundary_is_read_from_the_media_type() {
        let with = MediaType::parse("multipart/form-data; boundary=\"a b\"").unwrap();
        assert_eq!(Boundary::from_media_type(&with).unwrap().as_str(), "a b");
        let without = MediaType::parse("multipart/form-data").unwrap();
        assert_eq!(Boundary::from_media_type(&without), Err(BoundaryError::Missing));
    }

    #[test]
    fn a_boundary_that_is_not_a_token_is_quoted() {
        assert_eq!(Boundary::new("a-b").unwrap().as_parameter().to_string(), "a-b");
        assert_eq!(Boundary::new("a b").unwrap().as_parameter().to_string(), "\"a b\"");
    }
}
