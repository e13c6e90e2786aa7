//! `LIKE` patterns: `%` is any text, also none; `_` is exactly one character; the rest is itself.
//!
//! `\%`, `\_` and `\\` stand for the character after the backslash; a backslash before anything else is a
//! backslash. A byte that is not part of valid UTF-8 counts as one character. Each stretch between two `%`
//! is taken where it first fits, which is enough to decide, so there is no backtracking; and one that is long and holds
//! `_` is looked for without trying every place ([`bits`]).

mod bits;
mod piece;

use memchr::memmem::Finder;

use super::fold::fold_character;
use bits::BitSearch;
use piece::{Piece, character_bytes};

/// The longest stretch with `_` for which every place of a text is tried, which is faster in the short cells that are
/// the rule.
const MOST_TRIED: usize = 16;

/// A pattern, ready to be matched against folded text.
#[derive(Debug, Clone)]
pub(super) struct Like {
    /// Before the first `%`; the whole pattern when there is no `%`.
    head: Stretch,
    /// What the first `%` brings.
    tail: Option<Tail>,
}

#[derive(Debug, Clone)]
struct Tail {
    /// Between two `%`.
    middle: Vec<Stretch>,
    /// After the last `%`.
    last: Stretch,
}

/// Part of a pattern without `%`.
#[derive(Debug, Clone, Default)]
struct Stretch {
    pieces: Vec<Piece>,
    characters: usize,
    /// Set when all of it is one text.
    finder: Option<Finder<'static>>,
    /// Set when it is none, and long.
    search: Option<Box<BitSearch>>,
}

impl Like {
    /// Every text is a pattern.
    pub(super) fn new(pattern: &str) -> Self {
        let mut stretches = vec![Stretch::default()];
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            let last = stretches.len() - 1;
            match character {
                '%' => stretches.push(Stretch::default()),
                '_' => stretches[last].push_any(),
                '\\' => {
                    let escaped = characters.next_if(|next| matches!(next, '%' | '_' | '\\'));
                    stretches[last].push(escaped.unwrap_or('\\'));
                }
                _ => stretches[last].push(character),
            }
        }
        let mut stretches = stretches.into_iter().map(Stretch::finished);
        let head = stretches.next().unwrap_or_default();
        let mut middle: Vec<Stretch> = stretches.collect();
        let tail = middle.pop().map(|last| {
            middle.retain(|stretch| stretch.characters > 0);
            Tail { middle, last }
        });
        Self { head, tail }
    }

    /// Whether the whole of `text`, which is folded, fits.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some(mut rest) = self.head.strip_from(text) else { return false };
        let Some(tail) = &self.tail else { return rest.is_empty() };
        for stretch in &tail.middle {
            match stretch.skip_past(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        tail.last.ends(rest)
    }
}

impl Stretch {
    fn push(&mut self, character: char) {
        let mut buffer = [0; 4];
        let bytes = fold_character(character).encode_utf8(&mut buffer).as_bytes();
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Text(bytes.to_vec())),
        }
        self.characters += 1;
    }

    fn push_any(&mut self) {
        match self.pieces.last_mut() {
            Some(Piece::Any(count)) => *count += 1,
            _ => self.pieces.push(Piece::Any(1)),
        }
        self.characters += 1;
    }

    fn finished(mut self) -> Self {
        if let [Piece::Text(text)] = self.pieces.as_slice() {
            self.finder = Some(Finder::new(text).into_owned());
        } else if self.characters > MOST_TRIED {
            self.search = BitSearch::of(&self.pieces, self.characters).map(Box::new);
        }
        self
    }

    /// What follows this stretch when `text` begins with it.
    fn strip_from<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.pieces.iter().try_fold(text, |rest, piece| match piece {
            Piece::Text(text) => rest.strip_prefix(text.as_slice()),
            Piece::Any(count) => skip_characters(rest, *count),
        })
    }

    /// What follows the first place in `text` where this stretch fits.
    fn skip_past<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(finder) = &self.finder {
            return finder.find(text).map(|at| &text[at + finder.needle().len()..]);
        }
        match &self.search {
            Some(search) => search.skip_past(text),
            None => self.try_every_place(text),
        }
    }

    fn try_every_place<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let mut from = text;
        loop {
            if let Some(rest) = self.strip_from(from) {
                return Some(rest);
            }
            from = skip_characters(from, 1)?;
        }
    }

    /// Whether `text` ends with this stretch.
    fn ends(&self, text: &[u8]) -> bool {
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
    fn a_stray_byte_is_one_character() {
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
        fn agrees_with_the_definition(cell in "[abAéÉ%_\\\\]{0,9}", pattern in "[abéÉ%%_\\\\]{0,7}") {
            let [text, wanted] = [&cell, &pattern].map(|text| folded(text.as_bytes()));
            prop_assert_eq!(like(cell.as_bytes(), &pattern), is_like(&text, &wanted));
        }

        #[test]
        fn no_bytes_make_it_panic(
            cell in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..20),
            pattern in "[aé%_]{0,6}",
        ) {
            like(&cell, &pattern);
        }

        #[test]
        fn a_text_is_like_itself(text in "[^%_\\\\]{0,12}") {
            prop_assert!(Like::new(&text).matches(&fold(&text)));
        }
    }
}
