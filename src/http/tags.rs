//! Tags that users give their files.

use crate::csv::shortened;

/// Tags of a file, in the order in which they were sent: at most 32 different tags. Each tag has 1 to 64 bytes and no
/// control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

/// Reasons to refuse tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// The list has more than [`Tags::MAX_COUNT`] different tags.
    #[error("a file can have at most 32 tags: remove some")]
    TooMany,
    /// A tag has more than [`Tags::MAX_TAG_BYTES`] bytes.
    #[error("a tag can have at most 64 bytes of UTF-8: shorten {tag:?}")]
    TooLong {
        /// The tag.
        tag: String,
    },
    /// A tag in a list of values is empty or has only blanks.
    #[error("a tag cannot be empty: leave it out")]
    Empty,
    /// A tag contains a control character.
    #[error("a tag cannot contain control characters: remove them from {tag:?}")]
    ControlCharacter {
        /// The tag.
        tag: String,
    },
    /// A quoted tag has no closing `"`, or text follows the closing `"`.
    #[error("a tag in double quotes needs a closing double quote, and then a comma or the end of the list")]
    UnbalancedQuote,
}

impl Tags {
    /// Maximum number of tags of one file.
    pub const MAX_COUNT: usize = 32;
    /// Maximum length of one tag in bytes of UTF-8.
    pub const MAX_TAG_BYTES: usize = 64;

    /// Parses a comma-separated list with the quoting of CSV: a tag with a comma is in double quotes, and a double
    /// quote inside a quoted tag is written twice. Empty tags, duplicates, and blanks around tags are dropped.
    ///
    /// # Errors
    /// [`TagsError`].
    pub fn parse_list(text: &str) -> Result<Self, TagsError> {
        let tags = split_record(text)?;
        Self::from_values(tags.iter().filter(|tag| !tag.trim().is_empty()))
    }

    /// Makes tags from a list of values. Duplicates, and blanks around tags are dropped.
    ///
    /// # Errors
    /// [`TagsError`].
    pub fn from_values<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Result<Self, TagsError> {
        let mut tags: Vec<String> = Vec::new();
        for value in values {
            let tag = value.as_ref().trim();
            if tag.is_empty() {
                return Err(TagsError::Empty);
            }
            if tags.iter().any(|known| known == tag) {
                continue;
            }
            if tag.chars().any(char::is_control) {
                return Err(TagsError::ControlCharacter { tag: shortened(tag) });
            }
            if tag.len() > Self::MAX_TAG_BYTES {
                return Err(TagsError::TooLong { tag: shortened(tag) });
            }
            if tags.len() == Self::MAX_COUNT {
                return Err(TagsError::TooMany);
            }
            tags.push(tag.to_owned());
        }
        Ok(Self(tags))
    }

    /// Returns the tags.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Converts the tags into a vector.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// Splits a list into tags, and removes the quotes of quoted tags.
fn split_record(text: &str) -> Result<Vec<String>, TagsError> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(TagsError::UnbalancedQuote),
        }
    }
}

/// Parses a quoted tag after its opening quote. Returns the tag, and the text after the closing quote and blanks.
fn split_quoted(text: &str) -> Result<(String, &str), TagsError> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or(TagsError::UnbalancedQuote)?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, after.trim_start())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duplicates_and_empty_tags_and_blanks_around_tags_are_dropped() {
        for (text, expected) in [
            ("a, b ,a,, B", vec!["a", "b", "B"]),
            ("", vec![]),
            (" , ", vec![]),
            (r#""x, y" , "say ""hi""","#, vec!["x, y", "say \"hi\""]),
            (r#"5" pipe"#, vec!["5\" pipe"]),
            ("größe,数", vec!["größe", "数"]),
        ] {
            assert_eq!(Tags::parse_list(text).unwrap().as_slice(), expected, "{text}");
        }
    }

    #[test]
    fn tags_that_exceed_a_limit_are_refused() {
        let list = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(Tags::parse_list(&list(32)).unwrap().into_vec().len(), 32);
        assert_eq!(Tags::parse_list(&list(33)), Err(TagsError::TooMany));
        assert!(Tags::parse_list(&"x".repeat(64)).is_ok());
        assert!(matches!(Tags::parse_list(&"é".repeat(33)), Err(TagsError::TooLong { .. })));
        assert_eq!(Tags::from_values(["a", " "]), Err(TagsError::Empty));
        assert!(matches!(Tags::from_values(["a\nb"]), Err(TagsError::ControlCharacter { .. })));
        for text in ["\"a", "\"a\"b", "x,\"\"\""] {
            assert_eq!(Tags::parse_list(text), Err(TagsError::UnbalancedQuote), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_a_list_of_quoted_tags_returns_the_same_tags(
            values in proptest::collection::vec("[a-c\",é]([a-c\", ]{0,6}[a-c\",])?", 0..8),
        ) {
            let tags = Tags::from_values(&values).unwrap();
            let list: Vec<_> = values.iter().map(|tag| format!("\"{}\"", tag.replace('"', "\"\""))).collect();
            prop_assert_eq!(Tags::parse_list(&list.join(" , ")), Ok(tags));
        }

        #[test]
        fn parsing_never_panics(text in any::<String>(), shaped in "[a\", ]{0,20}") {
            let _ = Tags::parse_list(&text);
            let _ = Tags::parse_list(&shaped);
        }
    }
}
