//! `LIKE` patterns: `%` matches any text, even the empty text; `_` matches exactly one character; every other character
//! matches itself.
//!
//! `\%`, `\_` and `\\` each match the character after the backslash. A backslash before any other character is a plain
//! backslash. A byte that is not part of valid UTF-8 counts as one character. Matching never backtracks: each segment
//! between two `%` is matched at its first occurrence. If the rest of the pattern does not match the text after the
//! first occurrence, the rest does not match the text after a later occurrence either. A long segment with `_` is
//! searched with bit masks ([`bits`]). A short segment with `_` is tried at every position.

mod bits;
mod token;

use memchr::memmem::Finder;

use super::fold::fold_character;
use bits::BitSearch;
use token::{PatternToken, character_bytes};

/// Maximum length, in characters, of a segment with `_` that is tried at every position of a text. Most cells are
/// short. In a short cell, it is faster to try every position than to compute bit masks.
const MAX_NAIVE_CHARACTERS: usize = 16;

/// A pattern, compiled to match folded text.
#[derive(Debug, Clone)]
pub(super) struct Like {
    /// The segment before the first `%`; the whole pattern if there is no `%`.
    head: Segment,
    /// The rest of the pattern, from the first `%` on; `None` if there is no `%`.
    suffix: Option<LikeSuffix>,
}

#[derive(Debug, Clone)]
struct LikeSuffix {
    /// The non-empty segments between two `%`.
    middle: Vec<Segment>,
    /// The segment after the last `%`.
    last: Segment,
}

/// A part of a pattern: before the first `%`, between two neighbouring `%`, or after the last `%`. A pattern without
/// `%` has one segment, the whole pattern.
#[derive(Debug, Clone, Default)]
struct Segment {
    tokens: Vec<PatternToken>,
    characters: usize,
    /// Set if the segment has no `_` and is not empty.
    finder: Option<Finder<'static>>,
    /// Set if the segment has a `_` and is longer than [`MAX_NAIVE_CHARACTERS`].
    search: Option<Box<BitSearch>>,
}

impl Like {
    /// Compiles a pattern. Every text is a valid pattern.
    pub(super) fn new(pattern: &str) -> Self {
        let mut segments = vec![Segment::default()];
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            let last = segments.len() - 1;
            match character {
                '%' => segments.push(Segment::default()),
                '_' => segments[last].push_wildcard(),
                '\\' => {
                    let escaped = characters.next_if(|next| matches!(next, '%' | '_' | '\\'));
                    segments[last].push(escaped.unwrap_or('\\'));
                }
                _ => segments[last].push(character),
            }
        }
        let mut segments = segments.into_iter().map(Segment::compiled);
        let head = segments.next().unwrap_or_default();
        let mut middle: Vec<Segment> = segments.collect();
        let suffix = middle.pop().map(|last| {
            middle.retain(|segment| segment.characters > 0);
            LikeSuffix { middle, last }
        });
        Self { head, suffix }
    }

    /// Whether the pattern matches all of `text`, which must be folded.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some(mut rest) = self.head.strip_from(text) else { return false };
        let Some(suffix) = &self.suffix else { return rest.is_empty() };
        for segment in &suffix.middle {
            match segment.skip_past(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        suffix.last.is_suffix_of(rest)
    }
}

impl Segment {
    fn push(&mut self, character: char) {
        let mut buffer = [0; 4];
        let bytes = fold_character(character).encode_utf8(&mut buffer).as_bytes();
        match self.tokens.last_mut() {
            Some(PatternToken::Text(text)) => text.extend_from_slice(bytes),
            _ => self.tokens.push(PatternToken::Text(bytes.to_vec())),
        }
        self.characters += 1;
    }

    fn push_wildcard(&mut self) {
        match self.tokens.last_mut() {
            Some(PatternToken::Any(count)) => *count += 1,
            _ => self.tokens.push(PatternToken::Any(1)),
        }
        self.characters += 1;
    }

    fn compiled(mut self) -> Self {
        if let [PatternToken::Text(text)] = self.tokens.as_slice() {
            self.finder = Some(Finder::new(text).into_owned());
        } else if self.characters > MAX_NAIVE_CHARACTERS {
            self.search = BitSearch::new(&self.tokens, self.characters).map(Box::new);
        }
        self
    }

    /// Returns the rest of `text` after this segment. `None` if `text` does not begin with this segment.
    fn strip_from<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.tokens.iter().try_fold(text, |rest, token| match token {
            PatternToken::Text(text) => rest.strip_prefix(text.as_slice()),
            PatternToken::Any(count) => skip_characters(rest, *count),
        })
    }

    /// Returns the rest of `text` after the first occurrence of this segment. `None` if `text` does not contain this
    /// segment.
    fn skip_past<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(finder) = &self.finder {
            return finder.find(text).map(|at| &text[at + finder.needle().len()..]);
        }
        match &self.search {
            Some(search) => search.skip_past(text),
            None => self.naive_search(text),
        }
    }

    fn naive_search<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let mut from = text;
        loop {
            if let Some(rest) = self.strip_from(from) {
                return Some(rest);
            }
            from = skip_characters(from, 1)?;
        }
    }

    /// Whether `text` ends with this segment.
    fn is_suffix_of(&self, text: &[u8]) -> bool {
        if let Some(finder) = &self.finder {
            return text.ends_with(finder.needle());
        }
        let before = count_characters(text).checked_sub(self.characters);
        before.and_then(|count| self.strip_from(skip_characters(text, count)?)).is_some_and(<[u8]>::is_empty)
    }
}

fn skip_characters(mut text: &[u8], count: usize) -> Option<&[u8]> {
    for _ in 0..count {
        text = text.get(character_bytes(text)?..)?;
    }
    Some(text)
}

fn count_characters(mut text: &[u8]) -> usize {
    let mut count = 0;
    while let Some(bytes) = character_bytes(text) {
        text = &text[bytes..];
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::fold::{fold, with_folded};
    use super::*;
    use crate::csv::filter::tests::definitions::{folded, is_like};
    use proptest::prelude::*;

    fn like(cell: &[u8], pattern: &str) -> bool {
        let pattern = Like::new(pattern);
        with_folded(cell, |text| pattern.matches(text))
    }

    #[test]
    fn patterns_match_whole_cells() {
        for (pattern, cell, wanted) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%%", "anything", true),
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("a%", "Abc", true),
            ("%c", "abC", true),
            ("%b%", "abc", true),
            ("a%c", "ac", true),
            ("ab%bc", "abc", false),
            ("_", "é", true),
            ("_", "", false),
            ("__", "é", false),
            ("%_%", "", false),
            ("%_c", "abc", true),
            ("%a_", "xaya", false),
            ("%a_", "xayab", true),
            ("%a_b%c", "aab_aXb_c", true),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("a\\_b", "a_b", true),
            ("a\\_b", "axb", false),
            ("C:\\dir\\\\%", "c:\\dir\\x", true),
            ("\\", "\\", true),
            ("Σ%", "ςx", true),
            ("k", "\u{212a}", true),
            ("%.csv", "a.CSV\n", false),
            ("%b", "a\nb", true),
        ] {
            assert_eq!(like(cell.as_bytes(), pattern), wanted, "{cell:?} LIKE {pattern:?}");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_is_one_character() {
        assert!(like(b"a\xffb", "a_b"));
        assert!(like(b"a\xe2\x82b", "a__b"));
        assert!(!like(b"a\xe2\x82b", "a_b"));
        assert!(like(b"\xe2\xc3\xa9", "%é"));
    }

    #[test]
    fn a_hostile_pattern_takes_bounded_time() {
        let cell = vec![b'a'; 200_000];
        assert!(!like(&cell, &format!("{}b", "%a".repeat(500))));
        assert!(!like(&cell[..2_000], &format!("%{}b%", "a_".repeat(500))));
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(cell in "[abAéÉ%_\\\\]{0,9}", pattern in "[abéÉ%%_\\\\]{0,7}") {
            let [text, wanted] = [&cell, &pattern].map(|text| folded(text.as_bytes()));
            prop_assert_eq!(like(cell.as_bytes(), &pattern), is_like(&text, &wanted));
        }

        #[test]
        fn matching_never_panics(
            cell in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..20),
            pattern in "[aé%_]{0,6}",
        ) {
            like(&cell, &pattern);
        }

        #[test]
        fn a_text_without_special_characters_matches_itself(text in "[^%_\\\\]{0,12}") {
            prop_assert!(Like::new(&text).matches(&fold(&text)));
        }
    }
}
