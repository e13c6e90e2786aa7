//! Entity tags and lists of them (RFC 9110 §8.8.3 and §13.1.1).

use std::fmt;

/// An entity tag: opaque text, strong or weak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

/// Error: the text is not allowed in an entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entity tag must be printable ASCII without quotes or spaces")]
pub struct InvalidEntityTag;

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any current representation.
    Any,
    /// A list of tags.
    List(Vec<EntityTag>),
}

impl EntityTag {
    /// Makes a strong tag from its text without quotes.
    ///
    /// # Errors
    /// [`InvalidEntityTag`] if the text contains a quote, a space, or a character that is not printable ASCII.
    pub fn strong(opaque: &str) -> Result<Self, InvalidEntityTag> {
        let printable = opaque.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        printable.then(|| Self { weak: false, opaque: opaque.to_owned() }).ok_or(InvalidEntityTag)
    }

    /// Parses one tag: `"abc"` or `W/"abc"`. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (tag, rest) = Self::parse_prefix(text)?;
        rest.is_empty().then_some(tag)
    }

    /// Parses the tag at the start of `text`. Returns the tag and the rest of the text.
    fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (opaque, rest) = quoted.strip_prefix('"')?.split_once('"')?;
        let allowed = opaque.chars().all(|c| c > ' ' && c != '\u{7f}');
        allowed.then(|| (Self { weak, opaque: opaque.to_owned() }, rest))
    }

    /// Returns the text between the quotes.
    pub fn opaque(&self) -> &str {
        &self.opaque
    }

    /// Whether the tag is weak (RFC 9110 §8.8.1).
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// Strong comparison (RFC 9110 §8.8.3.2): both tags are strong and their texts are equal.
    pub fn strongly_equals(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 §8.8.3.2): the texts are equal.
    pub fn weakly_equals(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

impl EntityTags {
    /// Parses `*` or a comma-separated list. Empty elements are skipped (RFC 9110 §5.6.1.2). Returns `None` for any
    /// other text, and for an empty list.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_matches([' ', '\t', ',']);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        while !rest.is_empty() {
            let (tag, after) = EntityTag::parse_prefix(rest)?;
            tags.push(tag);
            let after = after.trim_start_matches([' ', '\t']);
            if !after.is_empty() && !after.starts_with(',') {
                return None;
            }
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
        (!tags.is_empty()).then_some(Self::List(tags))
    }

    /// Returns the tags of the list; no tags for `*`.
    pub fn listed(&self) -> &[EntityTag] {
        match self {
            Self::Any => &[],
            Self::List(tags) => tags,
        }
    }

    /// Whether the value is `*`, or has a tag that strongly equals one of the tags in `current`. For `If-Match`.
    pub fn contain_strongly<'a>(&self, current: impl IntoIterator<Item = &'a EntityTag>) -> bool {
        self.contain(current, EntityTag::strongly_equals)
    }

    /// Whether the value is `*`, or has a tag that weakly equals one of the tags in `current`. For `If-None-Match`.
    pub fn contain_weakly<'a>(&self, current: impl IntoIterator<Item = &'a EntityTag>) -> bool {
        self.contain(current, EntityTag::weakly_equals)
    }

    fn contain<'a>(
        &self,
        current: impl IntoIterator<Item = &'a EntityTag>,
        equal: fn(&EntityTag, &EntityTag) -> bool,
    ) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => current.into_iter().any(|current| tags.iter().any(|tag| equal(tag, current))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comparisons_of_tags_agree_with_the_table_of_the_rfc() {
        let tag = |text| EntityTag::parse(text).unwrap();
        for (left, right, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            assert_eq!(tag(left).strongly_equals(&tag(right)), strong, "{left} {right}");
            assert_eq!(tag(left).weakly_equals(&tag(right)), weak, "{left} {right}");
        }
    }

    #[test]
    fn a_list_may_have_empty_elements_and_commas_inside_quotes() {
        let EntityTags::List(tags) = EntityTags::parse(r#" , "a,b" ,W/"c",, "" "#).unwrap() else {
            unreachable!("the text is a list, not *")
        };
        let texts: Vec<_> = tags.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [r#""a,b""#, r#"W/"c""#, r#""""#]);
        assert_eq!(EntityTags::parse(" * "), Some(EntityTags::Any));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for text in [
            "",
            ",",
            "abc",
            r#""a"#,
            r#""a" "b""#,
            r#""a"b"#,
            r#"w/"a""#,
            r#"*, "a""#,
            r#""a b""#,
            "\"\u{1}\"",
        ] {
            assert_eq!(EntityTags::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_tag_must_be_printable_ascii() {
        assert_eq!(EntityTag::strong("0192-1").unwrap().to_string(), r#""0192-1""#);
        for bad in ["a b", "a\"b", "é", "a\n"] {
            assert_eq!(EntityTag::strong(bad), Err(InvalidEntityTag), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_round_trips(opaque in "[!#-~]{0,40}") {
            let tag = EntityTag::strong(&opaque).unwrap();
            prop_assert_eq!(EntityTag::parse(&tag.to_string()), Some(tag.clone()));
            let list = EntityTags::parse(&format!("\"x\", {tag}")).unwrap();
            prop_assert!(list.contain_strongly([&tag]));
        }

        #[test]
        fn parsing_never_panics(text in "[W/\"*, a\\PC]{0,40}") {
            let _ = EntityTags::parse(&text);
        }
    }
}
