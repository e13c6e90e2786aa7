//! The tags a person gives a file.

use crate::csv::shortened;

/// A file's user tags: at most 32, each 1 to 64 bytes of one line, none twice, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

/// Why tags were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// More than [`Tags::MAX_COUNT`] different ones.
    #[error("a file can have at most 32 tags")]
    TooMany,
    /// More than [`Tags::MAX_TAG_BYTES`].
    #[error("a tag can have at most 64 bytes of UTF-8: shorten {tag:?}")]
    TooLong {
        /// The tag.
        tag: String,
    },
    /// A control character.
    #[error("a tag cannot hold control characters: {tag:?}")]
    ControlCharacter {
        /// The tag.
        tag: String,
    },
    /// A `"` that opens but does not close, or text after the closing one.
    #[error("tags are a comma-separated list; a tag in double quotes must end before the next comma")]
    UnbalancedQuote,
}

impl Tags {
    /// The most tags of one file.
    pub const MAX_COUNT: usize = 32;
    /// The most bytes of one tag.
    pub const MAX_TAG_BYTES: usize = 64;

    /// Reads a comma-separated list as a CSV record: a tag with a comma stands in double quotes, a quote
    /// inside those is doubled. Blanks around tags and empty tags are dropped.
    ///
    /// # Errors
    /// [`TagsError`].
    pub fn parse_list(text: &str) -> Result<Self, TagsError> {
        Self::from_values(split_record(text)?)
    }

    /// Tags from a list of values, as JSON bodies give them. Blanks around tags and empty tags are dropped.
    ///
    /// # Errors
    /// [`TagsError`].
    pub fn from_values<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Result<Self, TagsError> {
        let mut tags: Vec<String> = Vec::new();
        for value in values {
            let tag = value.as_ref().trim();
            if tag.is_empty() || tags.iter().any(|known| known == tag) {
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

    /// The tags.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The tags, owned.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// The fields of one CSV record, blanks outside quotes trimmed.
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

/// The field whose opening quote is already gone, and what follows its closing quote.
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
    fn a_list_is_trimmed_and_each_tag_kept_once() {
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
    fn tags_beyond_the_limits_are_refused() {
        let list = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(Tags::parse_list(&list(32)).unwrap().into_vec().len(), 32);
        assert_eq!(Tags::parse_list(&list(33)), Err(TagsError::TooMany));
        assert!(Tags::parse_list(&"x".repeat(64)).is_ok());
        assert!(matches!(Tags::parse_list(&"é".repeat(33)), Err(TagsError::TooLong { .. })));
        assert!(matches!(Tags::from_values(["a\nb"]), Err(TagsError::ControlCharacter { .. })));
        for text in ["\"a", "\"a\"b", "x,\"\"\""] {
            assert_eq!(Tags::parse_list(text), Err(TagsError::UnbalancedQuote), "{text}");
        }
    }

    proptest! {
        #[test]
        fn quoted_tags_round_trip(values in proptest::collection::vec("[a-c\",é]([a-c\", ]{0,6}[a-c\",])?", 0..8)) {
            let tags = Tags::from_values(&values).unwrap();
            let list: Vec<_> = values.iter().map(|tag| format!("\"{}\"", tag.replace('"', "\"\""))).collect();
            prop_assert_eq!(Tags::parse_list(&list.join(" , ")), Ok(tags));
        }

        #[test]
        fn no_input_panics(text in any::<String>(), shaped in "[a\", ]{0,20}") {
            let _ = Tags::parse_list(&text);
            let _ = Tags::parse_list(&shaped);
        }
    }
}
