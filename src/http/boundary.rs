//! The boundary between the parts of a multipart body: RFC 2046 §5.1.1.

use std::fmt;

use super::media_type::MediaType;
use super::syntax;

/// A valid boundary: 1 to 70 characters of RFC 2046's `bchars`, the last not a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

/// A boundary that RFC 2046 does not allow, or none where one is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryError {
    /// The media type has no `boundary` parameter.
    #[error("the multipart Content-Type has no boundary parameter")]
    Missing,
    /// The text is empty, too long or has a character outside `bchars`.
    #[error("the multipart boundary must be 1 to 70 characters of letters, digits and '()+_,-./:=? or space")]
    Invalid,
}

impl Boundary {
    /// The most characters a boundary may have (RFC 2046 §5.1.1).
    pub const MAX_LENGTH: usize = 70;

    /// A boundary from its text, without the leading `--`.
    ///
    /// # Errors
    /// [`BoundaryError::Invalid`] when RFC 2046 does not allow the text.
    pub fn new(text: &str) -> Result<Self, BoundaryError> {
        let of_bchars = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b));
        let length_fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        if of_bchars && length_fits && !text.ends_with(' ') {
            Ok(Self(text.to_owned()))
        } else {
            Err(BoundaryError::Invalid)
        }
    }

    /// The boundary a multipart media type names.
    ///
    /// # Errors
    /// [`BoundaryError`] when it names none or a malformed one.
    pub fn from_media_type(media_type: &MediaType) -> Result<Self, BoundaryError> {
        Self::new(media_type.parameter("boundary").ok_or(BoundaryError::Missing)?)
    }

    /// The boundary's characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The boundary as a parameter value: quoted where it is no token.
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
    fn the_media_type_names_the_boundary() {
        let with = MediaType::parse("multipart/form-data; boundary=\"a b\"").unwrap();
        assert_eq!(Boundary::from_media_type(&with).unwrap().as_str(), "a b");
        let without = MediaType::parse("multipart/form-data").unwrap();
        assert_eq!(Boundary::from_media_type(&without), Err(BoundaryError::Missing));
    }

    #[test]
    fn a_boundary_that_is_no_token_is_quoted_as_a_parameter() {
        assert_eq!(Boundary::new("a-b").unwrap().as_parameter().to_string(), "a-b");
        assert_eq!(Boundary::new("a b").unwrap().as_parameter().to_string(), "\"a b\"");
    }
}
